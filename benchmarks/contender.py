"""Each library in a process of its own, with the malloc, the BLAS and the threads that its users have.

In minires' process malloc keeps what is freed; in the others it must not, for that makes MyGrad 1.2 times and DeZero
1.3 times as fast. But they copy their networks from minires' models, and importing those is enough to tell malloc so.
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

_step = None  # of the process that this module is imported in


class ContenderGoneError(MiniresError, RuntimeError):
    """A contender's process has ended before its work."""


class Contender:
    """A library; its process makes and times one step at a time."""

    def __init__(self, name, threads):
        self.name = name
        with malloc_as_usual(name != "minires"):
            self._process = ProcessPoolExecutor(1, get_context("spawn"), _prepare, (name, threads))
            self._pid = self.run(os.getpid)  # starts it, in this environment

    def run(self, function, *arguments):
        """function(*arguments), there. Raises what it raises, and ContenderGoneError where the process has ended."""
        try:
            return self._process.submit(function, *arguments).result()
        except BrokenProcessPool as broken:
            raise ContenderGoneError(
                f"the process of {self.name} has ended; what it said stands above, and if it "
                "said nothing, the system may have killed it for want of memory"
            ) from broken

    def make(self, workload):
        """Make the step that the next calls are about; the one before is dropped."""
        self.run(_make, self.name, workload)

    def on_step(self, function, *arguments):
        """function(step, *arguments), there."""
        return self.run(_on_step, function, *arguments)

    def seconds(self, repeats):
        """Of a step; the mean of so many, one after the other."""
        return self.on_step(seconds_a_step, repeats)

    def value(self, _):
        """What a step returns."""
        return self.on_step(_call)

    def stop(self):
        """Whatever it is doing."""
        with suppress(OSError):  # gone already
            os.kill(self._pid, signal.SIGTERM)
        self._process.shutdown()


@contextmanager
def malloc_as_usual(wanted):
    """What starts here finds a variable of malloc's set, to what it is anyway: minires takes that for a user's wish."""
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
    _step = None  # frees what it holds first
    _step = workload.make(name)


def _call(step):
    return step()


def _on_step(function, *arguments):
    return function(_step, *arguments)
