"""Planted bugs: the mutants of the mutation test, and the hints for people who make the same mistake."""

from minires.gradcheck.bugs import (
    activation,
    arithmetic,
    attention,
    conv,
    conv_norm,
    linear,
    loss,
    norm,
    pool,
    reduce,
    residual,
    shape,
)
from minires.gradcheck.bugs.bug import Bug, Call, catalogue, planted

__all__ = [
    "Bug",
    "Call",
    "activation",
    "arithmetic",
    "attention",
    "catalogue",
    "conv",
    "conv_norm",
    "linear",
    "loss",
    "norm",
    "planted",
    "pool",
    "reduce",
    "residual",
    "shape",
]
