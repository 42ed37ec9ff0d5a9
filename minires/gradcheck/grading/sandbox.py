"""Running somebody's function in a process of its own: an endless loop or a crash is a sentence, not the end."""

import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import wait

from minires.errors import DataError, MiniresError, OptionError, describe
from minires.gradcheck.checks.report import Report
from minires.gradcheck.grading.homework import cases_for_function, grade
from minires.gradcheck.grading.loading import load

STARTING = 20.0  # seconds granted for starting Python and importing what the file imports


def run_cases(path, name, like, *, seed=0, samples=1, timeout=10.0):
    """Yield ("cases", labels, {reason: how many pass over}) once, then (label, Report) for each case.

    timeout: seconds for loading the file, and for each case. Raises DataError or OptionError when nothing can be run.
    """
    start, labels = 0, None
    while labels is None or start < len(labels):
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(theirs, str(path), name, like, seed, samples, start), daemon=True
        )
        process.start()
        theirs.close()
        try:
            said = _receive(ours, process, timeout + STARTING, f"loading {os.path.basename(path)}")
            if isinstance(said, (MiniresError, str)):
                raise said if isinstance(said, MiniresError) else DataError(said)
            if labels is None:
                labels = said[0]
                yield ("cases", *said)
            while start < len(labels):
                report = _receive(ours, process, timeout, "")
                ended = isinstance(report, str)
                if ended:
                    report = Report(f"{like} ({labels[start]})", problems=[report])
                start += 1
                yield labels[start - 1], report
                if ended:  # the others are tried in a new process
                    break
        finally:
            process.kill()
            process.join()
            ours.close()


def _receive(connection, process, timeout, what):
    """What the process says next, or a sentence about why it says nothing."""
    doing = f"{what} " if what else ""
    try:
        if connection.poll(timeout):
            return connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        return f"{doing}ended the whole process (exit code {process.exitcode}): does it call exit()?"
    return f"{doing}did not finish within {timeout:g} s (--timeout): an endless loop?"


def _work(connection, path, name, like, seed, samples, start):
    """In the new process: load, then one report a case. What the function prints is not shown."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
    sys.argv = [path]
    try:
        function = load(path, name)
        cases, passed_over = cases_for_function(function, like, seed, samples)
    except (DataError, OptionError) as error:
        connection.send(error)
        return
    connection.send(([case.label for case in cases], passed_over))
    for case in cases[start:]:
        try:
            report = grade(function, like, case, seed)
        except BaseException as error:
            report = Report(f"{like} ({case.label})", problems=[f"it raises {describe(error)}"])
        connection.send(report)


def _end_with_parent():
    """Whoever waits for an endless loop may be killed; the loop must not go on by itself."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
