"""Ranks that talk by MPI, through mpi4py.

MPI itself has no time limit: if one rank ends or stands still, the others wait for it forever. So every exchange here
is begun without waiting, and then asked again and again whether it is done. In between a rank looks for two things:

    an alarm      a message of a rank that fails, sent beside the exchanges: a RankError follows it here
    patience      so many seconds without an answer mean that another rank stands still

A rank that leaves together() by an error sends its exit status to all, and waits for theirs. The first rank that has
an error of its own then reports it, and the others are silent. MPI ends what does not end by itself.
"""

import atexit
import math
import os
import pickle
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np

from minires.errors import MiniresError, MissingDependencyError, OptionError, need
from minires.parallel.process import picklable
from minires.parallel.ranks import RankError, rank_and_size

SPINS = 200  # questions whether an exchange is done before this process sleeps between two
SLEEP_SECONDS = 5e-5
CHECK_SECONDS = 0.1  # between two looks for an alarm
ANSWER_SECONDS = 5  # that a rank which fails waits for the others, and these for being ended
FORWARD_SECONDS = 0.5  # in which mpiexec reads what this rank has printed, before it ends all and forgets it
FOLLOWS = 0  # the status of a rank that ends because another one has failed
STOPPED = 130  # the shell's exit status of what Ctrl-C ended


class MPI:
    """The face of ranks.py for a process that mpiexec has started. patience: seconds that it waits for the others."""

    def __init__(self, patience):
        try:
            self.mpi = need("mpi4py.MPI", "mpi", for_what="a run of several ranks (mpiexec)")
        except RuntimeError as error:
            raise MissingDependencyError(
                f"a run of several ranks needs an MPI library, which mpi4py does not find "
                f"({str(error).splitlines()[0]}); install one with: pip install mpich"
            ) from error
        world = self.mpi.COMM_WORLD
        started = rank_and_size()[1]
        if world.size != started:
            raise OptionError(
                f"mpiexec started {started} ranks, and mpi4py's MPI library sees {world.size}: they belong to two "
                "MPIs; take the mpiexec that was installed with the library that mpi4py uses"
            )
        self.patience = patience
        self.rank, self.size = world.rank, world.size
        self.neighbours = world.Split_type(self.mpi.COMM_TYPE_SHARED).size  # ranks on this machine, with this one
        self.exchanges = world.Dup()
        self.alarms = world.Dup()
        self.statuses = {}  # of ranks that fail or follow
        self._said = False  # whether this rank has sent its own
        others = [rank for rank in range(self.size) if rank != self.rank]
        self._received = {rank: np.zeros(1, np.int32) for rank in others}
        self._waiting = {rank: self.alarms.Irecv(array, rank) for rank, array in self._received.items()}

    # Exchanges

    def rows(self, values):
        """An array with a row of float64 for each rank: its values, as many in each."""
        values = np.array(values, np.float64)
        table = np.empty((self.size, *values.shape))
        self.wait(self.exchanges.Iallgather(values, table))
        return table

    def sum(self, values):
        """Σ over ranks of an array, in float64, added up in the order of ranks."""
        return self.rows(values).sum(axis=0)

    def start_sum(self, array):
        """Begin to replace a contiguous array by its sum over ranks -> what wait() takes"""
        return self.exchanges.Iallreduce(self.mpi.IN_PLACE, array)

    def progress(self, exchange):
        """Let MPI go on with an exchange, because many MPIs do so only when they are called."""
        exchange.Test()

    def wait(self, exchange):
        """Return when it is done. Raises RankError if another rank fails meanwhile, or stands still."""
        spins = 0
        waited = 0.0
        checked_at = time.monotonic()
        while not exchange.Test():
            spins += 1
            if spins < SPINS:
                continue
            time.sleep(SLEEP_SECONDS)
            now = time.monotonic()
            if now - checked_at >= CHECK_SECONDS:
                waited += min(now - checked_at, 2 * CHECK_SECONDS)  # not while this process was suspended itself
                checked_at = now
                self._listen()
                if self.statuses:
                    raise RankError(f"rank {min(self.statuses)} has failed, and this one follows")
                if waited > self.patience:
                    self._raise_silent()

    def join(self, array):
        """The arrays of all ranks, one after another along the first axis. Only their lengths there may differ."""
        array = np.ascontiguousarray(array)
        lengths = np.zeros(self.size)
        lengths[self.rank] = len(array)
        lengths = self.sum(lengths).astype(int)
        joined = np.empty((lengths.sum(), *array.shape[1:]), array.dtype)
        counts = lengths * math.prod(array.shape[1:])
        self.wait(self.exchanges.Iallgatherv(array, [joined, counts]))
        return joined

    def from_first(self, call):
        """What call() returns in the first rank, or raises there, in every rank. Only that rank calls it."""
        raised, found = False, None
        if self.rank == 0:
            try:
                found = call()
            except Exception as error:
                raised, found = True, error
        message = pickle.dumps((raised, picklable(found) if raised else found))
        length = np.array([len(message)])
        self.wait(self.exchanges.Ibcast(length))
        data = np.zeros(int(length[0]), np.uint8)
        if self.rank == 0:
            data[:] = np.frombuffer(message, np.uint8)
        self.wait(self.exchanges.Ibcast(data))
        if self.rank:
            raised, found = pickle.loads(data.tobytes())
        if raised:
            raise found
        return found

    def any(self, *flags):
        """For each flag whether it is true in any rank."""
        return tuple(bool(count) for count in self.sum(flags))

    # The end

    @contextmanager
    def together(self):
        """A block that no rank leaves by an error without the others, and that all leave at once otherwise.

        One rank raises its own error. The others leave by SystemExit with the same exit status.
        """
        try:
            yield
            self.wait(self.exchanges.Ibarrier())
        except BaseException as error:
            self._leave(error)
            raise
        for request in self._waiting.values():
            request.Cancel()
            request.Wait()

    def _leave(self, error):
        """Agree on the rank that reports. Returns in that one, and raises SystemExit in the others."""
        followed = bool(self.statuses)
        self._tell(FOLLOWS if followed and isinstance(error, RankError) else _status(error))
        failed = [rank for rank, status in self.statuses.items() if status != FOLLOWS]
        reporter = min(failed, default=self.rank)  # the one that has failed may have ended before its word came
        all_failed = len(failed) == self.size  # all at the same place, so that no exchange is left open
        if self.rank == reporter:
            if not all_failed:
                atexit.register(self._end_all, _status(error))  # when Python has shown the error
            return
        if not all_failed:
            with suppress(KeyboardInterrupt):  # of SIGTERM, by which some MPIs end a rank
                time.sleep(ANSWER_SECONDS)  # until the reporter ends all
            self._end_all(self.statuses[reporter])
        raise SystemExit(self.statuses[reporter]) from error

    def _tell(self, status):
        """Send this rank's status to all, once, and wait for theirs, but not for long."""
        if not self._said:
            self._said = True
            self.statuses[self.rank] = status
            self._sent = np.array([status], np.int32)
            self._sending = [self.alarms.Isend(self._sent, rank) for rank in self._received]
            deadline = time.monotonic() + ANSWER_SECONDS
            while len(self.statuses) < self.size and time.monotonic() < deadline:
                time.sleep(CHECK_SECONDS / 10)
                self._listen()

    def _listen(self):
        """Take the statuses that have arrived."""
        for rank in [rank for rank, request in self._waiting.items() if request.Test()]:
            del self._waiting[rank]
            self.statuses[rank] = int(self._received[rank][0])

    def _raise_silent(self):
        """Raise RankError that names the ranks that do not answer."""
        self._tell(_status(RankError()))
        silent = [str(rank) for rank in range(self.size) if rank not in self.statuses]
        who = f"rank{'s' * (len(silent) > 1)} {', '.join(silent)}" if silent else "another rank"
        raise RankError(
            f"{who} did not come to this point within {self.patience:g} seconds: stopped by a signal or a debugger, "
            "stuck, or much slower; --patience N waits longer"
        )

    def _end_all(self, status):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        time.sleep(FORWARD_SECONDS)
        self.mpi.COMM_WORLD.Abort(status)
        os._exit(status)


def _status(error):
    """The exit status of a process that ends by this error."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    return 2 if isinstance(error, (MiniresError, OSError, MemoryError)) else 1
