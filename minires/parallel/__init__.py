"""One batch, several processes."""

from minires.parallel.replicas import MOST, Replicas, why_not

__all__ = ["MOST", "Replicas", "why_not"]
