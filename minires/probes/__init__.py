"""Looking into a network while it works."""

from minires.probes.gradients import gradient_norms

__all__ = ["gradient_norms"]
