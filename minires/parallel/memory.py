"""Memory that forked processes share, and an all-reduce in it."""

import math
import mmap
import threading
import time
from contextlib import contextmanager

import numpy as np

from minires.arrays import memory_order
from minires.errors import GraphError, ProcessError

MAX_VALUES = 1 << 14  # of one all-reduce: two for each channel of the widest layer
SPINS = 2000  # checks of the other processes before this one sleeps between two: about a millisecond
LEFT = -1  # the turn of a process that takes part in no further all-reduce
PURPOSES = (
    "to add up batch norm's sums",
    "to add up the loss",
    "with all gradients sent",
    "with all gradients added",
    "with its predictions",
)
NORM, LOSS, SENT, ADDED, PREDICTED = range(len(PURPOSES))


class LeftError(ProcessError):
    """Another process takes part in no further all-reduce."""


class RefusedError(Exception):
    """The system refuses memory or a process."""


@contextmanager
def asking_for(what):
    """Raise RefusedError if the system refuses `what` in this block."""
    try:
        yield
    except OSError as error:
        raise RefusedError(f"the system refuses {what}: {error.strerror or error}") from error


class AllReduce:
    """all_reduce(values, purpose) -> the sums over all n processes. All of them call it, in the same order.

    Raises GraphError in all processes if they differ in purpose, in the number of values, or in `checksum`. The
    checksum is a number that must be the same in each process.
    """

    def __init__(self, n):
        self.rank, self.turn = 0, 0
        self.check_others = lambda: None  # called while this process waits
        self.turns = shared_zeros((n, 8), np.int64)  # of each process, on its own cache line
        # Two tables are enough: a process in turn t + 2 knows that all have read the table of turn t.
        self.tables = shared_zeros((2, n, MAX_VALUES), np.float64)
        self.headers = shared_zeros((2, n, 8), np.int64)  # purpose, number of values, checksum
        self.fence = threading.Lock()  # one of this process only: no killed process can leave it locked

    def __call__(self, values, purpose, checksum=0):
        self.turn += 1
        table = self.tables[self.turn % 2]
        headers = self.headers[self.turn % 2]
        values = np.asarray(values)
        if values.size > MAX_VALUES:
            raise GraphError(f"processes can add up {MAX_VALUES} values, got {values.size}; use one process")
        table[self.rank, : values.size] = values.ravel()
        headers[self.rank, :3] = purpose, values.size, checksum
        self._order_memory()
        self.turns[self.rank, 0] = self.turn
        spins = 0
        while (self.turns[:, 0] < self.turn).any():
            spins += 1
            if (self.turns[:, 0] == LEFT).any():
                self.check_others()
                raise LeftError("Replicas: they were closed in the middle of a batch")
            if spins > SPINS:
                self.check_others()
                time.sleep(5e-5)
        self._order_memory()
        if (headers != headers[0]).any():
            raise GraphError(difference(headers))
        return table[:, : values.size].sum(axis=0).reshape(values.shape)

    def _order_memory(self):
        """A memory barrier on any processor: what was written before is visible before what comes after."""
        for _ in range(2):  # nothing moves down past the first release, nor up past the second acquisition
            with self.fence:
                pass

    def leave(self):
        self.turns[self.rank, 0] = LEFT


def difference(headers):
    """How the header of the first process differs from that of another one, as an error says it."""
    rank = int((headers != headers[0]).any(axis=1).argmax())
    first, other = (f"process {r} came {PURPOSES[headers[r, 0]]} ({headers[r, 1]} values)" for r in (0, rank))
    if (headers[0, :2] == headers[rank, :2]).all():
        other = f"process {rank} with other batches counted by batch norm, or other integers in a buffer"
    return (
        f"Replicas: {first}, {other}; where batch norm uses the batch's statistics, forward() must do the same for "
        "each process's part of the images; use one process"
    )


def shared_zeros(shape, dtype):
    """Zeros in memory that forked processes share. Raises RefusedError if the system has no more."""
    nbytes = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
    with asking_for(f"{max(nbytes >> 20, 1)} MB of memory that processes share"):
        return np.ndarray(shape, dtype, mmap.mmap(-1, nbytes))


def shared_copy(array):
    """A copy in memory that forked processes share, in the array's own memory order."""
    order = memory_order(array)
    in_order = shared_zeros([array.shape[i] for i in order], array.dtype)
    copied = in_order.transpose([order.index(i) for i in range(array.ndim)])
    copied[...] = array
    return copied
