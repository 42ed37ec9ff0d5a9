"""Reductions over one, several or all axes (`dim=None`), with torch's names."""

import math

from minires.arrays import array_module
from minires.errors import ShapeError
from minires.op import op
from minires.ops.shape import axis


def _axes(x, dim, name):
    """The axes that dim names, and how many numbers meet in one result."""
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = tuple(axis(d, x.ndim, name) for d in dims) if x.ndim else ()
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: dim {dim} names an axis twice")
    return axes, math.prod(x.shape[i] for i in axes)


def _kept(shape, axes):
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


@op
def sum(x, *, dim=None, keepdim=False):
    """y = Σ x: every x receives ∂L/∂y."""
    axes, _ = _axes(x, dim, "sum")
    shape, kept, xp = x.shape, _kept(x.shape, axes), array_module(x)
    return x.sum(axis=axes, keepdims=keepdim), lambda dy: xp.broadcast_to(dy.reshape(kept), shape)


@op
def mean(x, *, dim=None, keepdim=False):
    """y = Σ x / m: every x receives ∂L/∂y / m."""
    axes, m = _axes(x, dim, "mean")
    shape, kept, xp = x.shape, _kept(x.shape, axes), array_module(x)
    return x.mean(axis=axes, keepdims=keepdim), lambda dy: xp.broadcast_to(dy.reshape(kept) / m, shape)


@op
def max(x, *, dim=None, keepdim=False):
    """y = max x, values only (torch.amax); equal greatest values share ∂L/∂y equally."""
    xp = array_module(x)
    axes, m = _axes(x, dim, "max")
    if m == 0:
        raise ShapeError(f"max: nothing to choose from along dim {dim} of shape {x.shape}")
    y = x.max(axis=axes, keepdims=True)
    greatest = ((x.real == y.real) | xp.isnan(x.real)).astype(x.real.dtype)  # a NaN is its own greatest value
    share = greatest / greatest.sum(axis=axes, keepdims=True)
    kept = y.shape
    return y if keepdim else y.squeeze(axes), lambda dy: dy.reshape(kept) * share


@op
def var(x, *, dim=None, correction=1, keepdim=False):
    """y = Σ(x − x̄)²/(m − correction): ∂L/∂x = ∂L/∂y · 2(x − x̄)/(m − correction)."""
    axes, m = _axes(x, dim, "var")
    if m <= correction:
        raise ShapeError(f"var: {m} values along dim {dim} leave no degree of freedom (correction={correction})")
    d = x - x.mean(axis=axes, keepdims=True)
    kept = _kept(x.shape, axes)
    return ((d * d).sum(axis=axes, keepdims=keepdim) / (m - correction),
            lambda dy: dy.reshape(kept) * d * (2 / (m - correction)))
