"""What is said of a net or a residual block that is held to a teacher's: a mask that is missing, an order."""

import pytest

from minires import gradcheck
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.source import Cell, Source

TEACHER = """
import numpy as np

def relu(a):
    return np.maximum(a, 0)

def net(x, w1, w2, w3):
    a1 = x @ w1
    h1 = relu(a1)
    a2 = h1 @ w2
    h2 = relu(a2)
    def backward(dy):
        d2 = dy @ w3.T * (a2 > 0)
        d1 = d2 @ w2.T * (0 < a1)
        return d1 @ w1.T, x.T @ d1, h1.T @ d2, h2.T @ dy
    return h2 @ w3, backward

def net_forward(x, w1, w2, w3):
    return net(x, w1, w2, w3)

def net_backward(dout, cache):
    return cache(dout)

class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)
    def backward(self, dy):
        return np.where(self.mask, 0, dy)

class Block:
    def __init__(self, w1, w2):
        self.w1, self.w2 = w1, w2
    def forward(self, x):
        self.x, self.relu = x, Relu()
        self.h = relu(x @ self.w1)
        return self.relu.forward(x + self.h @ self.w2)
    def backward(self, dy):
        g = self.relu.backward(dy)
        dh = g @ self.w2.T
        dh[self.h == 0] = 0
        self.dw1, self.dw2 = self.x.T @ dh, self.h.T @ g
        return g + dh @ self.w1.T
"""
NET = [(5, 4), (4, 6), (6, 7), (7, 3)]
BLOCK = [(5, 4), (4, 6), (6, 4)]
INSIDE = "your gradients miss the mask of a ReLU: where the forward has h = relu(a)"
LAST = "the ReLU's mask is missing, begin with dy = dy * (y > 0)"


def functions(text, names, file):
    child = Local(Source(None, [Cell(file, text)]))
    child.load()
    found = [child.names[name] for name in names.split(",")]
    return found if len(found) > 1 else found[0]


def graded(names, shapes, right="", wrong=""):
    assert right in TEACHER
    mine = functions(TEACHER.replace(right, wrong) if right else TEACHER, names, "homework.py")
    return gradcheck.grade(mine, reference=functions(TEACHER, names, "teacher.py"), shapes=shapes, seed=1)


@pytest.mark.parametrize(
    ("names", "shapes", "right", "wrong", "hint"),
    [
        ("net", NET, "* (a2 > 0)", "", INSIDE),
        ("net", NET, "* (0 < a1)", "", INSIDE),
        ("net_forward,net_backward", NET, "* (0 < a1)", "", INSIDE),
        ("Block", BLOCK, "dh[self.h == 0] = 0", "pass", INSIDE),
        ("Block", BLOCK, "np.where(self.mask, 0, dy)", "dy", LAST),
        ("net", NET, "x.T @ d1, h1.T @ d2", "h1.T @ d2, x.T @ d1", "your dw1 and dw2 are exchanged: return dw1 first"),
    ],
)
def test_what_is_missing_inside_is_told(names, shapes, right, wrong, hint):
    assert graded(names, shapes).passed
    result = graded(names, shapes, right, wrong)
    assert result.status == "failed"
    assert hint in str(result)


@pytest.mark.parametrize(
    ("names", "shapes", "right", "wrong"),
    [
        ("net", NET, "(a2 > 0)", "(a2 > 0.5)"),
        ("net", NET, "* (0 < a1)", "* 2"),
        ("net", NET, "x.T @ d1", "x.T @ d1 * 2"),
        ("Block", BLOCK, "dh[self.h == 0] = 0", "dh[self.h > 0] = 0"),
    ],
)
def test_a_mask_that_is_another_is_not_said_to_be_missing(names, shapes, right, wrong):
    said = str(graded(names, shapes, right, wrong))
    assert "is wrong" in said
    assert "mask" not in said


def test_the_teachers_function_is_left_as_it_is():
    teacher = functions(TEACHER, "net", "teacher.py")
    wrong = functions(TEACHER.replace("* (a2 > 0)", ""), "net", "homework.py")
    for _ in range(2):
        assert INSIDE in str(gradcheck.grade(wrong, reference=teacher, shapes=NET, seed=1))
        assert gradcheck.grade(teacher, reference=teacher, shapes=NET, seed=1).passed
