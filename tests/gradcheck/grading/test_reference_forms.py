"""A teacher's own solution may be a function, a pair or a class, as a submission may."""

import pytest

from minires.gradcheck.__main__ import main

TEACHER = """
import numpy as np
def block(x, w):
    y = np.maximum(x + x * w, 0)
    def backward(dy):
        g = dy * (y > 0)
        return g + g * w, (g * x).sum(0)
    return y, backward
def block_forward(x, w):
    return block(x, w)
def block_backward(dout, cache):
    return cache(dout)
def last_forward(x, w):
    global last
    y, last = block(x, w)
    return y
def last_backward(dy):
    return last(dy)
class Block:
    def __init__(self, w):
        self.w = w
    def forward(self, x):
        y, self.back = block(x, self.w)
        return y
    def backward(self, dy):
        dx, self.dw = self.back(dy)
        return dx
class Sized(Block):
    def __init__(self, dim):
        self.w, self.dw = np.ones(dim), np.zeros(dim)
class OfDict:
    def __init__(self, num_features, eps=1e-5):
        self.running_mean = np.zeros(num_features)
        self.params, self.grads = {"w": np.ones(num_features)}, {}
    def forward(self, x):
        y, self.back = block(x, self.params["w"])
        return y
    def backward(self, dy):
        dx, self.grads["w"] = self.back(dy)
        return dx
class Wrong(Block):
    def backward(self, dy):
        return 2 * super().backward(dy)
"""
REFERENCES = ["block", "block_forward,block_backward", "last_forward,last_backward", "Block", "Sized", "OfDict"]


@pytest.fixture
def teacher(tmp_path):
    (tmp_path / "teacher.py").write_text(TEACHER)
    (tmp_path / "wrong.py").write_text(TEACHER.replace("g + g * w", "g * w"))
    return tmp_path / "teacher.py"


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("submission", REFERENCES)
def test_every_form_of_a_submission_is_held_to_every_form_of_a_reference(teacher, capsys, reference, submission):
    held = ["--reference", f"{teacher}:{reference}", "--shapes", "3,4", "4", "-q"]
    assert main([f"{teacher}:{submission}", *held]) == 0, capsys.readouterr().out
    assert main([f"{teacher.parent / 'wrong.py'}:{submission}", *held]) == 1
    assert "your dx is that of the branch alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reference", "shapes", "said"),
    [
        ("Wrong", ["3,4", "4"], "the reference itself does not pass the check"),
        ("Block", ["3,4"], "the reference Block cannot be called: it takes x, w, and --shapes gives 1 arrays"),
        ("Sized", ["3,4"], "the reference Sized cannot be called: it takes x, w, and --shapes gives 1 arrays"),
        ("a,b,c", ["3,4"], "which function? Write FILE.py:FUNCTION, FILE.py:F,G or FILE.py:CLASS"),
        ("block_forward,other", ["3,4"], "there is no function 'other'"),
    ],
)
def test_a_reference_that_is_none_is_refused_once(teacher, capsys, reference, shapes, said):
    assert main([f"{teacher}:block", "--reference", f"{teacher}:{reference}", "--shapes", *shapes]) == 2
    assert said in capsys.readouterr().err
