"""Cheats, each a small submission: a cheat may harm its own process and result, and no others.

The honest answer is 2·x. A cheat may get its honest answer, a wrong value, or an error. It never gets the answer of
another submission, the grader's files, another process, or a process that goes on afterwards.
"""

import ctypes
import os
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from boxes import USER, nothing_left, opened, processes, source, users
from cheats import CHEATS
from cheats.cheat import HANDLE, HONEST, PRELUDE, WRONG

from minires.gradcheck.grading.box import Box, Limits
from minires.gradcheck.grading.errors import ChildError, EndedError, GarbledError
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.keeper import FIRST_USER, SYS_KEYCTL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what Linux lets a submission try")

X = np.arange(6.0).reshape(2, 3)
HOLDS = {
    None: lambda kind: True,
    "namespaces": lambda kind: kind == "namespaces",
    "walls": lambda kind: kind != "",
    "another user": lambda kind: kind != "" or USER,
}


def outcome(box):
    """What a submission gets: an error's class, or what its value is worth."""
    try:
        box.load()
        assert not box.cell_errors  # a cheat that is misspelt is none
        value = box.call("f", (X,)).value
    except ChildError as error:
        said = error
    else:
        return worth(value)
    assert len(str(said)) < 1000
    assert str(said).isprintable()
    return type(said)


def outcome_again(box):
    """The same question once more: what is left over from the first answer must not be taken for the second."""
    try:
        return worth(box.call("f", (X,)).value)
    except ChildError as error:
        return type(error)


def worth(value):
    """What a value is: right, wrong, or none."""
    if isinstance(value, Handle):
        return HANDLE
    return HONEST if type(value) is np.ndarray and value.shape == X.shape and (value == 2 * X).all() else WRONG


def test_there_are_more_than_forty():
    assert len(CHEATS) > 40


@pytest.fixture(scope="module")
def honest(walls):
    """An honest submission that stays open beside all the cheats."""
    with Box(source("def f(x): return 2 * x")) as box:
        box.load()
        yield box
    assert nothing_left(box.marker)


@pytest.mark.parametrize(("outcomes", "text", "only", "settings"), CHEATS)
def test_a_cheat_harms_its_own_result_only(walls, honest, outcomes, text, only, settings, tmp_path, monkeypatch):
    if not HOLDS[only](walls):
        pytest.skip(f"nothing holds this without {only}")
    monkeypatch.setenv("SECRET", "hidden from submissions")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teacher.py").write_text("answer = 42")
    with socket.create_server(("127.0.0.1", 0)) as server:
        grader = [os.getpid(), os.getppid(), honest.process.process.pid]
        installed = [str(Path(__file__).parents[3] / "minires" / "gradcheck")]
        teacher = str(tmp_path / "teacher.py")
        ports = [server.getsockname()[1]]
        facts = f"GRADER, INSTALLED, TEACHER, PORTS = {grader}, {installed}, {teacher!r}, {ports}"
        settings = {"timeout": 1.0, "limits": Limits(memory=2**30), **settings}
        with Box(source("\n".join([PRELUDE, facts, text])), **settings) as box:
            user = FIRST_USER + box.process.process.pid
            got = outcome(box)
            again = outcome_again(box)
        assert got in outcomes
        assert again in (*outcomes, EndedError, GarbledError)
        np.testing.assert_array_equal(honest.call("f", (X,)).value, 2 * X)
    assert nothing_left(box.marker)
    assert user not in users()
    assert not os.path.exists(box.scratch)
    assert sorted(os.listdir(tmp_path)) == ["teacher.py"]
    assert not Path(tempfile.gettempdir(), "minires-left-behind.py").exists()


def test_a_submission_has_not_the_keyring_of_the_grader(walls):
    number = SYS_KEYCTL.get(os.uname().machine, -1)
    own = ctypes.CDLL(None).syscall(number, 0, -3, 1)  # the session keyring's serial number
    if own < 0:
        pytest.skip("this system refuses keyrings")
    ask = f"import ctypes\ndef f():\n    return ctypes.CDLL(None).syscall({number}, 0, -3, 1)"
    with opened(ask) as box:
        assert box.call("f").value not in (own, -1)


def test_without_memory_a_submission_is_ended_before_the_grader(walls):
    if walls == "bwrap":
        pytest.skip("there is no /proc in which to ask for it")
    with opened("def f(x): return 2 * x") as box:
        found = processes(box.marker)
        assert found
        assert {Path("/proc", str(number), "oom_score_adj").read_text() for number in found} == {"1000\n"}
