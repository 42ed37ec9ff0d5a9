"""Memory that forked processes share, and a place in it where they meet and add up what each has brought."""

import math
import mmap
import threading
import time
from contextlib import contextmanager

import numpy as np

from minires.arrays import memory_order
from minires.errors import GraphError, ProcessError

SUMS = 1 << 14  # numbers that a meeting can add up: two for each channel of the widest layer
LOOKS = 2000  # at the others before sleeping between two: about a millisecond
GONE = -1  # on the clock of a process that comes to no more meetings
OCCASIONS = (
    "to add up batch norm's sums",
    "to add up the loss",
    "with all gradients sent",
    "with all gradients added",
    "with its answers",
)
NORM, LOSS, SENT, ADDED, ANSWERED = range(len(OCCASIONS))


class LeftError(ProcessError):
    """Another process comes to no more meetings."""


class RefusedError(Exception):
    """The system refuses what processes need."""


@contextmanager
def asking_for(what):
    """In this block the system may refuse this."""
    try:
        yield
    except OSError as error:
        raise RefusedError(f"the system refuses {what}: {error.strerror or error}") from error


class Meeting:
    """meeting(numbers, occasion) -> the sums of what all n processes have brought: each calls it, in the same order.

    Raises GraphError in all of them where they have come for different reasons, with more numbers or fewer, or with
    another count: a number that must be the same in each.
    """

    def __init__(self, n):
        self.rank, self.turn, self.look = 0, 0, lambda: None
        self.clock = shared((n, 8), np.int64)  # the turn that each has come to, on a line of the cache of its own
        # Two tables: who writes into one, two turns later, knows that all have read it, for all have come since.
        self.tables = shared((2, n, SUMS), np.float64)
        self.reasons = shared((2, n, 8), np.int64)  # occasion, how many numbers, count
        self.fence = threading.Lock()  # no lock of all processes, which one that is killed would keep

    def __call__(self, numbers, occasion, count=0):
        self.turn += 1
        table = self.tables[self.turn % 2]
        reasons = self.reasons[self.turn % 2]
        numbers = np.asarray(numbers)
        if numbers.size > SUMS:
            raise GraphError(f"processes can add up {SUMS} numbers, got {numbers.size}; use one process")
        table[self.rank, : numbers.size] = numbers.ravel()
        reasons[self.rank, :3] = occasion, numbers.size, count
        self._order_memory()
        self.clock[self.rank, 0] = self.turn
        looks = 0
        while (self.clock[:, 0] < self.turn).any():
            looks += 1
            if (self.clock[:, 0] == GONE).any():
                self.look()
                raise LeftError("Replicas: they were closed in the midst of a batch")
            if looks > LOOKS:
                self.look()
                time.sleep(5e-5)
        self._order_memory()
        if (reasons != reasons[0]).any():
            raise GraphError(_differ(reasons))
        return table[:, : numbers.size].sum(axis=0).reshape(numbers.shape)

    def _order_memory(self):
        """On any processor, what is written before is there before what comes after, and read after it."""
        for _ in range(2):  # nothing moves down past the first release and up past the second acquisition
            with self.fence:
                pass

    def leave(self):
        self.clock[self.rank, 0] = GONE


def _differ(reasons):
    """How the reasons of the first process and of another one differ, as an error says it."""
    rank = int((reasons != reasons[0]).any(axis=1).argmax())
    mine, other = (f"process {r} came {OCCASIONS[reasons[r, 0]]} ({reasons[r, 1]} numbers)" for r in (0, rank))
    if (reasons[0, :2] == reasons[rank, :2]).all():
        other = f"process {rank} with other batches counted by batch norm, or other integers in a buffer"
    return (
        f"Replicas: {mine}, {other}; what forward() does must not depend on the part of the images that a process "
        "has where batch norm uses the batch's statistics, so use one process"
    )


def shared(shape, dtype):
    """Zeros in memory that forked processes share. Raises RefusedError where there is none."""
    nbytes = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
    with asking_for(f"{max(nbytes >> 20, 1)} MB of memory that processes share"):
        return np.ndarray(shape, dtype, mmap.mmap(-1, nbytes))


def shared_copy(array):
    """A copy in memory that forked processes share, lying there as the array does."""
    order = memory_order(array)
    in_order = shared([array.shape[i] for i in order], array.dtype)
    copied = in_order.transpose([order.index(i) for i in range(array.ndim)])
    copied[...] = array
    return copied
