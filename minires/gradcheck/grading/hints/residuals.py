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
    yield np.maximum(f, 0), "your y is relu(f): the shortcut is missing, y = relu(x + f)"
    yield np.maximum(x, 0), "your y is relu(x): the branch is missing, y = relu(x + f)"
    yield np.maximum(x * f, 0), "your y is relu(x·f): the block adds, y = relu(x + f)"


def gradients(wrong):
    """(gradient, hint) of another mask than that of the sum, or of a mask in another place."""
    if wrong.op != "residual_add_relu":
        return
    x, f = wrong.case.arrays
    dy = wrong.dy
    y = np.maximum(x + f, 0)
    own = f"your d{wrong.name}"
    for mask, a in (("x", x), ("f", f), ("dy", dy)):
        yield dy * (a > 0), MASKED.format(name=wrong.name, mask=mask)
    yield 1.0 * (y > 0), f"{own} is the mask alone: multiply dy by it, dy * (y > 0)"
    yield dy * y, f"{own} is dy·y: multiply by the mask, dy * (y > 0), because relu has the slope 0 or 1"
    yield dy * (x + f), f"{own} is dy·(x + f): multiply by the mask, dy * (y > 0), because relu has the slope 0 or 1"
    yield dy * (y == 0), f"{own} has its mask turned round: dy passes where y > 0"
    yield y, f"{own} is y: the gradient is made of dy, dy * (y > 0)"
