"""Formulas on whole feature maps, element by element or channel by channel, on all workers.

Batch normalization is x̂ = (x − μ)·s for each channel, s = 1/√(σ² + ε). It is computed as x·factor + constant. If μ is
a few deviations from zero, that adds no more error than the rounding of x. If μ is farther away it is subtracted first:
(x − mean_hi)·factor + constant, with mean_hi = μ in x's precision. The difference is exact for x close to the mean, and
mean_lo = μ − mean_hi goes into the constant, so nothing is lost.
Arrays of shape (C,) are computed in double precision. x̂ is never kept, because computing it again is cheaper than
reading it from memory.
"""

import numpy as np

from minires.arrays import is_channels_last
from minires.kernels.cpu.channel_stats import FAR, as_feature_map, as_rows, sums_of_products
from minires.kernels.cpu.partition import blockwise


def add(a, b, out=None):
    """a + b, of one shape; into out, which may be a."""
    return blockwise(np.add, a, b, into=out)


def add_relu(a, b):
    """max(a + b, 0), of one shape; a NaN stays NaN."""

    def formula(a, b, zero, out):
        y = np.add(a, b, out=out)
        return np.maximum(y, zero, out=y)

    if is_channels_last(a) and is_channels_last(b):
        return _by_channel(formula, [a, b], [np.zeros(a.shape[1])])
    return blockwise(lambda a, b, out: formula(a, b, 0, out), a, b)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    return _by_channel(np.multiply, [x], [factor])


def relu(x):
    """max(x, 0)."""
    if is_channels_last(x):  # np.maximum of two arrays is four times as fast as of an array and a scalar
        return _by_channel(np.maximum, [x], [np.zeros(x.shape[1])])
    return blockwise(lambda x, out: np.maximum(x, 0, out=out), x)


def relu_dx(dy, y):
    """dy where y > 0, else 0."""
    return blockwise(lambda dy, y, out: masked(dy, y.real > 0, out), dy, y)


def masked(dy, mask, out=None):
    """dy where the mask is True, else 0: its bits as an integer times 1 or 0, because 0·∞ is NaN."""
    if dy.itemsize > 8:  # complex elements of a complex step: no integer type is as long
        return np.multiply(dy, mask, out=out)
    bits = f"i{dy.itemsize}"
    return np.multiply(dy.view(bits), mask, out=None if out is None else out.view(bits)).view(dy.dtype)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,)."""
    factor = weight * inv_std
    mean_hi, mean_lo = _split(mean, inv_std, x)

    def formula(x, factor, constant, zero, out):
        y = np.multiply(x, factor, out=out)
        y += constant
        return np.maximum(y, zero, out=y) if relu else y

    return _by_channel(formula, [_centered(x, mean_hi)], [factor, bias - mean_lo * factor, np.zeros(x.shape[1])])


def affine_in_place(factor, constant, relu):
    """A function (x, channels) that changes x (N,c,H,W) to x·factor + constant, or with relu to its ReLU.

    factor (None for 1) and constant are (C,); x has the channels in the slice.
    """

    def change(x, channels=slice(None)):
        steps = slice(factor is None, 2 + relu)
        vectors = [factor, constant, np.zeros(len(constant))][steps]
        (x,), vectors = as_rows([x], [v[channels] for v in vectors])
        for step, v in zip((np.multiply, np.add, np.maximum)[steps], vectors):
            step(x, v, out=x)

    return change


def normalize_sums(dy, x, mean, inv_std):
    """Σ dy·x̂ and Σ dy over N, H and W -> (C,) and (C,) in float64."""
    mean_hi, mean_lo = _split(mean, inv_std, x)
    sum_dy, products = sums_of_products((dy,), (dy, _centered(x, mean_hi)))
    return (products - mean_lo * sum_dy) * inv_std, sum_dy


def normalize_dx(dy, x, mean, inv_std, weight, dw, db, out=None):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩), as dy·factor − (x·x_coef + offset): dy and x (N,C,H,W), the others (C,).

    dw and db are the sums Σ dy·x̂ and Σ dy. The result goes into out, which may be dy.
    """
    m = x.size // x.shape[1]
    factor = weight * inv_std
    mean_hi, mean_lo = _split(mean, inv_std, x)
    x_coef = factor * inv_std * (dw / m)
    offset = factor * (db / m) - mean_lo * x_coef

    def formula(dy, x, factor, x_coef, offset, out):
        statistics_terms = x * x_coef
        statistics_terms += offset
        dx = np.multiply(dy, factor, out=out)
        dx -= statistics_terms
        return dx

    return _by_channel(formula, [dy, _centered(x, mean_hi)], [factor, x_coef, offset], out)


def _by_channel(formula, arrays, vectors, out=None):
    """formula(*arrays, *vectors, out=None), a part of the images at a time on all workers -> out, or a new one."""
    rows, vectors = as_rows(arrays if out is None else [*arrays, out], vectors)
    into = None if out is None else rows.pop()
    return as_feature_map(blockwise(lambda *rows, out: formula(*rows, *vectors, out=out), *rows, into=into), arrays[0])


def _split(mean, inv_std, x):
    """(mean_hi, mean_lo): the mean in x's precision, to be subtracted from x, and the rest of it.

    If no mean is far from zero nothing is subtracted: (None, mean). Nothing is left of an infinite mean.
    """
    if not bool((abs(mean * inv_std) > FAR).any()):
        return None, mean
    mean_hi = mean.astype(x.dtype)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        mean_lo = mean - mean_hi
    mean_lo[np.isinf(mean_hi)] = 0
    return mean_hi, mean_lo


def _centered(x, mean_hi):
    """x − mean_hi, by channel; x itself for None."""
    return x if mean_hi is None else _by_channel(np.subtract, [x], [mean_hi])
