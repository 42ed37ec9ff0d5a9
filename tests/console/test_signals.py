"""Ctrl-C, SIGTERM and SIGHUP stop a command in one line, at any time."""

import os
import signal
import subprocess
import sys

import pytest
from command_lines import posix, said, script

from minires import console
from minires.__main__ import COMMANDS
from minires.console import signals


def after(process, word):
    line = process.stdout.readline()
    assert line == word + "\n"


@posix
@pytest.mark.parametrize("number", console.SIGNALS)
def test_two_signals_in_a_row_are_one_and_what_must_be_saved_is(number):
    body = """
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            time.sleep(0.5)
            print("saved")
        """
    process = subprocess.Popen(script(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after(process, "ready")
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "saved\n", "\nme: stopped\n")


@posix
@pytest.mark.parametrize("began", [0.0, 0.5, 1000.0])
def test_a_second_signal_within_a_second_is_a_double_tap_and_a_later_one_is_not(monkeypatch, began):
    """The clock may have begun with this process."""
    clock = [began]
    monkeypatch.setattr(signals.time, "monotonic", lambda: clock[0])
    undo = signals.interrupt_on_signals()
    try:
        for later, counts in ((0, True), (0.75, False), (0.75, False), (1.0, True)):
            clock[0] += later
            pressed = False
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pressed = True
            assert pressed == counts, clock
    finally:
        undo()


@posix
def test_what_listens_to_signals_gives_them_back():
    before = [signal.getsignal(number) for number in console.SIGNALS]
    undo = console.on_signals(lambda number, frame: None)
    during = [signal.getsignal(number) for number in console.SIGNALS]
    undo()
    assert [signal.getsignal(number) for number in console.SIGNALS] == before
    assert not any(a is b for a, b in zip(before, during, strict=True))


@posix
@pytest.mark.parametrize("number", console.SIGNALS)
def test_a_signal_while_python_takes_itself_down_does_not_spoil_the_status(number):
    """An object that is deleted as one of the last sends it."""
    body = f"""
        console.starting()
        class Late:
            kill = staticmethod(os.kill)
            def __del__(self, process=os.getpid()):
                self.kill(process, {int(number)})
        sys.modules["late"] = Late()
        """
    found = said(body, stdout=subprocess.PIPE)
    assert (found.returncode, found.stderr) == (0, "")


@posix
def test_a_hangup_that_nohup_ignores_stays_ignored():
    body = """
        os.kill(os.getpid(), signal.SIGHUP)
        print("still here")
        """
    found = subprocess.run(
        ["nohup", *script(body)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert found.stdout == "still here\n"


@posix
def test_a_forked_process_dies_of_the_signal_without_a_word():
    body = """
        child = os.fork()
        if not child:
            time.sleep(60)
        time.sleep(0.2)
        os.kill(child, signal.SIGTERM)
        print(-os.waitpid(child, 0)[1] == -signal.SIGTERM)
        """
    found = said(body, stdout=subprocess.PIPE)
    assert (found.stdout, found.stderr) == ("True\n", "")


@posix
@pytest.mark.parametrize("command", [*sorted(COMMANDS), "minires"])
def test_control_c_during_the_imports_is_one_line(tmp_path, command):
    """A module that is imported early presses it."""
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [sys.executable, "-m", command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "\nstopped\n")


def test_importing_minires_leaves_a_programs_signals_alone():
    code = "import signal; before = signal.getsignal(2); import minires.train; assert signal.getsignal(2) is before"
    subprocess.run([sys.executable, "-c", code], check=True)
