"""ops/regression.py: losses of the distance between numbers."""

import numpy as np
from against_torch import against_torch, normal
from bad_input import refusals, t

from minires import ops
from minires.errors import OptionError, ShapeError

V = normal(3, 5)
FAR = np.append(V, [1, 2.5]), np.append(normal(15), [1, 0])


def loss(name, **settings):
    return lambda f, x, target: getattr(f, name)(x, target, **settings)


TABLE = []
for reduction in ("mean", "sum", "none"):
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss"):
        TABLE.append((f"{name} {reduction}", loss(name, reduction=reduction), (V, normal(3, 5))))
    for beta in (0, 0.3, 2.5):
        smooth = loss("smooth_l1_loss", reduction=reduction, beta=beta)
        TABLE.append((f"smooth_l1_loss {reduction} {beta}", smooth, FAR))

TestAgainstTorch = against_torch(TABLE)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.mse_loss(t(2, 3), t(3)), "mse_loss: input"),
        (OptionError, lambda: ops.mse_loss(t(2), t(2), reduction="max"), "mse_loss: reduction must be one of"),
        (ShapeError, lambda: ops.l1_loss(t(3), t(3, 1)), r"l1_loss: input \(3,\) and target \(3, 1\) differ"),
        (OptionError, lambda: ops.l1_loss(t(2), t(2), reduction="max"), "l1_loss: reduction must be one of"),
        (ShapeError, lambda: ops.smooth_l1_loss(t(3), t(2)), "smooth_l1_loss: input"),
        (OptionError, lambda: ops.smooth_l1_loss(t(2), t(2), beta=-1), "smooth_l1_loss: beta must be .* 0, got -1"),
        (OptionError, lambda: ops.smooth_l1_loss(t(2), t(2), beta=np.nan), "beta must be a finite .* 0, got nan"),
    ]
)
