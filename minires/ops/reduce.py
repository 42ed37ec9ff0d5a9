"""Reductions over one, several or all axes (`dim=None`), with torch's names.

Sums, extremes and means take integers and booleans as well, which have no gradient.
"""

import math

import numpy as np

from minires.arrays import array_module
from minires.errors import OptionError, ShapeError
from minires.op import op
from minires.settings import axes, in_range
from minires.tensor import Tensor


def _axes_and_count(name, x, dim):
    """The axes that dim names, all for None and (), and how many numbers meet in one result."""
    found = axes(name, dim, x.ndim)
    return found, math.prod(x.shape[i] for i in found)


def _kept(shape, axes):
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


@op(any_dtype=True)
def sum(x, *, dim=None, keepdim=False):
    """y = Σ x: every x receives ∂L/∂y. Integers and booleans are added up in int64."""
    gone, _ = _axes_and_count("sum", x, dim)
    shape = x.shape
    kept = _kept(x.shape, gone)
    xp = array_module(x)
    dtype = np.int64 if x.dtype.kind in "biu" else None
    return x.sum(axis=gone, keepdims=keepdim, dtype=dtype), lambda dy: xp.broadcast_to(dy.reshape(kept), shape)


@op(any_dtype=True)
def mean(x, *, dim=None, keepdim=False):
    """y = Σ x / m: every x receives ∂L/∂y / m. Integers and booleans are averaged in float32."""
    x = x.astype(np.float32) if x.dtype.kind in "biu" else x
    gone, m = _axes_and_count("mean", x, dim)
    shape = x.shape
    kept = _kept(x.shape, gone)
    xp = array_module(x)
    return x.mean(axis=gone, keepdims=keepdim), lambda dy: xp.broadcast_to(dy.reshape(kept) / m, shape)


@op(any_dtype=True)
def amax(x, *, dim=None, keepdim=False):
    """y = max x: equal maxima share ∂L/∂y equally."""
    return _extreme("amax", x, dim, keepdim)


@op(any_dtype=True)
def amin(x, *, dim=None, keepdim=False):
    """y = min x: equal minima share ∂L/∂y equally."""
    return _extreme("amin", x, dim, keepdim)


def _extreme(name, x, dim, keepdim):
    xp = array_module(x)
    gone, m = _axes_and_count(name, x, dim)
    if m == 0:
        raise ShapeError(f"{name}: nothing to choose from along dim {dim} of shape {x.shape}")
    y = getattr(x, name[1:])(axis=gone, keepdims=True)
    chosen = (x.real == y.real) | xp.isnan(x.real)  # a NaN is its own maximum
    kept = y.shape

    def backward(dy):
        share = chosen.astype(dy.dtype)
        share /= share.sum(axis=gone, keepdims=True)
        return dy.reshape(kept) * share

    return y if keepdim else y.squeeze(gone), backward


def max(x, dim=None, keepdim=False):
    """The maximum of all; along dim the pair (values, indices), as torch.max. See Tensor.max, and amax for values."""
    return _tensor(x).max(dim, keepdim)


def min(x, dim=None, keepdim=False):
    """The minimum of all; along dim the pair (values, indices), as torch.min. See Tensor.min, and amin for values."""
    return _tensor(x).min(dim, keepdim)


def argmax(x, dim=None, keepdim=False):
    """Where the maximum is, the first of several: see Tensor.argmax."""
    return _tensor(x).argmax(dim, keepdim)


def argmin(x, dim=None, keepdim=False):
    """Where the minimum is, the first of several: see Tensor.argmin."""
    return _tensor(x).argmin(dim, keepdim)


def _tensor(x):
    return x if isinstance(x, Tensor) else Tensor(x)


def _freedom(name, m, dim, correction):
    """m − correction, by which squares are divided."""
    freedom = m - in_range(f"{name}: correction", correction, -math.inf)
    if freedom <= 0:
        raise ShapeError(f"{name}: {m} values along dim {dim} leave no degree of freedom (correction={correction})")
    return freedom


@op
def var(x, *, dim=None, correction=1, keepdim=False):
    """y = Σ(x − x̄)²/(m − correction): ∂L/∂x = ∂L/∂y · 2(x − x̄)/(m − correction)."""
    gone, m = _axes_and_count("var", x, dim)
    freedom = _freedom("var", m, dim, correction)
    d = x - x.mean(axis=gone, keepdims=True)
    kept = _kept(x.shape, gone)
    return ((d * d).sum(axis=gone, keepdims=keepdim) / freedom, lambda dy: dy.reshape(kept) * d * (2 / freedom))


@op
def std(x, *, dim=None, correction=1, keepdim=False):
    """y = √var(x): ∂L/∂x = ∂L/∂y · (x − x̄)/((m − correction)·y), and 0 where y = 0, as in torch."""
    gone, m = _axes_and_count("std", x, dim)
    freedom = _freedom("std", m, dim, correction)
    xp = array_module(x)
    d = x - x.mean(axis=gone, keepdims=True)
    y = xp.sqrt((d * d).sum(axis=gone, keepdims=True) / freedom)
    slope = _over(d, y) / freedom
    return y if keepdim else y.squeeze(gone), lambda dy: dy.reshape(y.shape) * slope


@op
def norm(x, *, p=2, dim=None, keepdim=False):
    """y = √(Σ x²), ∂L/∂x = ∂L/∂y · x/y; or with p=1 y = Σ|x|, ∂L/∂x = ∂L/∂y · sign x. At 0 the gradient is 0.

    The squares are of x/max|x|, so that nothing overflows.
    """
    if isinstance(p, bool) or p not in (1, 2):
        raise OptionError(f"norm: p must be 1 or 2, got {p!r}; the maximum norm is x.abs().amax()")
    gone, m = _axes_and_count("norm", x, dim)
    xp = array_module(x)
    if p == 1:
        slope = xp.sign(x.real)
        y = (x * slope).sum(axis=gone, keepdims=True)
    else:
        magnitude = xp.abs(x.real)
        top = magnitude.max(axis=gone, keepdims=True) if m else magnitude.sum(axis=gone, keepdims=True)
        scale = xp.where((top > 0) & xp.isfinite(top), top, 1).astype(top.dtype)
        z = x / scale
        y = xp.sqrt((z * z).sum(axis=gone, keepdims=True)) * scale
        slope = _over(x, y)
    kept = y.shape
    return y if keepdim else y.squeeze(gone), lambda dy: dy.reshape(kept) * slope


def _over(x, y):
    """x/y, and 0 where y is 0."""
    zero = y == 0
    with np.errstate(invalid="ignore"):  # an infinite norm has no slope: NaN, as in torch
        return array_module(x).where(zero, 0, x) / (y + zero)
