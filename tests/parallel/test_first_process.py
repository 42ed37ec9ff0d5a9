"""When the first process ends, forks or gets a signal, no other process is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sharing import SOON, batch, network

from minires.errors import ProcessError
from minires.parallel import Replicas

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

SCRIPT = """
import os, signal, sys, time
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from sharing import batch, here, network, there
from minires.parallel import Replicas
model, N = network(), 6
def hook(*_):
    {hook}
model.bn1.register_forward_hook(hook)
replicas = Replicas(model, 3)
{body}
"""


def pids_after(hook, body):
    """The other processes' numbers, which the script prints before it is killed."""
    code = SCRIPT.format(hook=hook, body=body)
    found = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, timeout=60)
    assert found.returncode == -signal.SIGKILL, found.stderr
    return [int(word) for word in found.stdout.split()]


def is_over(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        (
            "pass",
            "replicas.gradients(*batch(N)); print(*(o.process.pid for o in replicas.workers), flush=True); "
            "os.kill(os.getpid(), 9)",
        ),
        (
            "pid = os.getpid()\n    os.write(1, b'%d ' % pid) if pid != first else (time.sleep(.5), os.kill(pid, 9))",
            "first = os.getpid(); replicas.gradients(*batch(N))",
        ),
        (
            "pid = os.getpid()\n    os.write(1, b'%d ' % pid) if pid != first else (time.sleep(.5), os.kill(pid, 9))",
            "first = os.getpid(); replicas.predict(batch(N)[0])",
        ),
        (
            "pid = os.getpid()\n    if pid != first: os.write(1, b'%d ' % pid); os.kill(pid, signal.SIGSTOP)\n"
            "    else: time.sleep(.5); os.kill(pid, 9)",
            "first = os.getpid(); replicas.gradients(*batch(N))",
        ),
        (
            "pid = os.getpid()\n    os.write(1, b'%d ' % pid) if pid != first else (time.sleep(.5), os.kill(pid, 9))",
            "import threading; first = os.getpid(); threading.Thread(target=replicas.gradients, args=batch(N)).start()",
        ),
    ],
    ids=[
        "between batches",
        "in an all-reduce",
        "while they predict",
        "while they are stopped",
        "in an all-reduce of threads",
    ],
)
def test_no_process_outlives_the_first(hook, body):
    others = pids_after(hook, body)
    assert len(others) == 2
    last = time.monotonic() + SOON
    while not all(map(is_over, others)) and time.monotonic() < last:
        time.sleep(0.01)
    assert all(map(is_over, others))


def test_a_fork_of_the_first_process_is_told_to_make_replicas_of_its_own():
    model = network()
    with Replicas(model, 2) as replicas:
        expected = replicas.gradients(*batch(4))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                for use in (lambda: replicas.gradients(*batch(4)), lambda: replicas.predict(batch(4)[0])):
                    try:
                        use()
                    except ProcessError as error:
                        os.write(writing, f"{error}\n".encode())
                replicas.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        said = os.read(reading, 4096).decode()
        os.close(reading)
        os.close(writing)
        sentence = (
            f"Replicas: these belong to process {os.getpid()}, and this is a fork of it; make new Replicas here\n"
        )
        assert said == 2 * sentence
        assert replicas.gradients(*batch(4)) == expected


def test_signals_that_a_group_gets_are_left_to_the_first_process():
    """Ctrl-C, a closed terminal, a scheduler: the first process finishes its step, and saves."""
    noticed = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: noticed.append(number))
    try:
        with Replicas(network(), 2) as replicas:
            expected = replicas.gradients(*batch(4))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                os.kill(replicas.workers[0].process.pid, number)
            pid = replicas.workers[0].process.pid
            assert replicas.gradients(*batch(4)) == expected
            assert replicas.workers[0].process.pid == pid
    finally:
        signal.signal(signal.SIGUSR1, before)
