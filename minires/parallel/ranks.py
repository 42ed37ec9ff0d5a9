"""The ranks of a run: the processes that `mpiexec -n N` starts, each with the same program and a number of its own.

All ranks call the same functions of this face in the same order. `Alone` is the one of an ordinary process, and `MPI`
(mpi.py) that of a process among others:

    rank, size           this process's number, and how many there are
    rows(values)         a row for each rank, with its values as float64
    sum(values)          their sum, added up in the order of ranks, so that all have the same bits
    start_sum(array)     a sum in place, which is only begun; wait(it) returns when it is there
    join(array)          the arrays of all ranks, one after another along the first axis
    from_first(call)     what call() returns in the first rank, or raises there, in every rank
    any(*flags)          for each flag whether it is true in any rank
    together()           a block that no rank leaves by an error without the others
"""

import os
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import numpy as np

from minires.errors import MiniresError

# What mpiexec tells a process: MPICH and its relatives (Intel MPI, MVAPICH, Slurm's srun), then Open MPI.
RANK_AND_SIZE = (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))
PATIENCE = 60  # seconds that a rank waits for the others


class RankError(MiniresError, RuntimeError):
    """Another rank of this run has failed, has ended, or does not answer."""


class Alone:
    """The face of a process that is the only rank."""

    rank, size, neighbours = 0, 1, 1
    patience = PATIENCE  # which it does not need

    def rows(self, values):
        """One row, with the values as float64."""
        return np.array(values, np.float64)[None]

    def sum(self, values):
        """The values themselves, as float64."""
        return np.array(values, np.float64)

    def start_sum(self, array):
        """The array is its sum."""

    def progress(self, exchange):
        """There is nothing to go on with."""

    def wait(self, exchange):
        """There is nothing to wait for."""

    def join(self, array):
        """The array itself."""
        return array

    def from_first(self, call):
        """call()."""
        return call()

    def any(self, *flags):
        """The flags themselves."""
        return flags

    @contextmanager
    def together(self):
        """A block like any other."""
        yield


def rank_and_size():
    """(rank, size) that mpiexec gave this process in its environment; (0, 1) if it was started without."""
    for rank, size in RANK_AND_SIZE:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


@contextmanager
def first_rank_speaks():
    """In this block only the first rank prints. What leaves the block as an error can be printed by any rank."""
    if rank_and_size()[0] == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def connect(patience=PATIENCE):
    """The ranks of this run: MPI if mpiexec has started several processes, Alone otherwise.

    mpi4py is imported in the first case only. Raises MissingDependencyError if it is not installed, and OptionError if
    it belongs to another MPI than mpiexec does. The first rank raises it; the others leave by SystemExit.
    """
    rank, size = rank_and_size()
    if size == 1:
        return Alone()
    from minires.parallel.mpi import MPI

    try:
        return MPI(patience)
    except MiniresError as error:
        if rank == 0:
            raise
        raise SystemExit(2) from error
