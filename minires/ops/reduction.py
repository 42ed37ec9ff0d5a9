"""How a loss of many elements becomes one number: their mean, their sum, or left as they are."""

import math

from minires.arrays import array_module
from minires.errors import OptionError

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(name, reduction):
    """Raise OptionError if there is no such reduction."""
    if reduction not in REDUCTIONS:
        raise OptionError(f"{name}: reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


def reduced(losses, reduction, weights=None):
    """(L, m): the losses averaged, summed or left as they are, and the m by which their gradients are divided.

    m is the number of losses of a mean, or the sum of their weights, which are in the losses already; otherwise 1.
    A mean of no losses, or of no weight, is NaN, as in PyTorch.
    """
    if reduction == "none":
        return losses, 1
    if reduction == "sum":
        m = 1
    elif weights is None:
        m = losses.size or math.nan
    else:
        total = weights.sum()
        m = array_module(weights).where(total == 0, math.nan, total).astype(weights.dtype)
    return losses.sum() / m, m
