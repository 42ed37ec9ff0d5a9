"""Reductions over one, several or all axes (`dim=None`), with torch's names.

Sums, extremes and means take integers and booleans as well, which have no gradient. kernels/readable/sums.py adds up.
"""

import math

import numpy as np

from minires import kernels
from minires.arrays import array_module
from minires.errors import OptionError, ShapeError
from minires.op import op
from minires.settings import axes, in_range
from minires.tensor import Tensor


def _dims_and_count(name, x, dim):
    """The axes that dim names (all for None and ()), and how many elements of x make one element of y."""
    dims = axes(name, dim, x.ndim)
    return dims, math.prod(x.shape[i] for i in dims)


def _keepdim_shape(shape, dims):
    return tuple(1 if i in dims else n for i, n in enumerate(shape))


@op(any_dtype=True)
def sum(x, *, dim=None, keepdim=False):
    """y = Σ x: every x receives ∂L/∂y. Integers and booleans are added up in int64."""
    dims, _ = _dims_and_count("sum", x, dim)
    shape = x.shape
    keepdim_shape = _keepdim_shape(x.shape, dims)
    xp = array_module(x)
    if x.dtype.kind in "biu":
        y = x.sum(axis=dims, keepdims=keepdim, dtype=np.int64)
    else:
        y = kernels.sums(x, dims, keepdim)
    return y, lambda dy: xp.broadcast_to(dy.reshape(keepdim_shape), shape)


@op(any_dtype=True)
def mean(x, *, dim=None, keepdim=False):
    """y = Σ x / m: every x receives ∂L/∂y / m. Integers and booleans are averaged in float32."""
    x = x.astype(np.float32) if x.dtype.kind in "biu" else x
    dims, m = _dims_and_count("mean", x, dim)
    shape = x.shape
    keepdim_shape = _keepdim_shape(x.shape, dims)
    xp = array_module(x)
    y = kernels.sums(x, dims, keepdim) / (m or math.nan)  # NaN of no elements, as in torch
    return y, lambda dy: xp.broadcast_to(dy.reshape(keepdim_shape) / m, shape)


@op(any_dtype=True)
def amax(x, *, dim=None, keepdim=False):
    """y = max x: equal maxima get equal parts of ∂L/∂y."""
    return _extreme("amax", x, dim, keepdim)


@op(any_dtype=True)
def amin(x, *, dim=None, keepdim=False):
    """y = min x: equal minima get equal parts of ∂L/∂y."""
    return _extreme("amin", x, dim, keepdim)


def _extreme(name, x, dim, keepdim):
    xp = array_module(x)
    dims, m = _dims_and_count(name, x, dim)
    if m == 0:
        raise ShapeError(f"{name}: nothing to choose from along dim {dim} of shape {x.shape}")
    y = getattr(x, name[1:])(axis=dims, keepdims=True)
    is_extreme = (x.real == y.real) | xp.isnan(x.real)  # a NaN is its own maximum
    keepdim_shape = y.shape

    def backward(dy):
        fraction = is_extreme.astype(dy.dtype)
        fraction /= kernels.sums(fraction, dims, keepdims=True)
        return dy.reshape(keepdim_shape) * fraction

    return y if keepdim else y.squeeze(dims), backward


def max(x, dim=None, keepdim=False):
    """The maximum of all; along dim the pair (values, indices), as torch.max. See Tensor.max, and amax for values."""
    return _as_tensor(x).max(dim, keepdim)


def min(x, dim=None, keepdim=False):
    """The minimum of all; along dim the pair (values, indices), as torch.min. See Tensor.min, and amin for values."""
    return _as_tensor(x).min(dim, keepdim)


def argmax(x, dim=None, keepdim=False):
    """Where the maximum is, the first of several: see Tensor.argmax."""
    return _as_tensor(x).argmax(dim, keepdim)


def argmin(x, dim=None, keepdim=False):
    """Where the minimum is, the first of several: see Tensor.argmin."""
    return _as_tensor(x).argmin(dim, keepdim)


def _as_tensor(x):
    return x if isinstance(x, Tensor) else Tensor(x)


def _degrees_of_freedom(name, m, dim, correction):
    """m − correction, by which the sum of squares is divided."""
    degrees = m - in_range(f"{name}: correction", correction, -math.inf)
    if degrees <= 0:
        raise ShapeError(f"{name}: {m} values along dim {dim} leave no degree of freedom (correction={correction})")
    return degrees


@op
def var(x, *, dim=None, correction=1, keepdim=False):
    """y = Σ(x − x̄)²/(m − correction): ∂L/∂x = ∂L/∂y · 2(x − x̄)/(m − correction)."""
    dims, m = _dims_and_count("var", x, dim)
    degrees = _degrees_of_freedom("var", m, dim, correction)
    d = x - kernels.sums(x, dims, keepdims=True) / m
    keepdim_shape = _keepdim_shape(x.shape, dims)
    return (kernels.sums(d * d, dims, keepdim) / degrees, lambda dy: dy.reshape(keepdim_shape) * d * (2 / degrees))


@op
def std(x, *, dim=None, correction=1, keepdim=False):
    """y = √var(x): ∂L/∂x = ∂L/∂y · (x − x̄)/((m − correction)·y), and 0 where y = 0, as in torch."""
    dims, m = _dims_and_count("std", x, dim)
    degrees = _degrees_of_freedom("std", m, dim, correction)
    xp = array_module(x)
    d = x - kernels.sums(x, dims, keepdims=True) / m
    y = xp.sqrt(kernels.sums(d * d, dims, keepdims=True) / degrees)
    slope = _quotient(d, y) / degrees
    return y if keepdim else y.squeeze(dims), lambda dy: dy.reshape(y.shape) * slope


@op
def norm(x, *, p=2, dim=None, keepdim=False):
    """y = √(Σ x²), ∂L/∂x = ∂L/∂y · x/y; or with p=1 y = Σ|x|, ∂L/∂x = ∂L/∂y · sign x. At 0 the gradient is 0.

    The squares are of x/max|x|, so that nothing overflows.
    """
    if isinstance(p, bool) or p not in (1, 2):
        raise OptionError(f"norm: p must be 1 or 2, got {p!r}; the maximum norm is x.abs().amax()")
    dims, m = _dims_and_count("norm", x, dim)
    xp = array_module(x)
    if p == 1:
        slope = xp.sign(x.real)
        y = kernels.sums(x * slope, dims, keepdims=True)
    else:
        magnitude = xp.abs(x.real)
        largest = magnitude.max(axis=dims, keepdims=True) if m else magnitude.sum(axis=dims, keepdims=True)
        scale = xp.where((largest > 0) & xp.isfinite(largest), largest, 1).astype(largest.dtype)
        z = x / scale
        y = xp.sqrt(kernels.sums(z * z, dims, keepdims=True)) * scale
        slope = _quotient(x, y)
    keepdim_shape = y.shape
    return y if keepdim else y.squeeze(dims), lambda dy: dy.reshape(keepdim_shape) * slope


def _quotient(x, y):
    """x/y, and 0 where y is 0."""
    zero = y == 0
    with np.errstate(invalid="ignore"):  # an infinite norm has no slope: NaN, as in torch
        return array_module(x).where(zero, 0, x) / (y + zero)
