"""One batch, several processes."""

from minires.parallel.replicas import Replicas, why_not

__all__ = ["Replicas", "why_not"]
