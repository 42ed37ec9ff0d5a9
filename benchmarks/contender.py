"""Each library in a process of its own, with the malloc, the BLAS and the threads that its users have.

In minires' process malloc keeps freed memory. In the others it must not, because that makes MyGrad 1.2 times and DeZero
1.3 times as fast. But they copy their networks from minires' models, and importing minires changes malloc.
"""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context

from benchmarks.timing import seconds_a_step
from minires.errors import MiniresError

_step = None  # the step that this process times


class ContenderGoneError(MiniresError, RuntimeError):
    """A contender's process ended before its work was done."""


class Contender:
    """A library in a process of its own, which makes and times one step at a time."""

    def __init__(self, name, threads):
        self.name = name
        with malloc_as_usual(name != "minires"):
            self._process = ProcessPoolExecutor(1, get_context("spawn"), _prepare, (name, threads))
            self._pid = self.run(os.getpid)  # starts it, in this environment

    def run(self, function, *arguments):
        """function(*arguments) in that process. Raises its errors, and ContenderGoneError if the process has ended."""
        try:
            return self._process.submit(function, *arguments).result()
        except BrokenProcessPool as broken:
            raise ContenderGoneError(
                f"the process of {self.name} has ended; its own message stands above, and if there "
                "is none, the system may have killed it because memory was full"
            ) from broken

    def make(self, workload):
        """Make the step that the next calls use; the previous one is freed."""
        self.run(_make, self.name, workload)

    def on_step(self, function, *arguments):
        """function(step, *arguments) in that process."""
        return self.run(_on_step, function, *arguments)

    def seconds(self, repeats):
        """Seconds of a step: the mean of `repeats` in a row."""
        return self.on_step(seconds_a_step, repeats)

    def value(self, _):
        """The result of a step."""
        return self.on_step(_call)

    def stop(self):
        """End the process, in the middle of a step too."""
        with suppress(OSError):  # it has ended already
            os.kill(self._pid, signal.SIGTERM)
        self._process.shutdown()


@contextmanager
def malloc_as_usual(wanted):
    """Set a variable of malloc to its default: minires takes that for a user's wish, and leaves malloc alone."""
    if not wanted or "MALLOC_ARENA_MAX" in os.environ:
        yield
        return
    os.environ["MALLOC_ARENA_MAX"] = "0"  # no limit: glibc's default
    try:
        yield
    finally:
        del os.environ["MALLOC_ARENA_MAX"]


def _prepare(name, threads):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one answers it
    import_module(f"benchmarks.in_{name}").set_threads(threads)


def _make(name, workload):
    global _step
    _step = None  # frees the memory of the previous one first
    _step = workload.make(name)


def _call(step):
    return step()


def _on_step(function, *arguments):
    return function(_step, *arguments)
