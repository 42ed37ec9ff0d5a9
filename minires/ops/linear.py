"""Matrix products."""

import math

from minires.errors import ShapeError
from minires.op import op
from minires.ops.arithmetic import unbroadcast


@op
def matmul(a, b):
    """Y = A·B over the last two axes: dA = dY·Bᵀ, dB = Aᵀ·dY; vectors and leading axes as in NumPy."""
    A, B = a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    if not a.ndim or not b.ndim or A.shape[-1] != B.shape[-2]:
        raise ShapeError(f"matmul: {a.shape} and {b.shape} do not fit; the last axis of the first must equal "
                         "the last but one of the second")
    shape_a, shape_b, shape_A, shape_B = a.shape, b.shape, A.shape, B.shape
    try:
        Y = A @ B
    except ValueError:
        raise ShapeError(f"matmul: the leading axes of {shape_a} and {shape_b} do not broadcast") from None
    shape_Y = Y.shape

    def backward(dy, needs=(True, True)):
        dY = dy.reshape(shape_Y)
        dA = unbroadcast(dY @ B.swapaxes(-1, -2), shape_A).reshape(shape_a) if needs[0] else None
        dB = unbroadcast(A.swapaxes(-1, -2) @ dY, shape_B).reshape(shape_b) if needs[1] else None
        return dA, dB
    gone = tuple(i for i, v in ((-2, a.ndim == 1), (-1, b.ndim == 1)) if v)
    return Y.squeeze(gone) if gone else Y, backward


@op
def linear(x, w, b=None):
    """Y = X·Wᵀ + b: dX = dY·W, dW = dYᵀ·X, db = Σ dY.

    x (…,I), w (O,I), b (O,) -> y (…,O).
    """
    if not x.ndim or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ShapeError(f"linear: x {x.shape} and w {w.shape} do not fit; the last axis of x must be w.shape[1]")
    if b is not None and b.shape != w.shape[:1]:
        raise ShapeError(f"linear: bias has shape {b.shape}, {w.shape[0]} outputs need ({w.shape[0]},)")
    shape, (O, I), has_bias = x.shape, w.shape, b is not None
    M = math.prod(shape[:-1])
    X = x.reshape(M, I)  # (…,I) -> (M,I)
    Y = X @ w.T
    if has_bias:
        Y += b

    def backward(dy, needs=(True, True, True)):
        dY = dy.reshape(M, O)  # (…,O) -> (M,O)
        dx = (dY @ w).reshape(shape) if needs[0] else None
        dw = dY.T @ X if needs[1] else None
        return (dx, dw, dY.sum(axis=0)) if has_bias else (dx, dw)
    return Y.reshape((*shape[:-1], O)), backward
