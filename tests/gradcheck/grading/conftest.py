"""What the tests of marking share: a homework, the command that marks it, and the walls of its box."""

import pytest
from boxes import walls  # noqa: F401 - a fixture

from minires.gradcheck.__main__ import main

HOMEWORK = """
import functools
import os
import sys
import numpy as np
import neighbour

print("this is not shown")

def right_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0)

def wrong_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > -0.5)

def other_relu(x):
    return np.maximum(x, 0.1 * x), lambda dy: dy * np.where(x > 0, 1, 0.1)

def relu_backward(dy, x):
    return dy * (x > 0)

def doubled(x):
    return np.tanh(x), lambda dy: 2 * dy * (1 - np.tanh(x) ** 2)

class Relu:
    def __call__(self, x):
        return right_relu(x)

instance = Relu()
partial_relu = functools.partial(lambda x, slope: (np.maximum(x, slope * x), lambda dy: dy * np.where(x > 0, 1, slope)),
                                 slope=0)

def seven(x):
    return np.maximum(np.append(x, x[:3]), 0) if x.shape == (4,) else np.maximum(x, 0), lambda dy: (
        dy[:4] * (x > 0) if x.shape == (4,) else dy * (x > 0))

def loops(x):
    while True:
        pass

def loops_sometimes(x):
    y = np.maximum(x, 0)
    while x.ndim == 4:
        pass
    return y, lambda dy: dy * (x > 0)

def leaves(x):
    os._exit(3)

def exits(x):
    sys.exit("enough")

def raises(x):
    return np.maximum(x, 0), lambda dy: dy * undefined

def gives_one(x):
    return np.maximum(x, 0)

def gives_nan(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0) * np.nan

def gives_none(x):
    return np.maximum(x, 0), lambda dy: None

def in_place(x):
    def backward(dy):
        dy[x <= 0] = 0
        return dy
    return np.maximum(x, 0), backward
"""


@pytest.fixture
def homework(tmp_path):
    """homework(name): what names this function of HOMEWORK on the command line."""
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "homework.py").write_text(HOMEWORK)
    return lambda name: f"{tmp_path / 'homework.py'}:{name}"


@pytest.fixture
def grade(capsys):
    """grade(*arguments): the status of the command that marks, and what it prints."""

    def run(*arguments):
        status = main([*map(str, arguments), "--samples", "1"])
        return status, capsys.readouterr().out

    return run
