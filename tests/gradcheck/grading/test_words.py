"""What the grader says to a work whose form it cannot take names what to change."""

import pytest

from minires import gradcheck
from minires.errors import OptionError
from minires.gradcheck.__main__ import main
from minires.gradcheck.grading.grade import op_of

RELU = "import numpy as np\ndef relu({parameters}):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"


def written(text, **more):
    names = {}
    exec(text, names)
    return gradcheck.grade([f for name, f in names.items() if name[0] != "_" and name != "np"], seed=0, **more)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("self, x", "its first parameter is self, and it is no method: leave self out, or name its class, FILE:CLASS"),
        ("ctx, x", "its parameter ctx is that of torch.autograd.Function: leave it out, and return (y, backward)"),
    ],
)
def test_a_parameter_that_belongs_to_a_class_is_named(parameters, said):
    result = written(RELU.format(parameters=parameters), like="relu")
    assert result.status == "could not run"
    assert said in result.error


def test_a_function_of_a_class_with_ctx_is_told_so():
    def forward(ctx, x):
        return x

    def backward(ctx, dy):
        return dy

    result = gradcheck.grade(type("Relu", (), {"forward": staticmethod(forward), "backward": staticmethod(backward)}))
    assert "its parameter ctx is that of torch.autograd.Function" in result.error


@pytest.mark.parametrize(
    ("b", "said"),
    [
        (", b", "it needs b, also where there is no bias: write b=None to take these"),
        ("", "it takes no bias, so dbias was not checked; with a parameter bias=None it is"),
    ],
)
def test_a_work_for_which_bias_is_no_choice_is_told_how_to_make_it_one(b, said):
    text = f"def linear(x, w{b}):\n    y = x @ w.T {'+ b' if b else ''}\n"
    text += "    flat = lambda a: a.reshape(-1, a.shape[-1])\n"
    text += "    return y, lambda dy: (dy @ w, flat(dy).T @ flat(x)" + (", flat(dy).sum(0))" if b else ")")
    result = written(text)
    assert result.passed
    assert said in str(result)


def test_a_name_of_several_ops_chooses_none_and_says_which_they_are():
    assert [op_of(name) for name in ("my_norm", "Pool2d", "my_batch_norm", "norm")] == ["", "", "batch_norm", "norm"]
    with pytest.raises(OptionError, match="my_norm may be several ops: say which, --like batch_norm, --like layer_"):
        written("def my_norm(x, gamma, beta):\n    return x, lambda dy: (dy, dy, dy)")


def test_a_module_that_is_not_installed_is_told_the_nearest_that_is(tmp_path, capsys):
    (tmp_path / "hw.py").write_text(RELU.format(parameters="x"))
    assert main([f"{tmp_path / 'hw.py'}:relu", "--forbid", "nunpy"]) == 0
    assert "--forbid nunpy: no such module is installed here; is the name right? did you mean numpy?" in (
        capsys.readouterr().err
    )
