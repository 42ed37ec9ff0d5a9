"""GELU and its slope on all workers, a block of elements at a time, so that intermediate results stay in a cache.

In float32 the tail of the normal distribution, 1 − Φ(a) for a = |x|, is t·p(t)·exp(−a²/2) with t = 1/(1 + 0.4·a/√2) and
a polynomial p. That is the form of Abramowitz & Stegun 1964, 7.1.26, with one more coefficient and another factor in t.
The coefficients make the largest error of the tail as small as possible, 1.4e-8: a quarter of a rounding unit of 1.
Then x·Φ(x) = max(x, 0) − a·tail, and the slope is ½ ± (½ − tail + a·φ(a)) with x's sign.
"""

import math

import numpy as np

from minires.kernels.cpu.activation import in_blocks
from minires.kernels.cpu.threads import buffer, scratch
from minires.kernels.readable.gelu import gelu as readable_gelu

BEYOND = 20.0  # |x| from which on y is x or 0; an infinity times 0 would be NaN
FACTOR = 0.4 / math.sqrt(2)
TAIL = (0.115961365, 0.08090983, 0.234141875, -0.185459805, 0.354577195, -0.10013047)  # of t, t² … t⁶


def gelu(x):
    """y = x·Φ(x) and dy/dx, of x's shape; they lie in memory as x does."""
    if x.dtype.kind != "f":  # complex elements of a complex step
        return readable_gelu(x)
    return in_blocks(_in_float32 if x.dtype == np.float32 else _in_float64, x, results=2)


def _in_float64(x, y, slope):
    y[...], slope[...] = readable_gelu(x)


def _in_float32(x, y, slope):
    a = np.abs(x, out=buffer("gelu a", x.shape, x.dtype))
    np.clip(a, 0, np.float32(BEYOND), out=a)
    t = np.multiply(a, np.float32(FACTOR), out=buffer("gelu t", x.shape, x.dtype))
    t += 1
    np.divide(1, t, out=t)
    tail = np.multiply(t, np.float32(TAIL[-1]), out=buffer("gelu tail", x.shape, x.dtype))
    for c in TAIL[-2::-1]:
        tail += np.float32(c)
        tail *= t
    e = np.multiply(a, a, out=t)
    e *= np.float32(-0.5)
    np.exp(e, out=e)
    tail *= e
    np.maximum(x, scratch("gelu zeros", x.shape, x.dtype), out=y)  # of an array: faster than of a number
    y -= np.multiply(a, tail, out=slope)
    e *= a
    e *= np.float32(1 / math.sqrt(2 * math.pi))
    e -= tail
    e += np.float32(0.5)  # Φ(a) − ½ + a·φ(a), which is odd in a
    np.copysign(e, x, out=slope)
    slope += np.float32(0.5)
