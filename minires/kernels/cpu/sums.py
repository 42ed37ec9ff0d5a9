"""Sums over axes, as exact as NumPy's sum of neighbours in memory.

NumPy adds neighbours in memory pairwise: of m elements the error is about log₂(m)·u·Σ|x|, where u is half the distance
from 1 to the next float [Higham 1993]. Along other axes it adds one after another, with an error of up to m·u·Σ|x|. So
a float32 sum over the rows of a large matrix would lose digits: 4 % at 2²² rows of 0.1.
"""

import math

import numpy as np

from minires.arrays import array_module
from minires.kernels.cpu.channel_stats import TILE


def sums(x, axes, keepdims=False):
    """Σ x over the axes, with an error of at most (TILE + 20 + log₂ m)·u·Σ|x| for m elements.

    At most TILE elements are added one after another in x's own precision, and the sums of these tiles in float64.
    """
    y = _sums(x, axes)
    return y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])


def _sums(x, axes):
    """Σ x over the axes, which stay with length 1."""
    in_a_row = _in_a_row(x, axes)
    if in_a_row <= TILE:
        return x.sum(axis=axes, keepdims=True)
    i = max((i for i in axes if x.shape[i] > 1), key=lambda i: abs(x.strides[i]))  # the slowest in memory
    n = x.shape[i]
    k = max(1, TILE * n // in_a_row)  # of n, in one tile
    if n % k:
        tiles, rest = np.split(x, [n - n % k], axis=i)
        return _sums(tiles, axes) + _sums(rest, axes)
    tiles = x.reshape(*x.shape[:i], n // k, k, *x.shape[i + 1 :])
    of_tiles = _sums(tiles, tuple(j + (j >= i) for j in axes))  # (…,n,…) -> (…,n/k,1,…)
    double = array_module(x).result_type(x.dtype, np.float64)
    return of_tiles.sum(axis=i, dtype=double).astype(x.dtype, copy=False)


def _in_a_row(x, axes):
    """How many elements NumPy adds one after another: all, divided by the number that it adds pairwise."""
    count = math.prod(x.shape[i] for i in axes)
    step = 0
    for i in sorted((i for i, n in enumerate(x.shape) if n > 1), key=lambda i: abs(x.strides[i])):
        if i not in axes or not x.strides[i] or step not in (0, x.strides[i]):
            break
        count //= x.shape[i]
        step = x.strides[i] * x.shape[i]
    return count
