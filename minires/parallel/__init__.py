"""Several processes that compute one batch together."""

from minires.parallel.replicas import MAX_PROCESSES, Replicas, unsupported_reason

__all__ = ["MAX_PROCESSES", "Replicas", "unsupported_reason"]
