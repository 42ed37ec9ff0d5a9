"""The process of one submission, opened anew when it has ended, and how often that may happen."""

import time

import numpy as np

from minires.gradcheck.grading.errors import ChildError, CouldNotRunError, ForbiddenError, StoppedError, TimedOutError
from minires.gradcheck.grading.slow import OPTION

TIMEOUTS = 2  # after so many nothing more is called
LONGEST = 12  # time-outs that all calls together may take
ENDS = 4  # after so many processes that ended nothing more is called


class Session:
    """The process of one submission, opened anew when it has ended. open() gives a Box or a Local."""

    def __init__(self, open, name="the submission"):
        self.open, self.name = open, name
        self.child = None
        self.timeout = np.inf  # seconds for each call
        self.timeouts = self.ends = 0
        self.stopped = None
        self.defined = []
        self.notes = []
        self.begin = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        if self.child is not None:
            child, self.child = self.child, None
            child.__exit__(None, None, None)

    def get(self):
        """The child, loaded. Raises StoppedError, and keeps it, after too much."""
        try:
            return self._get()
        except StoppedError as error:
            self.stopped = error
            raise

    def _get(self):
        if time.monotonic() - self.begin > LONGEST * self.timeout:
            raise StoppedError(self._too_slow(), True)
        if self.child is None:
            if self.timeouts >= TIMEOUTS:
                raise StoppedError(f"{self.timeouts} calls did not finish within {self.timeout:g} s", True)
            if self.ends >= ENDS:
                raise StoppedError(f"it ended its process {self.ends} times", False)
            try:
                self.child = self.open().__enter__()
                self.timeout = getattr(self.child, "timeout", np.inf)
                self.child.deadline = self.begin + (LONGEST + 1) * self.timeout, self._too_slow()
            except (ChildError, OSError) as error:
                why = getattr(error, "strerror", None) or error  # without the path of a scratch folder
                raise CouldNotRunError(f"no process for {self.name} could be started: {why}") from error
            try:
                self.defined = self.child.load()
            except TimedOutError as error:
                self.lost(error)
                raise CouldNotRunError(f"loading {self.name} {error}") from error
            except ForbiddenError as error:
                self.lost(error)
                raise CouldNotRunError(str(error)) from error
            except ChildError as error:
                self.lost(error)
                raise CouldNotRunError(f"{self.name} cannot be loaded: {error}") from error
            self.notes = [str(error) for error in getattr(self.child, "cell_errors", [])]
        return self.child

    def _too_slow(self):
        return (
            f"its calls took more than {LONGEST * self.timeout:g} s together: it is too slow; "
            f"{getattr(self.child, 'option', OPTION).format(3 * self.timeout)} allows three times as much"
        )

    def lost(self, error):
        """The child has ended, or is past using; what it was doing is known to the caller."""
        self.timeouts += isinstance(error, TimedOutError)
        self.ends += not isinstance(error, TimedOutError)
        self.close()
