"""A process as the first one sees it: whether it runs, how it ended, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sharing import batch, here, network, there

from minires.errors import GraphError, ProcessError
from minires.parallel import Replicas, process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (0, "ended by itself (exit status 0)"),
        (3, "ended by itself (exit status 3)"),
        (None, "ended by itself (exit status None)"),
        (-signal.SIGTERM, "was ended by SIGTERM"),
        (-signal.SIGKILL, "was ended by SIGKILL, as Linux does when memory runs out"),
        (-(signal.SIGRTMIN + 6), f"was ended by signal {signal.SIGRTMIN + 6}"),
    ],
)
def test_the_way_a_process_ended_is_said(status, sentence):
    assert process._describe_end(status) == sentence


def test_a_process_of_any_name_is_looked_at(tmp_path):
    """The system writes the name between the number and the state, with whatever brackets are in it."""
    (tmp_path / "a) Z 1 2").symlink_to("/bin/sleep")
    sleeping = subprocess.Popen([tmp_path / "a) Z 1 2", "60"])
    try:
        deadline = time.monotonic() + 10
        while (state := process._state(sleeping.pid)[0]) != "S" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert state == "S"
    finally:
        sleeping.kill()
        sleeping.wait()


def worker_in_state(monkeypatch, *state):
    """A Worker of a process that the system describes so."""
    monkeypatch.setattr(process, "_state", lambda pid: state)
    return process.Worker(SimpleNamespace(pid=1, name="minires replica 1"), None, None)


def wait_for(other, seconds):
    """What happens while it is waited for so long, with ten checks a second."""
    for _ in range(round(10 * seconds)):
        other.checked_at -= 0.1
        other.check_alive()


@pytest.mark.parametrize("letter", ["T", "t"])
def test_a_process_that_is_stopped_is_given_up_soon(monkeypatch, letter):
    other = worker_in_state(monkeypatch, letter, ("1", "2"))
    wait_for(other, 4)
    with pytest.raises(ProcessError, match="minires replica 1 is stopped, by a signal or a debugger"):
        wait_for(other, 4)


def test_a_process_that_waits_is_given_up_after_a_minute(monkeypatch):
    other = worker_in_state(monkeypatch, "S", ("1", "2"))
    wait_for(other, 50)
    with pytest.raises(ProcessError, match="minires replica 1 waits for something that does not come"):
        wait_for(other, 20)


def test_new_work_is_waited_for_from_its_own_beginning(monkeypatch):
    """Whether it has used a processor in between does not matter."""
    other = worker_in_state(monkeypatch, "T", ("1", "2"))
    for _ in range(3):
        wait_for(other, 4)
        other.restart_clock()


def test_time_for_which_the_first_process_was_stopped_does_not_count(monkeypatch):
    """After Ctrl-Z and fg all processes have been stopped, and none of them is to blame."""
    other = worker_in_state(monkeypatch, "S", ("1", "2"))
    wait_for(other, 1)
    for _ in range(3):
        other.checked_at -= 1000
        other.check_alive()


def test_a_process_of_which_the_system_says_nothing_is_not_given_up():
    with_no_process = 2**22 + 1  # beyond the numbers that Linux gives
    assert process._state(with_no_process) != process._state(with_no_process)


def test_a_process_that_is_just_ending_is_waited_for_until_its_status_is_known(monkeypatch):
    """Its socket is closed a moment before the system knows how it ended."""
    ending = SimpleNamespace(name="minires replica 1", exitcode=None)
    ending.join = lambda seconds: setattr(ending, "exitcode", 3)
    with pytest.raises(ProcessError, match=r"minires replica 1 ended by itself \(exit status 3\)"):
        process.Worker(ending, None, None)._raise_ended()


def test_closing_waits_for_no_process_and_kills_none():
    model = network()
    with Replicas(model, 3) as replicas:
        replicas.gradients(*batch(6))
        others = [worker.process for worker in replicas.workers]
        began = time.monotonic()
    assert time.monotonic() - began < process.STOP_SECONDS
    assert [other.exitcode for other in others] == [0, 0]


def test_processes_that_wait_in_an_all_reduce_leave_it_when_the_first_fails():
    model = network()

    def fail():
        time.sleep(0.3)  # the others have come to the first batch norm
        raise ZeroDivisionError

    remove = model.bn1.register_forward_hook(here(fail))
    others = []
    model.conv1.register_forward_hook(here(lambda: others.extend(worker.process for worker in replicas.workers)))
    with Replicas(model, 3) as replicas:
        with pytest.raises(ZeroDivisionError):
            replicas.gradients(*batch(6))
        remove()
    assert [other.exitcode for other in others] == [0, 0]


def sockets():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir() if path.is_socket())  # Python leaves pipes


def test_another_process_holds_its_own_end_and_those_of_no_other():
    """With a copy of another's, it would hide the end of the first process from that one."""

    def count():
        raise ValueError(f"{len(sockets())} sockets")

    model = network()
    before = len(sockets())
    model.bn1.register_forward_hook(there(count, rank=3))
    with Replicas(model, 4) as replicas, pytest.raises(ValueError, match=f"^{before + 1} sockets$"):
        replicas.gradients(*batch(8))


def test_no_socket_and_no_blocked_signal_is_left(monkeypatch):
    def left():
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert not blocked & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        return sockets()

    def refuse():
        raise BlockingIOError("no more processes")

    before = left()
    with Replicas(network(), 3) as replicas:
        replicas.gradients(*batch(6))
    assert left() == before
    monkeypatch.setattr(os, "fork", refuse)
    with Replicas(network(), 3) as replicas, pytest.warns(RuntimeWarning, match="another process: no more processes"):
        replicas.gradients(*batch(6))
    assert left() == before


class OddError(Exception):
    """It cannot be made again from its message alone, as pickle does."""

    def __init__(self, number, place):
        super().__init__(f"{number} at {place}")


def test_an_error_that_cannot_be_sent_is_told_in_its_words():
    def fail():
        raise OddError(7, "conv1")

    model = network()
    model.bn1.register_forward_hook(there(fail))
    with Replicas(model, 2) as replicas, pytest.raises(GraphError, match="OddError: 7 at conv1"):
        replicas.gradients(*batch(4))
