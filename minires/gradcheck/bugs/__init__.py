"""Planted bugs: the mutants of the mutation test, and the source of hints for those who make the same mistake."""

from minires.gradcheck.bugs import basic, conv, conv_norm, loss, norm, pool, reduce, shape
from minires.gradcheck.bugs.bug import Bug, Call, catalogue, planted

__all__ = [
    "Bug",
    "Call",
    "basic",
    "catalogue",
    "conv",
    "conv_norm",
    "loss",
    "norm",
    "planted",
    "pool",
    "reduce",
    "shape",
]
