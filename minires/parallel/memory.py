"""Memory that forked processes share, and a place in it where they meet and add up what each has brought."""

import math
import mmap
import multiprocessing
import time

import numpy as np

from minires.arrays import memory_order
from minires.errors import GraphError

SUMS = 1 << 14  # numbers that a meeting can add up: two for each channel of the widest layer
LOOKS = 2000  # at the others before sleeping between two: about a millisecond
GONE = -1  # on the clock of a process that comes to no more meetings


class LeftError(Exception):
    """Another process comes to no more meetings."""


class Meeting:
    """meeting(numbers) -> the sums of what all n processes have brought: each calls it, in the same order."""

    def __init__(self, n):
        self.rank, self.turn, self.look = 0, 0, lambda: None
        self.clock = shared((n, 8), np.int64)  # the turn that each has come to, on a line of the cache of its own
        # Two tables: who writes into one, two turns later, knows that all have read it, for all have come since.
        self.tables = shared((2, n, SUMS), np.float64)
        self.fence = multiprocessing.get_context("fork").Lock()

    def __call__(self, numbers):
        self.turn += 1
        table, numbers = self.tables[self.turn % 2], np.asarray(numbers)
        if numbers.size > SUMS:
            raise GraphError(f"processes can add up {SUMS} numbers, got {numbers.size}; use one process")
        table[self.rank, :numbers.size] = numbers.ravel()
        with self.fence:  # on any processor, what was written before is there before the turn is
            self.clock[self.rank, 0] = self.turn
        looks = 0
        while (self.clock[:, 0] < self.turn).any():
            looks += 1
            if (self.clock[:, 0] == GONE).any():
                self.look()
                raise LeftError
            if looks > LOOKS:
                self.look()
                time.sleep(5e-5)
        return table[:, :numbers.size].sum(axis=0).reshape(numbers.shape)

    def leave(self):
        self.clock[self.rank, 0] = GONE


def shared(shape, dtype):
    """Zeros in memory that forked processes share."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, mmap.mmap(-1, max(nbytes, 1)))


def shared_copy(array):
    """A copy in memory that forked processes share, lying there as the array does."""
    order = memory_order(array)
    lying = shared([array.shape[i] for i in order], array.dtype)
    copied = lying.transpose([order.index(i) for i in range(array.ndim)])
    copied[...] = array
    return copied
