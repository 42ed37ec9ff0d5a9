"""A function of this process that is ended when its time is up: in a browser there are no threads and no signals."""

import contextlib
import sys
import time
import traceback

from minires.gradcheck.grading.errors import TimedOutError
from minires.gradcheck.grading.local import Local

SECONDS = 20.0  # for one call


class LateError(BaseException):
    """The time is up. It is no Exception, so that a function's own `except Exception` does not catch it."""


@contextlib.contextmanager
def deadline(seconds):
    """Raise LateError in a Python function that still runs after so many seconds.

    Python asks before each of its instructions, because a loop may stand on one line. NumPy's own functions are not
    asked; they end. Where a debugger asks already, or coverage, nothing is done.
    """
    end = time.monotonic() + seconds

    def trace(frame, event, argument):
        if frame.f_globals.get("__name__", "").startswith("numpy"):
            return None
        if time.monotonic() > end:
            raise LateError
        frame.f_trace_opcodes = True
        return trace

    if sys.gettrace() is not None:
        yield
        return
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


class Timed(Local):
    """Names of this process, called as a submission is, with a deadline for each call."""

    timeout = SECONDS

    def __init__(self, source=None, **settings):
        super().__init__(source, **settings)
        self.timeout = type(self).timeout  # a trace keeps it, because a browser has no alarm

    def call(self, target, *arguments, **settings):
        try:
            with deadline(self.timeout):
                return super().call(target, *arguments, **settings)
        except LateError as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if frame.filename not in (__file__, *_OURS)]
            place = f": it was in line {own[-1].lineno}" if own else ""
            raise TimedOutError(f"did not finish within {self.timeout:g} s{place}", self.timeout) from None


_OURS = (sys.modules[Local.__module__].__file__, contextlib.__file__)
