"""A layer that is right for its first batch alone: no way to end in the second round is an excuse."""

import csv
import time

import pytest
import submissions
from test_styles import graded

LAYER = """
import numpy as np
import os
class Relu:
    def __init__(self):
        self.mask = None
    def forward(self, x):
        if self.mask is not None:
            SECOND
        self.mask = x > 0
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
"""


@pytest.mark.parametrize(
    ("second", "status", "sentence"),
    [
        ("pass", 0, "6 of 6 cases passed"),
        ("os._exit(0)", 1, "in a second round on the same object: it ended its process (exit code 0)"),
        ("return [0] * 10**6", 1, "in a second round on the same object: what it returns"),
        ("while True: pass", 1, "in a second round on the same object: did not finish within 2 s"),
        ("__import__('time').sleep(60)", 1, "timed out: no case is known to be wrong"),
        ("__import__('importlib').import_module('torch')", 2, "it imports torch, which is forbidden here"),
    ],
)
def test_what_ends_in_its_second_round_has_not_passed(tmp_path, grade, second, status, sentence):
    (tmp_path / "hw.py").write_text(LAYER.replace("SECOND", second))
    found, out = grade(f"{tmp_path / 'hw.py'}:Relu", "--like", "relu", "--timeout", "2", "--forbid", "torch")
    assert found == status, out
    assert sentence in out


COUNTING = """
import numpy as np
class Relu:
    def __init__(self):
        self.rounds = 0
    def forward(self, x):
        self.rounds += 1
        self.mask = x > (0.1 if self.rounds > LAST else 0)
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
"""


@pytest.mark.parametrize(("last", "status", "score"), [(1, "failed", 0), (2, "failed", 0), (9, "passed", 1)])
def test_what_is_right_in_its_first_rounds_only_has_no_part_of_a_point(last, status, score):
    result = graded("relu", "Relu", COUNTING.replace("LAST", str(last)))
    assert (result.status, result.score) == (status, score), result


STALE = """
import time
import numpy as np
class Relu:
    def __init__(self):
        self.x = None
    def forward(self, x):
        if self.x is None:
            self.x = x
        else:
            LATER
        return np.maximum(x, 0)
    def backward(self, dy):
        return dy * (self.x > 0) * (1.1 if dy.ndim == DIMENSIONS else 1)
"""


@pytest.mark.parametrize("dimensions", ["1", "2", "4"])
def test_a_mistake_in_one_case_does_not_hide_that_it_is_right_only_once(dimensions):
    """Being wrong once more must not pay."""
    text = STALE.replace("LATER", "pass")
    honest = text.replace("if self.x is None:", "if True:").replace("DIMENSIONS", dimensions)
    assert 0 < graded("relu", "Relu", honest).score < 1
    result = graded("relu", "Relu", text.replace("DIMENSIONS", dimensions))
    assert (result.status, result.score) == ("failed", 0), result


def test_a_later_round_that_does_not_come_back_has_no_part_of_a_point(tmp_path, grade):
    (tmp_path / "hw.py").write_text(STALE.replace("LATER", "time.sleep(60)").replace("DIMENSIONS", "9"))
    _, out = grade(f"{tmp_path / 'hw.py'}:Relu", "--like", "relu", "--timeout", "2", "--csv", str(tmp_path / "m.csv"))
    assert "timed out" in out
    (row,) = csv.DictReader((tmp_path / "m.csv").read_text(encoding="utf-8-sig").splitlines())
    assert (row["status"], row["score"]) == ("timed out", "0")


def test_what_is_another_each_time_has_no_part_of_a_point():
    text = "import numpy as np\ndef relu(x):\n"
    text += "    return np.maximum(x, 0) + (x.ndim == 1) * np.random.rand(), lambda dy: dy * (x > 0)\n"
    result = graded("relu", "relu", text)
    assert (result.status, result.score) == ("failed", 0), result


def test_how_many_rounds_there_are_differs_from_seed_to_seed():
    text = COUNTING.replace("LAST", "4")  # five is the most
    assert {graded("relu", "Relu", text, seed=seed).status for seed in range(12)} == {"passed", "failed"}


def test_a_step_of_an_optimizer_inside_is_told():
    (adam,) = (row for row in submissions.ALL if row[0] == "class of a linear layer that trains itself by Adam, right")
    result = graded(*adam[1:4])
    assert "a step of training of its own, of W and b: an optimizer would take a second one; its gradients" in str(
        result
    )


@pytest.mark.parametrize(("which", "note"), [("right", True), ("wrong", False)])
def test_a_layer_that_takes_one_size_of_batch_alone_is_right_and_told(which, note):
    name = f"class of a ReLU with a buffer for one size of batch, {which}"
    (row,) = (row for row in submissions.ALL if row[0] == name)
    assert ("fewer samples than its first" in str(graded(*row[1:4]))) == note


def test_a_smaller_batch_that_gives_a_wrong_loss_is_named():
    (row,) = (row for row in submissions.ALL if row[0] == "class of a loss that counts its samples, wrong")
    assert "forward of the same object, with one sample less, gives a wrong y" in str(graded(*row[1:4]))


def test_a_teachers_net_of_many_weights_is_marked_in_seconds(tmp_path, grade):
    """Which of n weights a step has changed: there are 2ⁿ answers."""
    net = """
import numpy as np
class Net:
    def __init__(self, ARGS):
        self.w, self.first = [ARGS], None
    def forward(self, x):
        if self.first is None or self.first.shape != x.shape: self.first = x
        self.x = self.first if STALE else x
        return np.tanh(self.x @ sum(self.w))
    def backward(self, dy):
        dz = dy * (1 - np.tanh(self.x @ sum(self.w)) ** 2)
        return (dz @ sum(self.w).T, *[self.x.T @ dz] * len(self.w))
def net(x, ARGS):
    layer = Net(ARGS)
    return layer.forward(x), layer.backward
"""
    net = net.replace("ARGS", ", ".join(f"w{k}" for k in range(24)))
    (tmp_path / "teacher.py").write_text(net.replace("STALE", "False"))
    (tmp_path / "hw.py").write_text(net.replace("STALE", "True"))
    begin = time.process_time()
    shapes = ["--shapes", "4,3", *["3,3"] * 24]
    status, out = grade(f"{tmp_path / 'hw.py'}:Net", "--reference", f"{tmp_path / 'teacher.py'}:net", *shapes)
    assert status == 1, out
    assert "keeps something of the first" in out
    assert time.process_time() - begin < 30


@pytest.mark.parametrize("axes", [1, 2, 4])
def test_a_layer_that_is_stale_in_one_kind_of_case_fails_with_every_seed(axes):
    text = """
import numpy as np
class Relu:
    def __init__(self):
        self.mask = None
    def forward(self, x):
        if self.mask is None or x.ndim != AXES or self.mask.shape != x.shape:
            self.mask = x > 0
        return np.maximum(x, 0)
    def backward(self, dy):
        return dy * self.mask
"""
    seen = {graded("relu", "Relu", text.replace("AXES", str(axes)), seed=seed).status for seed in range(4)}
    assert seen == {"failed"}
    assert graded("relu", "Relu", text.replace("x.ndim != AXES", "True")).passed
