"""A box has deadlines and limits, and ends with everything that it has started."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from boxes import nothing_left, opened, processes, source

from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box, Limits
from minires.gradcheck.grading.errors import EndedError, GarbledError, RaisedError, TimedOutError


def test_a_loop_without_end_is_a_sentence_and_the_box_is_closed(walls):
    with opened("def f():\n    while True:\n        pass", timeout=0.5) as box:
        start = time.monotonic()
        with pytest.raises(TimedOutError, match=r"did not finish within 0\.5 s"):
            box.call("f")
        assert time.monotonic() - start < 3
        with pytest.raises(EndedError, match="has ended"):
            box.call("f")
    assert nothing_left(box.marker)


def test_a_large_array_to_a_process_that_does_not_read_has_a_deadline(walls):
    text = "import threading, time, os, signal\ndef f(x):\n    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGSTOP)).start()"
    with opened(text, timeout=1) as box:
        box.call("f", (1,))
        time.sleep(0.3)
        with pytest.raises(TimedOutError):
            box.call("f", (np.zeros(10**7),))


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("os._exit(3)", 3, "exit code 3"),
        ("os._exit(0)", 0, "exit code 0"),
        ("os.abort()", -signal.SIGABRT, "SIGABRT"),
        ("ctypes.string_at(0)", -signal.SIGSEGV, "SIGSEGV"),
    ],
)
def test_an_end_has_its_exit_code_and_the_last_words(walls, body, code, sentence):
    with opened(f"import os, ctypes\nprint('last words', flush=True)\ndef f():\n    {body}") as box:
        with pytest.raises(EndedError, match=sentence) as ended:
            box.call("f")
        assert ended.value.code == code
        assert ended.value.output.startswith("last words")


def test_a_python_that_cannot_start_is_an_end_with_its_own_words(monkeypatch):
    monkeypatch.setattr(process, "HERE", process.HERE / "nowhere")
    with pytest.raises(EndedError, match="cannot be started"), Box(source("")):
        raise AssertionError("it has started")


def test_limits_hold(walls):
    text = """
import os, numpy as np
def memory():
    return np.ones(2**28)
def much():
    return [bytearray(2**20) for _ in range(2000)]
def file():
    with open("large", "wb") as f:
        for _ in range(100): f.write(bytes(2**20))
def files():
    return [open(os.devnull) for _ in range(1000)] and 1
"""
    with opened(text, limits=Limits(memory=2**30, file=2**20, files=220)) as box:
        errors = {"memory": "MemoryError", "much": "MemoryError", "file": "OSError", "files": "OSError"}
        for name, kind in errors.items():
            with pytest.raises(RaisedError) as raised:
                box.call(name)
            assert kind in raised.value.type


def test_an_answer_is_limited(walls):
    text = "import numpy as np\ndef f(n):\n    return np.zeros(n)"
    limits = Limits(answer=2**20)
    with opened(text, limits=limits) as box, pytest.raises(GarbledError, match="longer than 1 MB"):
        box.call("f", (2**20,))


def test_processes_of_several_boxes_do_not_disturb_each_other(walls):
    with Box(source("def f(x): return x + 1")) as one, Box(source("def f(x): return x + 2")) as two:
        one.load()
        two.load()
        assert [box.call("f", (1,)).value for box in (one, two, one)] == [2, 3, 2]
    assert nothing_left(one.marker)
    assert nothing_left(two.marker)


def test_a_system_without_pipes_to_wait_for_calls_back(monkeypatch):
    """As on Windows, as far as that goes here."""
    monkeypatch.setattr(process, "_start_by_keeper", process._start_by_port)
    monkeypatch.setattr(process, "kind_of_walls", lambda: "")
    with opened("import os\ndef f(x): return 2 * x\ndef g(): os._exit(3)", timeout=1) as box:
        np.testing.assert_array_equal(box.call("f", (np.ones(3),)).value, [2, 2, 2])
        with pytest.raises(EndedError, match="exit code 3"):
            box.call("g")
    with opened("def h():\n    while True: pass", timeout=0.5) as box, pytest.raises(TimedOutError):
        box.call("h")


@pytest.mark.skipif(sys.platform != "linux", reason="looks through /proc")
def test_a_daemon_ends_even_when_its_keeper_was_killed(walls):
    text = "import os, time\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(60)"
    with opened(text) as box:
        box.call("f")
        box.process.process.kill()
    assert nothing_left(box.marker)


GRADER = """
import sys
sys.path.insert(0, {tests!r})
from boxes import source
from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box
process.kind_of_walls = lambda: {walls!r}
text = '''
import os, signal, time
def f():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    while True: pass
'''
with Box(source(text), timeout=60) as box:
    box.load()
    print(box.marker, flush=True)
    box.call("f")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks through /proc")
def test_everything_ends_when_the_grader_is_killed(walls, tmp_path):
    script = GRADER.format(tests=os.path.dirname(__file__), walls=walls)
    grader = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    marker = grader.stdout.readline().strip()
    time.sleep(0.5)
    assert len(processes(marker)) >= 2
    grader.kill()
    grader.communicate()
    assert nothing_left(marker)


def test_what_holds_is_told_for_every_system(walls):
    told = process.protections()
    assert all(isinstance(value, bool) for value in told.values())
    assert told["there is no network"] == (walls != "")
