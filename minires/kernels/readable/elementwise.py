"""Formulas for single elements, some with a factor of their channel."""

from minires.arrays import array_module


def add(a, b, out=None):
    """a + b, of one shape; into out, which may be a."""
    return array_module(a).add(a, b, out=out)


def add_relu(a, b):
    """max(a + b, 0), of one shape; a NaN stays NaN."""
    return array_module(a).maximum(a + b, 0)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    return (x * factor.reshape(1, -1, 1, 1)).astype(x.dtype, copy=False)


def relu(x):
    """max(x, 0); a NaN stays NaN."""
    return array_module(x).maximum(x, 0)


def relu_dx(dy, y):
    """dy where y > 0, else 0, even where dy is infinite."""
    return array_module(dy).where(y.real > 0, dy, dy.dtype.type(0))
