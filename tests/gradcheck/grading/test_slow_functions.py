"""gradcheck.grade ends a function of a notebook that does not end, in the words of the command."""

import signal
import threading
import time

import numpy as np
import pytest

from minires import gradcheck
from minires.errors import OptionError


def relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0)


def endless(x):
    while True:
        pass


def endless_backward(x):
    def backward(dy):
        k = 0
        while k >= 0:
            k += 1
        return dy

    return np.maximum(x, 0), backward


def stubborn(x):
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            x = x + 1


def asleep(x):
    time.sleep(30)
    return relu(x)


class Second:
    """A layer whose second forward does not end."""

    mask = None

    def forward(self, x):
        while self.mask is not None:
            pass
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


@pytest.mark.parametrize(
    ("function", "status", "said"),
    [
        (relu, "passed", "6 of 6 cases passed"),
        (
            endless,
            "failed",
            "did not finish within 0.3 s: it was in line 19 of test_slow_functions.py, an endless loop",
        ),
        (endless_backward, "timed out", "Is it a loop without end, or only slow? timeout=0.9 allows more"),
        (stubborn, "timed out", "did not finish within 0.3 s"),
        (asleep, "timed out", "of test_slow_functions.py. Is it a loop without end, or only slow? timeout=0.9"),
        (Second, "timed out", "in a second round on the same object: did not finish within 0.3 s"),
    ],
)
def test_what_does_not_end_is_ended(function, status, said):
    begin = time.monotonic()
    result = gradcheck.grade(function, like="relu", seed=1, timeout=0.3)
    assert time.monotonic() - begin < 20
    assert result.status == status, result
    assert said in str(result)


def test_a_thread_ends_it_where_no_signal_can_come():
    found = []
    thread = threading.Thread(target=lambda: found.append(gradcheck.grade(endless, like="relu", timeout=0.3)))
    thread.start()
    thread.join(30)
    assert found[0].status == "failed"
    assert "an endless loop: nothing ends the `while` of line" in str(found[0])


def test_an_alarm_of_the_caller_is_left_as_it_was():
    if not hasattr(signal, "setitimer"):
        pytest.skip("signals are POSIX's")
    rung = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        assert gradcheck.grade(relu, like="relu", timeout=5).passed
        time.sleep(1.1)
        assert rung == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_is_measured_by_differences_is_ended_too():
    result = gradcheck.grade(endless, shapes=[(3, 4)], timeout=0.3)
    assert result.status == "could not run"
    assert "an endless loop" in str(result)


def test_a_time_out_is_positive_or_none():
    with pytest.raises(OptionError, match="timeout is 0: give the seconds for each call, or None for no limit"):
        gradcheck.grade(relu, like="relu", timeout=0)
    assert gradcheck.grade(relu, like="relu", timeout=None).passed
