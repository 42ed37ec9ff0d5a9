"""What docs/marking.md shows does what it says."""

import re
import shlex
from pathlib import Path

import pytest
from submissions import CONV, IMPORT
from submissions.mistakes import FIRST
from test_styles import graded

from minires import gradcheck

PAGE = (Path(__file__).parents[3] / "docs" / "marking.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^minires gradcheck (.*?)(?: +#.*)?$", PAGE, re.MULTILINE)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_convolution_of_the_page_passes_but_for_what_it_does_not_take(page, grade):
    status, out = grade(*shlex.split(COMMANDS[0]))
    assert status == 0, out
    assert "passed over: it takes no padding" in out


def test_the_classifier_of_the_page_is_held_to_itself_and_a_mistake_in_it_is_seen(page, grade):
    (command,) = (words for words in COMMANDS if "6:3" in words)
    (page / "homework.py").write_text(FILES["classifier.py"])
    status, out = grade(*shlex.split(command))
    assert status == 0, out
    (page / "homework.py").write_text(FILES["classifier.py"].replace("-= 1", "+= 1"))
    assert grade(*shlex.split(command))[0] == 1


RELU = """
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out
    def backward(self, dout):
        dout[self.mask] = 0
        return dout
"""
DROPOUT = """
class Dropout:
    def __init__(self, dropout_ratio=0.5):
        self.dropout_ratio = dropout_ratio
    def forward(self, x, train_flg=True):
        if train_flg:
            self.mask = np.random.rand(*x.shape) > self.dropout_ratio
            return x * self.mask
        return x * (1.0 - self.dropout_ratio)
    def backward(self, dout):
        return dout * self.mask
"""
EACH = "mask = window == y[:, :, i, j][:, :, None, None]"
ALL_EQUAL = FIRST.partition(EACH)[0] + EACH + "\n                dx[" + FIRST.partition(EACH)[2].partition("dx[")[2]
PARTS = "mask = mask / mask.sum((2, 3), keepdims=True)"
ROWS = "padding:padding + H, padding:padding + W"
CUT = CONV.replace(ROWS, "padding:-padding, padding:-padding")
SCALED = [
    ("self.mask = np.random.rand(*x.shape) > self.dropout_ratio", "self.mask = (np.random.rand(*x.shape) > self.dropout_ratio) / (1 - self.dropout_ratio)"),
    ("return x * (1.0 - self.dropout_ratio)", "return x"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("like", "target", "source", "remedy", "said"),
    [
        ("relu", "Relu", RELU, [("dout[self.mask] = 0", "dout = dout * ~self.mask")], "it changes dout, which it is given"),
        ("dropout", "Dropout", DROPOUT, SCALED, "divide what is kept by 1 − dropout_ratio in training"),
        ("max_pool2d", "max_pool", ALL_EQUAL, [(EACH, f"{EACH}; {PARTS}")], "give it to the first of them"),
        ("conv2d", "conv2d", CUT, [("padding:-padding, padding:-padding", ROWS)], "is empty when the padding"),
    ],
)  # fmt: skip
def test_forms_of_courses_fail_as_the_page_says(like, target, source, remedy, said):
    result = graded(like, target, IMPORT + source)
    assert result.status == "failed"
    assert said in str(result)
    for old, new in remedy:
        assert old in source
        source = source.replace(old, new)
    assert graded(like, target, IMPORT + source).passed


def test_only_the_relu_of_the_courses_passes_where_numbers_count():
    assert graded("relu", "Relu", IMPORT + RELU, numbers_only=True).passed
    assert not graded("max_pool2d", "max_pool", IMPORT + ALL_EQUAL, numbers_only=True).passed


NET = """
import numpy as np
class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=1e-4):
        self.params = {"W1": std * np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size)}
        self.params |= {"W2": std * np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size)}
    def loss(self, X, y=None, reg=0.0):
        p = self.params
        h = np.maximum(X @ p["W1"] + p["b1"], 0)
        scores = h @ p["W2"] + p["b2"]
        e = np.exp(scores - scores.max(1, keepdims=True))
        probs = e / e.sum(1, keepdims=True)
        d = probs.copy()
        d[np.arange(len(X)), y] -= 1
        d /= len(X)
        dh = (d @ p["W2"].T) * (h > 0)
        grads = {"W2": h.T @ d, "b2": d.sum(0), "W1": X.T @ dh, "b1": dh.sum(0)}
        return -np.log(probs[np.arange(len(X)), y]).mean(), grads
"""


def test_the_function_around_a_net_with_a_loss_is_marked():
    def loss(text):
        names = {}
        exec(text + FILES["net.py"], names)
        return names["loss"]

    shapes = ["6,4", "4,5", "5", "5,3", "3", "6:3"]
    right = gradcheck.grade(loss(NET), reference=loss(NET), shapes=shapes, seed=1)
    assert right.passed, right
    assert "the reference gives no dx, so none was asked for" in str(right)
    wrong = gradcheck.grade(loss(NET.replace("* (h > 0)", "")), reference=loss(NET), shapes=shapes, seed=1)
    assert wrong.status == "failed"
