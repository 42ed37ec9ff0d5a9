"""Work that is slow, goes on without end or returns too much is ended, and is told which of them it is."""

import json
import os
import sys
import time
import tracemalloc

import pytest
from marks import rows_of


def test_an_endless_loop_ends_with_its_case_and_the_others_go_on(homework, grade):
    status, out = grade(homework("loops_sometimes"), "--like", "relu", "--timeout", "1")
    assert status == 1
    assert "relu (feature map, channels-last): did not finish within 1 s: it was in line" in out
    assert "Is it a loop without end, or only slow? --timeout 3 allows more" in out
    assert "timed out: no case is known to be wrong" in out
    assert "5 of 6 cases passed" in out


def test_two_time_outs_are_enough(homework, grade):
    begin = time.monotonic()
    status, out = grade(homework("loops"), "--like", "relu", "--timeout", "1")
    assert time.monotonic() - begin < 8
    assert status == 1
    assert ", an endless loop: nothing ends the `while` of line " in out
    assert "2 calls did not finish within 1 s; cases not tried: 5" in out
    assert out.endswith("0 of 6 cases passed\n")
    assert "timed out" not in out


SLOW = """
import os, threading, time
import numpy as np

def relu(x):
    time.sleep(0.4)
    return np.maximum(x, 0), lambda dy: dy * (x > 0)

def wrong(x):
    time.sleep(0.4)
    return np.maximum(x, 0), lambda dy: dy

def prints(x):
    while True:
        print("a" * 1000)

class Endless(Exception):
    def __str__(self):
        while True:
            pass

def raises(x):
    raise Endless

def forks(x):
    while True:
        os.fork()

def starts(x):
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()

def asks(x):
    return input("x? ")
"""


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    return lambda name: f"{tmp_path / 'slow.py'}:{name}"


def test_slow_work_is_told_apart_from_wrong_work_and_what_allows_more_is_said(slow, tmp_path, monkeypatch, grade):
    monkeypatch.setattr("minires.gradcheck.grading.session.LONGEST", 1)
    files = ["--csv", tmp_path / "marks.csv", "--gradescope", tmp_path / "results.json", "--timeout", "2"]
    status, out = grade(slow("relu"), "--like", "relu", *files)
    assert status == 1
    assert "its calls took more than 2 s together: it is too slow; --timeout 6 allows three times as much" in out
    assert "timed out: no case is known to be wrong" in out
    (row,) = rows_of(tmp_path / "marks.csv")
    assert (row["status"], row["cases"]) == ("timed out", "6")
    assert int(row["cases_passed"]) < 6
    assert row["said"].startswith("its calls took more than 2 s together")
    tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    assert sum(test["score"] for test in tests) < sum(test["max_score"] for test in tests)
    assert grade(slow("wrong"), "--like", "relu", *files)[0] == 1
    assert rows_of(tmp_path / "marks.csv")[0]["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("prints", "and printed all the time: does it print without end?"),
        ("raises", "in a __str__ that does not end"),
        ("starts", "it may have 64 processes and threads; does it start them without end?"),
        ("asks", "there is no input here; take arguments in place of input()"),
        pytest.param(
            "forks",
            "it may have 64 processes and threads; does it start them without end?",
            marks=pytest.mark.skipif(not hasattr(os, "fork") or sys.platform != "linux", reason="Linux ends them all"),
        ),
    ],
)
def test_what_goes_on_without_end_is_called_what_it_is(slow, grade, name, sentence):
    status, out = grade(slow(name), "--like", "relu", "--timeout", "1")
    assert status == 1
    assert sentence in out


def test_all_calls_together_have_a_deadline_whatever_they_ask(tmp_path, grade):
    (tmp_path / "hw.py").write_text("""
import time
import tracemalloc
class Linear:
    def __init__(self):
        for k in range(60):
            setattr(self, "w" + "_" * k, 1)
    def __getattribute__(self, name):
        if name.strip("_") == "w":
            time.sleep(0.25)
            return object()
        return object.__getattribute__(self, name)
    def forward(self, x): return x
    def backward(self, dy): return dy
""")
    begin = time.monotonic()
    status, out = grade(f"{tmp_path / 'hw.py'}:Linear", "--timeout", "0.3")
    assert status == 1
    assert "timed out" in out
    assert time.monotonic() - begin < 13 * 0.3 + 4


def test_large_answers_are_not_kept(tmp_path, grade):
    (tmp_path / "hw.py").write_text(
        "import numpy as np\nZ = np.broadcast_to(np.uint8(0), (4_000_000,))\n"
        "def linear(x, w, b):\n    return x @ w.T + b, lambda dy: (Z, Z, Z)\ndef relu(x):\n    return Z, lambda dy: Z\n"
    )
    for name, shape in (("linear", "of shape (4000000,) for x"), ("relu", "y has shape (4000000,)")):
        tracemalloc.start()
        status, out = grade(f"{tmp_path / 'hw.py'}:{name}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert status == 1
        assert shape in out
        assert peak < 150e6
