"""One submission, marked: what is right passes, and what is wrong gets a clear sentence."""

import pytest

from minires.gradcheck.grading.errors import RaisedError
from minires.gradcheck.grading.forms import is_stated


def test_a_right_function_passes_and_the_seed_is_printed(homework, grade):
    status, out = grade(homework("right_relu"), "--like", "relu")
    assert status == 0
    assert out.endswith("6 of 6 cases passed\n")
    assert "not shown" not in out
    assert "held to relu, seed " in out
    assert "float32" not in out


def test_each_run_draws_another_seed_unless_one_is_given(homework, grade):
    def first(*flags):
        return grade(homework("right_relu"), "--like", "relu", *flags)[1].splitlines()[0]

    assert first() != first()
    assert first("--seed", 3).endswith("seed 3")


def test_quiet_says_whose_work_failed(homework, grade):
    _, out = grade(homework("wrong_relu"), "--like", "relu", "-q", "--seed", 1)
    assert out.startswith(f"{homework('wrong_relu')}, held to relu, seed 1\n")


def test_a_wrong_function_is_told_which_argument_and_both_numbers(homework, grade):
    status, out = grade(homework("wrong_relu"), "--like", "relu")
    assert status == 1
    assert "dx is wrong, in relu (" in out
    assert "it should be 0" in out


def test_a_missing_import_of_numpy_is_told(tmp_path, grade):
    (tmp_path / "hw.py").write_text("def relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n")
    _, out = grade(f"{tmp_path / 'hw.py'}:relu", "--like", "relu")
    assert "name 'np' is not defined (hw.py, line 2); begin the file with: import numpy as np" in out


@pytest.mark.parametrize("name", ["instance", "partial_relu"])
def test_a_callable_without_a_name_is_graded_as_a_function_is(homework, grade, name):
    status, out = grade(homework(name), "--like", "relu")
    assert status == 0, out


def test_a_function_of_another_value_is_told_so(homework, grade):
    status, out = grade(homework("other_relu"), "--like", "relu")
    assert status == 1
    assert "y is not relu's: y[" in out


def test_a_y_of_another_shape_is_told_so(homework, grade):
    status, out = grade(homework("seven"), "--like", "relu")
    assert status == 1
    assert "y has shape (7,), that of relu is (4,)" in out
    assert "ValueError" not in out


def test_a_backward_alone_needs_no_like_if_named_after_an_op(homework, grade):
    status, out = grade(homework("relu_backward"))
    assert status == 0
    assert "recognized: a backward alone" in out


def test_a_factor_is_named(homework, grade):
    said = grade(homework("doubled"), "--like", "tanh")[1]
    assert "your dx is right but for a factor (2 in this case)" in said


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("leaves", 1, "it ended its process (exit code 3)"),
        ("exits", 1, "SystemExit: enough (homework.py, line"),
        ("raises", 1, "the backward raises NameError: name 'undefined' is not defined (homework.py, line"),
        ("gives_one", 1, "not done: it returns y alone: return (y, backward)"),
        ("gives_nan", 1, "dx is wrong"),
        ("gives_none", 1, "not done: the backward gives None"),
        ("in_place", 1, "it changes dy, which it is given, in place: work on a copy, dy.copy()"),
    ],
)
def test_what_goes_wrong_gets_a_sentence(homework, grade, name, status, sentence):
    found, out = grade(homework(name), "--like", "relu")
    assert sentence in out
    assert found == status


def test_work_in_place_on_what_is_given_can_be_let_pass(homework, grade):
    status, out = grade(homework("in_place"), "--like", "relu", "--numbers-only")
    assert status == 0
    assert "it changes dy" in out


def test_numbers_only_lets_pass_what_is_done_to_dy_alone(tmp_path, grade):
    (tmp_path / "hw.py").write_text("""
import numpy as np
def relu(x):
    np.maximum(x, 0, out=x)
    return x, lambda dy: dy * (x > 0)
def tanh(x):
    y = np.tanh(x)
    def backward(dy):
        dx = dy * (1 - y * y)
        x[...] = dy[...] = 0
        return dx
    return y, backward
def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    def backward(dy):
        dy *= y * (1 - y)
        return dy
    return y, backward
""")
    for op, status in (("relu", 1), ("tanh", 1), ("sigmoid", 0)):
        found, out = grade(f"{tmp_path / 'hw.py'}:{op}", "--like", op, "--numbers-only")
        assert found == status, out
        assert ("it changes x, which it is given" in out) == status


def test_numbers_only_lets_no_class_change_what_else_its_backward_is_given(tmp_path, grade):
    layer = """
import numpy as np
class Relu:
    def forward(self, x):
        return np.maximum(x, 0)
    def backward(self, dy, x):
        dx = dy * (x > 0)
        CHANGES
        return dx
"""
    for changes, status in (("dy[...] = 7", 0), ("x[...] = 7", 1), ("dy[...] = x[...] = 7", 1)):
        (tmp_path / "hw.py").write_text(layer.replace("CHANGES", changes))
        found, out = grade(f"{tmp_path / 'hw.py'}:Relu", "--like", "relu", "--numbers-only")
        assert found == status, out
        for name in ("dy", "x"):
            assert (f"it changes {name}, which it is given, in place" in out) == (f"{name}[...]" in changes)


def test_a_dropout_with_one_mask_for_all_calls_is_wrong(tmp_path, grade):
    (tmp_path / "hw.py").write_text("""
import numpy as np
rng = np.random.default_rng()
def fixed(x, p=0.5, training=True):
    keep = np.arange(x.size).reshape(x.shape) % 10 >= round(10 * p) if training else np.ones(x.shape, bool)
    mask = keep / (1 - p) if training else keep * 1.0
    return x * mask, lambda dy: dy * mask
def drawn(x, p=0.5, training=True):
    mask = (rng.random(x.shape) >= p) / (1 - p) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
""")
    for name, wrong in (("fixed", True), ("drawn", False)):
        status, out = grade(f"{tmp_path / 'hw.py'}:{name}", "--like", "dropout")
        assert status == wrong
        assert ("its mask is the same in each call" in out) == wrong


def test_the_error_of_what_passes_is_the_measured_one_and_an_empty_file_is_not_done(tmp_path, grade):
    (tmp_path / "hw.py").write_text(
        "import numpy as np\ndef tanh(x):\n    y = np.tanh(x)\n    return y, lambda dy: dy * (1 + 1e-9) * (1 - y * y)\ndef relu(x):\n    return x[:1], lambda dy: dy\n"
    )
    (tmp_path / "none.py").write_text("\n")
    assert "1.0e-09  ok" in grade(f"{tmp_path / 'hw.py'}:tanh")[1]
    assert "shape  see below  FAILED" in grade(f"{tmp_path / 'hw.py'}:relu")[1]
    status, out = grade(f"{tmp_path / 'none.py'}:relu")
    assert status == 1
    assert "not done: none.py is empty" in out


@pytest.mark.parametrize(
    ("type", "message", "source", "stated"),
    [
        ("AssertionError", "", "", True),
        ("ValueError", "stride 2 does not fit", 'raise ValueError(f"stride {s} does not fit")', True),
        ("ValueError", "no", 'raise ValueError("no")', True),
        ("ValueError", "", "raise ValueError", True),
        ("ValueError", "could not broadcast", 'raise ValueError("no")', False),
        ("ValueError", "could not broadcast", "", False),
        ("ValueError", "could not broadcast", "%matplotlib inline", False),
    ],
)
def test_a_refusal_is_told_from_a_crash(type, message, source, stated):
    assert is_stated(RaisedError(type, message), source) is stated
