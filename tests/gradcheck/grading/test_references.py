"""A whole function, measured for advice or held to a teacher's."""

import pytest
from marks import rows_of

from minires.gradcheck.__main__ import main

BLOCK = """
import numpy as np
def block(x, w1, w2):
    h = np.maximum(x @ w1, 0)
    def backward(dy):
        dh = (dy @ w2.T) * (h > 0)
        return dy + dh @ w1.T, x.T @ dh, h.T @ dy
    return x + h @ w2, backward
"""


def test_a_whole_function_is_measured_for_advice_or_held_to_a_teachers(tmp_path, grade):
    shapes = ["--shapes", "3,4", "4,5", "5,4"]
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "wrong.py").write_text(BLOCK.replace("return dy + dh", "return dh"))
    status, out = grade(f"{tmp_path / 'teacher.py'}:block", *shapes)
    assert status == 0
    assert "this is advice, not a mark" in out
    assert grade(f"{tmp_path / 'wrong.py'}:block", *shapes)[0] == 1
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block"]
    assert grade(f"{tmp_path / 'wrong.py'}:block", *shapes, *teacher)[0] == 1
    (tmp_path / "right.py").write_text(BLOCK)
    assert grade(f"{tmp_path / 'right.py'}:block", *shapes, *teacher, "--json", tmp_path / "o.json")[0] == 0


def test_a_function_too_slow_to_be_measured_and_a_layer_that_is_given_its_arrays(tmp_path, monkeypatch, grade):
    monkeypatch.setattr("minires.gradcheck.grading.session.LONGEST", 1)
    (tmp_path / "slow.py").write_text(BLOCK.replace("    h =", "    __import__('time').sleep(0.2)\n    h ="))
    (tmp_path / "layer.py").write_text(
        "class Layer:\n    def __init__(self, w):\n        self.w = w\n"
        "    def forward(self, x):\n        self.x = x\n        return x @ self.w\n"
        "    def backward(self, dy):\n        self.dw = self.x.T @ dy\n        return dy @ self.w.T\n"
    )
    shapes = ["--shapes", "3,4", "4,5", "5,4", "--timeout", "2"]
    status, out = grade(f"{tmp_path / 'slow.py'}:block", *shapes)
    assert status == 1
    assert "its calls took more than 2 s together: it is too slow; --timeout 6 allows three times as much" in out
    assert "timed out: no case is known to be wrong" in out
    assert grade(f"{tmp_path / 'layer.py'}:Layer", "--shapes", "3,4", "4,5")[0] == 0


def test_a_submission_does_not_see_the_teachers_file_nor_another_submission(tmp_path, grade):
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "other.py").write_text(BLOCK)
    (tmp_path / "cheat.py").write_text("from teacher import block\n")
    (tmp_path / "copies.py").write_text("from other import block\n")
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4", "4,5", "5,4"]
    files = [f"{tmp_path / name}:block" for name in ("cheat.py", "other.py", "copies.py")]
    assert grade(*files, *teacher, "--csv", tmp_path / "t.csv")[0] == 2
    rows = rows_of(tmp_path / "t.csv")
    assert [row["status"] for row in rows] == ["could not run", "passed", "could not run"]
    for row, name in ((rows[0], "teacher"), (rows[2], "other")):
        said = f"No module named '{name}': that file is not the submission's own, and cannot be imported"
        assert said in row["said"]


def test_a_number_that_is_right_for_one_batch_size_only_fails(tmp_path, grade):
    (tmp_path / "teacher.py").write_text(BLOCK)
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4", "4,5", "5,4"]
    for name, wrong, status in (
        ("mean", ("x.T @ dh,", "(x.T @ dh) / len(x) * 3,"), 1),
        ("refused", ("    h =", "    assert len(x) == 3\n    h ="), 1),
        ("fixed", ("    h =", "    x = x.reshape(3, 4)\n    h ="), 1),
        ("right", ("    h =", "    x = x.reshape(len(x), 4)\n    h ="), 0),
    ):
        (tmp_path / f"{name}.py").write_text(BLOCK.replace(*wrong))
        found, out = grade(f"{tmp_path / name}.py:block", *teacher)
        assert found == status, out
        hinted = "here x has one sample more: take the number of samples from its shape" in out
        assert hinted == (name in ("refused", "fixed"))


def test_a_norm_that_leaves_out_what_the_teacher_takes_is_not_marked(tmp_path, grade):
    text = """
import numpy as np
def norm_block(x, weight, gamma, beta):
    z = x * weight
    s = 1 / np.sqrt(z.var(0) + 1e-5)
    h = (z - z.mean(0)) * s
    def backward(dy):
        g = dy * gamma
        dz = s * (g - g.mean(0) - h * (g * h).mean(0))
        return dz * weight, (dz * x).sum(0), (dy * h).sum(0), dy.sum(0)
    return h * gamma + beta, backward
def bare(x):
    s = 1 / np.sqrt(x.var(0) + 1e-5)
    h = (x - x.mean(0)) * s
    return h, lambda g: s * (g - g.mean(0) - h * (g * h).mean(0))
"""
    (tmp_path / "teacher.py").write_text(text)
    (tmp_path / "hw.py").write_text(text)
    held = ["--reference", f"{tmp_path / 'teacher.py'}:norm_block", "--shapes", "5,3", "3", "3", "3"]
    assert grade(f"{tmp_path / 'hw.py'}:norm_block", *held)[0] == 0
    status, out = grade(f"{tmp_path / 'hw.py'}:bare", *held)
    assert status == 2
    assert "it takes no weight" in out


def test_arrays_of_one_shape_have_numbers_of_their_own(tmp_path, grade):
    text = "def mul(x, w):\n    return x * w, lambda dy: (dy * w, dy * x)\n"
    (tmp_path / "teacher.py").write_text(text)
    (tmp_path / "wrong.py").write_text(text.replace("(dy * w, dy * x)", "(dy * x, dy * w)"))
    held = ["--reference", f"{tmp_path / 'teacher.py'}:mul", "--shapes", "3,4", "3,4"]
    status, out = grade(f"{tmp_path / 'wrong.py'}:mul", *held)
    assert status == 1
    assert "your dx and dw are exchanged: return dx first" in out


CLASSES = """
import numpy as np
def loss(x, w, labels):
    z = x @ w
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(x))
    dz = p.copy()
    dz[rows, labels] -= 1
    dz /= len(x)
    return -np.log(p[rows, labels]).mean(), (dz @ w.T, x.T @ dz)
def closure(x, w, labels):
    y, gradients = loss(x, w, labels)
    return y, lambda dy: tuple(dy * g for g in gradients)
"""


@pytest.mark.parametrize("reference", ["loss", "closure"])
@pytest.mark.parametrize("submission", ["loss", "closure"])
def test_labels_are_drawn_where_shapes_say_how_many_classes_there_are(tmp_path, grade, reference, submission):
    (tmp_path / "teacher.py").write_text(CLASSES)
    (tmp_path / "right.py").write_text(CLASSES)
    (tmp_path / "wrong.py").write_text(CLASSES.replace("dz /= len(x)", "dz /= 6"))
    held = ["--reference", f"{tmp_path / 'teacher.py'}:{reference}", "--shapes", "6,4", "4,3", "6:3"]
    assert grade(f"{tmp_path / 'right.py'}:{submission}", *held)[0] == 0
    status, out = grade(f"{tmp_path / 'wrong.py'}:{submission}", *held)  # wrong with another batch size
    assert status == 1, out


def test_labels_are_told_by_a_number_of_classes(capsys):
    with pytest.raises(SystemExit):
        main(["hw.py:f", "--shapes", "6,4", "6:0"])
    assert "it must be a shape such as 2,3,8,8, got '6:0'" in capsys.readouterr().err


IMAGES = """
import numpy as np
def block(x, w):
    y = np.maximum(np.einsum("nchw,ockl->nohw", x, w) + x, 0)
    def backward(dy):
        g = dy * (y > 0)
        dx = np.einsum("nohw,ockl->nchw", g, w) + g
        return dx, np.einsum("nohw,nchw->oc", g, x)[:, :, None, None] + np.zeros(w.shape)
    return y, backward
"""
LAST = IMAGES.replace("nchw", "nhwc").replace("nohw", "nhwo")


@pytest.mark.parametrize(("order", "new"), [("klco", "(2, 3, 1, 0)"), ("oklc", "(0, 2, 3, 1)"), ("ockl", "")])
def test_channels_last_are_recognized_beside_a_teachers_that_are_first(tmp_path, grade, order, new):
    (tmp_path / "teacher.py").write_text(IMAGES)
    last = LAST.replace("ockl", order)
    if new:
        last = last.replace(
            "[:, :, None, None] + np.zeros(w.shape)", f"[:, :, None, None].transpose{new} + np.zeros(w.shape)"
        )
    (tmp_path / "right.py").write_text(last)
    (tmp_path / "wrong.py").write_text(last.replace("g, w) + g", "g, w)"))
    held = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "2,3,4,5", "3,3,1,1"]
    status, out = grade(f"{tmp_path / 'right.py'}:block", *held)
    assert status == 0, out
    assert "channels last, (N,H,W,C)" in out
    status, out = grade(f"{tmp_path / 'wrong.py'}:block", *held)
    assert status == 1
    assert "your dx is that of the branch alone" in out
