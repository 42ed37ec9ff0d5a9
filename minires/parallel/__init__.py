"""One batch, several processes."""

from minires.parallel.replicas import MAX_PROCESSES, Replicas, why_not

__all__ = ["MAX_PROCESSES", "Replicas", "why_not"]
