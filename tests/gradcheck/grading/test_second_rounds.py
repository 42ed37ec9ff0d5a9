"""A layer that is right for its first batch alone: no way to end in the second round is an excuse."""

import pytest

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
