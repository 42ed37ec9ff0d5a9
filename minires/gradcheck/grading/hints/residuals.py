"""Mistakes of the residual add: a ReLU that is missing or comes too early, a mask of x or f and not of their sum."""

import numpy as np

EARLY = "your y is {what}: the ReLU comes after the add, y = relu(x + f)"
MASKED = "your d{name} has the mask {mask} > 0: the ReLU comes after the add, so its mask is that of the sum, y > 0"


def ys(wrong):
    """(y, hint) of a ReLU in another place."""
    if wrong.op not in ("residual_add", "residual_add_relu"):
        return
    x, f = wrong.case.arrays
    if wrong.op == "residual_add":
        yield np.maximum(x + f, 0), "your y is relu(x + f): this op has no ReLU, y = x + f"
        return
    yield x + f, "your y is x + f: the ReLU after the add is missing, y = relu(x + f)"
    yield x + np.maximum(f, 0), EARLY.format(what="x + relu(f)")
    yield np.maximum(x, 0) + f, EARLY.format(what="relu(x) + f")
    yield np.maximum(x, 0) + np.maximum(f, 0), EARLY.format(what="relu(x) + relu(f)")


def gradients(wrong):
    """(gradient, hint) of the mask of one of the two, its own or the other's."""
    if wrong.op == "residual_add_relu":
        for mask, a in zip("xf", wrong.case.arrays):
            yield wrong.dy * (a > 0), MASKED.format(name=wrong.name, mask=mask)
