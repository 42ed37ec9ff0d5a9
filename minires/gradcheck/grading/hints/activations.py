"""Mistakes of tanh: something else in the place of 1 − y²."""

import numpy as np

HINT = "your dx is dy·{what}: the derivative of tanh is 1 − y², with y = tanh(x)"


def ys(wrong):
    """(y, hint) of each mistake of a forward."""
    return ()


def gradients(wrong):
    """(gradient, hint) of each mistake of a backward that is not in the catalogue."""
    if wrong.op != "tanh":
        return
    x = wrong.case.arrays[0]
    y = np.tanh(x)
    for what, slope in (("(1 − x²)", 1 - x * x), ("(1 + y²)", 1 + y * y), ("y", y), ("x", x), ("y²", y * y)):
        yield wrong.dy * slope, HINT.format(what=what)
