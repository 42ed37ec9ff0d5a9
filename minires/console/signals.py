"""Ctrl-C, and the signals that are treated like it."""

import atexit
import contextlib
import os
import signal
import threading
import time

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
DOUBLE_TAP = 1.0  # seconds within which a second Ctrl-C counts as the first
STOPPED = 130  # the shell's exit status of what Ctrl-C ended


def starting():
    """Let Ctrl-C during the imports, when there is nothing to save, end the process with one line."""

    def leave(number, frame):
        with contextlib.suppress(OSError):
            os.write(2, b"\nstopped\n")
        os._exit(STOPPED)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    atexit.register(_ignore)  # registered first, so it is called last


def _ignore():
    """Ignore signals while Python ends, because one could only spoil the exit status."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def on_signals(handler):
    """Call handler(number, frame) in this process for Ctrl-C, SIGTERM and SIGHUP. -> a function that ends that

    What was ignored from the start, as nohup ignores SIGHUP, stays ignored. Forked processes die as without it.
    """
    process = os.getpid()
    before = {}
    if threading.current_thread() is not threading.main_thread():  # Python lets only the main thread set handlers
        return before.clear

    def in_this_process(number, frame):
        if os.getpid() == process:
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, in_this_process)

    def undo():
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def interrupt_on_signals():
    """Raise KeyboardInterrupt for each of SIGNALS, once for two within DOUBLE_TAP. -> a function that ends that"""
    last = -DOUBLE_TAP

    def interrupt(number, frame):
        nonlocal last
        again = time.monotonic() - last < DOUBLE_TAP
        last = time.monotonic()
        if not again:
            raise KeyboardInterrupt

    return on_signals(interrupt)
