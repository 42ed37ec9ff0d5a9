"""Ending a call in this process that takes too long: by a signal of the clock, or by a thread where none can come.

Both raise TimeUpError in the code that runs, again and again until it has ended, because a bare `except` catches one.
What computes in one call of NumPy ends when this call does. In a browser there are neither, and nothing ends a call.
"""

import contextlib
import ctypes
import signal
import sys
import threading
import time

from minires.system import has_threads

AGAIN = 0.1  # seconds between two tries


class TimeUpError(BaseException):
    """No Exception, because a submission may catch those."""


def limited(seconds):
    """A context whose code gets TimeUpError after so many seconds; None for no limit."""
    if seconds is None:
        return contextlib.nullcontext()
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return _by_signal(seconds)
    return _by_thread(seconds) if has_threads() else contextlib.nullcontext()


@contextlib.contextmanager
def _by_signal(seconds):
    running = True
    rings = 0
    traced = sys.gettrace()

    def at_each_line(frame, event, argument):
        if event == "line":
            raise TimeUpError
        return at_each_line

    def ring(number, frame):
        nonlocal rings
        rings += 1
        if running and rings > 1:  # an `except` has caught the first, so the next one comes in its own lines, too
            sys.settrace(at_each_line)
            frame.f_trace = at_each_line
        if running:
            raise TimeUpError

    begin = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        running = False
        if rings > 1:
            sys.settrace(traced)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # an alarm of the caller's own, which comes no later than it would have
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - begin), 1e-6), interval)


@contextlib.contextmanager
def _by_thread(seconds):
    ended = threading.Event()
    ident = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc

    def watch():
        wait = seconds
        while not ended.wait(wait):
            raise_in(ident, ctypes.py_object(TimeUpError))
            wait = AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        raise_in(ident, None)  # what was raised too late to arrive
