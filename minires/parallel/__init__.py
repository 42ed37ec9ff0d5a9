"""Several processes that compute one batch together: forked ones on one machine, or the ranks of mpiexec on many.

A Run asks a network's Replicas or Distributed for the same two things, gradients() and predict().
"""

from minires.parallel.distributed import Distributed
from minires.parallel.ranks import Alone, RankError, connect, rank_and_size
from minires.parallel.replicas import MAX_PROCESSES, Replicas, unsupported_reason

__all__ = [
    "MAX_PROCESSES",
    "Alone",
    "Distributed",
    "RankError",
    "Replicas",
    "connect",
    "rank_and_size",
    "unsupported_reason",
]
