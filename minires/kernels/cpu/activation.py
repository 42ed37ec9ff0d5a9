"""Activations on all workers, a block of elements at a time, so that intermediate results stay in a cache.

SiLU's slope is kept in place of x. It needs one multiplication in backward, where x would need the exponential again.
"""

import numpy as np

from minires.arrays import empty, memory_order
from minires.kernels.cpu.elementwise import masked
from minires.kernels.cpu.threads import buffer, parallel_for
from minires.kernels.readable import activation as readable

BLOCK = 1 << 17  # elements; with fewer, starting NumPy's loops takes a part of the time
WORK = 100  # multiplications of a matrix product that take as long as a formula for one element


def relu6(x):
    """min(max(x, 0), 6); a NaN stays NaN."""
    return in_blocks(_relu6, x)[0] if x.dtype.kind == "f" else readable.relu6(x)


def _relu6(x, y):
    np.clip(x, 0, 6, out=y)  # three times as fast as a maximum and a minimum


def relu6_dx(dy, y):
    """dy where 0 < y < 6, else 0, even where dy is infinite."""
    return in_blocks(_relu6_dx, dy, y)[0] if dy.dtype.kind == "f" else readable.relu6_dx(dy, y)


def _relu6_dx(dy, y, dx):
    inside = np.greater(y, 0, out=buffer("inside", y.shape, bool))
    inside &= np.less(y, 6, out=buffer("below 6", y.shape, bool))
    masked(dy, inside, dx)


def silu(x):
    """y = x·σ(x), and its slope σ + y·(1 − σ)."""
    return in_blocks(_silu, x, results=2) if x.dtype.kind == "f" else readable.silu(x)


def _silu(x, y, slope):
    s = np.negative(x, out=slope)
    # e^∞ = ∞ gives σ = 0, as it should, and −∞·0 is NaN, as in PyTorch; a worker does not know its caller's errstate
    with np.errstate(over="ignore", invalid="ignore"):
        np.exp(s, out=s)
        s += 1
        np.divide(1, s, out=s)  # σ = 1/(1 + e⁻ˣ)
        np.multiply(x, s, out=y)
        t = np.subtract(1, s, out=buffer("silu", x.shape, x.dtype))
        t *= y
        slope += t


def in_blocks(formula, first, *others, results=1):
    """formula(*blocks, *blocks of new arrays) for all blocks of arrays of one shape -> the new arrays.

    All arrays are taken in the order in which the first lies in memory, and the new ones lie like it.
    """
    order = memory_order(first)
    new = [empty(first.shape, first.dtype, order) for _ in range(results)]
    flat = [a.transpose(order).reshape(-1) for a in (first, *others, *new)]

    def block(part):
        formula(*(a[part] for a in flat))

    size = first.size
    parallel_for(block, [slice(k, k + BLOCK) for k in range(0, size, BLOCK)], WORK * size)
    return new
