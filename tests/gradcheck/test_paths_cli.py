"""python -m minires.gradcheck --paths."""

import pytest

from minires.gradcheck.__main__ import main


@pytest.mark.parametrize("model", ["resnet20", "preact_resnet20", "plain20"])
def test_a_row_a_block_with_the_formula_that_holds(model, capsys):
    assert main(["--paths", "--model", model, "--batch-size", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("layer")]
    assert len(rows) == 9
    assert all((")ᵀ·m" in row or "J_Fᵀ·m" in row) == (not model.startswith("preact")) and "J_F" in row for row in rows)
    assert all(len(line) <= 80 for line in lines[:-1])
    assert lines[-1].startswith(f"ok: 9 blocks of {model} on 8 images of digits, worst difference")


@pytest.mark.parametrize("variant", ["v1", "v1.5"])
def test_bottlenecks_of_either_variant(variant, capsys):
    assert main(["--paths", "--model", "resnet50", "--variant", variant, "--batch-size", "16"]) == 0
    assert capsys.readouterr().out.count("(W_s + J_F)ᵀ·m") == 4


def test_a_resnet_is_drawn_beside_its_plain_twin(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["--paths", "-q", "--batch-size", "8", "--model", "resnet8", "--plot", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "p.png") in capsys.readouterr().out


def test_a_wrong_branch_fails(capsys, monkeypatch):
    from minires import kernels

    right = kernels.conv_dx_dw
    monkeypatch.setattr(kernels, "conv_dx_dw", lambda *inputs: (1.001 * right(*inputs)[0], right(*inputs)[1]))
    assert main(["--paths", "-q", "--batch-size", "4", "--model", "resnet8"]) == 1
    assert capsys.readouterr().out.startswith("FAILED: 3 blocks of resnet8")


def test_a_model_in_another_spelling_is_the_same(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "minires.gradcheck.__main__.show_paths", lambda model, *args, **kwargs: asked.append(model) or True
    )
    assert main(["--paths", "--model", "PreAct-ResNet20"]) == 0
    assert main(["--paths", "--model", "resnet9"]) == 0
    assert asked == ["preact_resnet20", "resnet9"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--model", "resnet9"], "there is no model 'resnet9'"), (["--dataset", "nowhere"], "nowhere")],
)
def test_what_cannot_be_shown_is_one_line(arguments, message, capsys):
    assert main(["--paths", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
