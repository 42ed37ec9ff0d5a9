"""Planted bugs: the checker's own exam, and the source of its hints."""

from minires.gradcheck.bugs import basic, conv, conv_norm, loss, norm, pool, reduce, shape
from minires.gradcheck.bugs.bug import Bug, Call, catalogue, planted

__all__ = ["Bug", "Call", "basic", "catalogue", "conv", "conv_norm", "loss", "norm", "planted", "pool", "reduce",
           "shape"]
