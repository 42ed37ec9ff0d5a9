"""Changes of shape and place: the gradient goes back the same way."""

import math
import sys
from itertools import accumulate, pairwise

import numpy as np

from minires.arrays import array_module, check_dtype, device_of, empty, holds, is_array, memory_order, to_device
from minires.errors import DTypeError, OptionError, ShapeError
from minires.indexing import two_steps
from minires.op import op
from minires.ops.arithmetic import unbroadcast
from minires.settings import axes, axis, integer, shortened


def _integers(name, values):
    """Sizes or axes as a tuple of integers. Raises DTypeError."""
    try:
        return tuple([integer(name, value) for value in values])
    except TypeError:
        raise DTypeError(f"{name}: needs a tuple of integers, got {values!r}") from None


@op(any_dtype=True, view=True)
def reshape(x, *, shape):
    """y = x in another shape with as many elements; one size may be −1."""
    shape_x = x.shape
    shape = _integers("reshape", shape)
    try:
        y = x.reshape(shape) if min(shape, default=0) >= -1 else None
    except (ValueError, OverflowError):
        y = None
    if y is None:
        raise ShapeError(f"reshape: {x.size} elements of shape {shape_x} do not fill {shape}") from None
    return y, lambda dy: dy.reshape(shape_x)


@op(any_dtype=True, view=True)
def permute(x, *, dims):
    """y.shape[i] = x.shape[dims[i]], a view."""
    order = tuple(axis("permute", d, x.ndim) for d in _integers("permute", dims))
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"permute: dims {tuple(dims)} must name each of the {x.ndim} axes once")
    back = tuple(order.index(i) for i in range(x.ndim))
    return x.transpose(order), lambda dy: dy.transpose(back)


@op(any_dtype=True, view=True)
def transpose(x, *, dim0, dim1):
    """y = x with two axes exchanged, a view."""
    i = axis("transpose", dim0, x.ndim)
    j = axis("transpose", dim1, x.ndim)
    if not x.ndim:
        return x, lambda dy: dy
    return x.swapaxes(i, j), lambda dy: dy.swapaxes(i, j)


@op(any_dtype=True, view=True)
def flatten(x, *, start_dim=0, end_dim=-1):
    """y = x with the axes start_dim … end_dim made one, in (N,C,H,W) order whatever the memory format."""
    shape = x.shape
    first = axis("flatten", start_dim, x.ndim)
    last = axis("flatten", end_dim, x.ndim)
    if first > last:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    size = math.prod(shape[first : last + 1])
    return x.reshape((*shape[:first], size, *shape[last + 1 :])), lambda dy: dy.reshape(shape)


@op(any_dtype=True, variadic=True)
def cat(*xs, dim=0):
    """y = the xs one after another along an axis that exists: each takes its part of ∂L/∂y."""
    i = _axis_to_join("cat", xs, dim, xs[0].ndim if xs else 0)
    for x in xs:
        if x.shape[:i] + x.shape[i + 1 :] != xs[0].shape[:i] + xs[0].shape[i + 1 :]:
            raise ShapeError(f"cat: shapes {xs[0].shape} and {x.shape} differ in another axis than dim {dim}")
    ends = accumulate((x.shape[i] for x in xs), initial=0)
    parts = [(slice(None),) * i + (slice(a, b),) for a, b in pairwise(ends)]
    return array_module(*xs).concatenate(xs, axis=i), lambda dy: tuple(dy[part] for part in parts)


@op(any_dtype=True, variadic=True)
def stack(*xs, dim=0):
    """y = the xs one after another along a new axis: each takes its slice of ∂L/∂y."""
    i = _axis_to_join("stack", xs, dim, xs[0].ndim + 1 if xs else 0)
    for x in xs:
        if x.shape != xs[0].shape:
            raise ShapeError(f"stack: shapes {xs[0].shape} and {x.shape} differ")
    count = len(xs)
    slices = [(slice(None),) * i + (k,) for k in range(count)]
    return (
        array_module(*xs).concatenate([_with_axis("stack", x, i) for x in xs], axis=i),
        lambda dy: tuple(dy[part] for part in slices),
    )


def _with_axis(name, x, i):
    """x with a new axis of length 1 at i, a view. Raises ShapeError where an array cannot have so many axes."""
    try:
        return x.reshape((*x.shape[:i], 1, *x.shape[i:]))
    except ValueError:
        raise ShapeError(f"{name}: x has {x.ndim} axes already, as many as an array can have") from None


def _axis_to_join(name, xs, dim, ndim):
    if not xs:
        raise ShapeError(f"{name}: needs at least one tensor")
    if not ndim:
        raise ShapeError(f"{name}: a 0-d tensor has no axis to be joined along; use stack")
    return axis(name, dim, ndim)


@op(any_dtype=True, view=True)
def getitem(x, *, index):
    """y = x[index], as in torch: ∂L/∂x is ∂L/∂y put back, added up where an index array names an element twice.

    The gradients of an element that is named m times are added one after another, as in PyTorch. The error is up to
    m·u·Σ|∂L/∂y|, where u is half the distance from 1 to the next float.
    """
    shape = x.shape
    dtype = x.dtype
    order = memory_order(x)
    xp = array_module(x)
    first, second = two_steps("getitem", index, xp, x.ndim)
    may_repeat = second is not None and any(is_array(i) and i.dtype != np.bool_ for i in second)
    try:
        y = x[first] if second is None else x[first][second]
    except IndexError as error:
        raise IndexError(f"getitem: {error} (shape {shape})") from None

    def backward(dy):
        dx = empty(shape, dtype, order, xp)
        dx[...] = 0
        part, at = (dx, first) if second is None else (dx[first], second)
        if may_repeat:  # an index array may name an element twice
            xp.add.at(part, at, dy)
        else:
            part[at] = dy
        return dx

    return y, backward


@op(any_dtype=True)
def pad(x, *, pad, value=0.0):
    """y = x with constant borders; pad = (left, right, top, bottom, …) from the last axis on, as in torch.

    ∂L/∂x is the part of ∂L/∂y that lies inside. nn.functional.pad takes PyTorch's mode before value.
    """
    pad = _integers("pad", pad)
    if len(pad) % 2 or len(pad) > 2 * x.ndim or any(p < 0 for p in pad):
        raise ShapeError(f"pad: needs two widths >= 0 for each of up to {x.ndim} axes, last axis first, got {pad}")
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[-2::-2], pad[-1::-2]))
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape))
    xp = array_module(x)
    value = _fill_value(value, x.dtype)
    y = empty(tuple(a + n + b for (a, b), n in zip(widths, x.shape)), x.dtype, memory_order(x), xp)
    y[...] = value
    y[inside] = x
    return y, lambda dy: dy[inside]


def _fill_value(value, dtype):
    """value as a Python number that an array of this dtype holds."""
    if not isinstance(value, (int, float)) or not holds(dtype, value):
        raise OptionError(f"pad: value must be a number that fits into {dtype}, got {shortened(value)}")
    return value


@op(any_dtype=True, view=True)
def broadcast_to(x, *, shape):
    """y = x repeated to `shape`, a view: ∂L/∂x is the sum over the repetitions."""
    shape_x = x.shape
    shape = _integers("broadcast_to", shape)
    return _repeated("broadcast_to", x, shape), lambda dy: unbroadcast(dy, shape_x)


@op(any_dtype=True, view=True)
def expand(x, *, sizes):
    """y = x repeated to these sizes, a view; −1 leaves an axis as it is: ∂L/∂x is the sum over the repetitions."""
    sizes = _integers("expand", sizes)
    shape_x = x.shape
    new = len(sizes) - x.ndim
    if (
        new < 0
        or any(n < 0 for n in sizes[:new])
        or any(n != old and (n < -1 or (n > -1 and old != 1)) for n, old in zip(sizes[new:], shape_x))
    ):
        raise ShapeError(
            f"expand: {shape_x} does not expand to {sizes}; only axes of length 1 are repeated, "
            "new ones stand in front, and -1 leaves an axis as it is"
        )
    shape = sizes[:new] + tuple(old if n == -1 else n for n, old in zip(sizes[new:], shape_x))
    return _repeated("expand", x, shape), lambda dy: unbroadcast(dy, shape_x)


def _repeated(name, x, shape):
    """x repeated to the shape, a view. Raises ShapeError."""
    if math.prod(shape) * x.itemsize > sys.maxsize:
        raise ShapeError(f"{name}: an array of shape {shape} is larger than any can be")
    try:
        return array_module(x).broadcast_to(x, shape)
    except (ValueError, OverflowError):
        raise ShapeError(f"{name}: {x.shape} does not broadcast to {shape}") from None


@op(any_dtype=True, view=True)
def squeeze(x, *, dim=None):
    """y = x without its axes of length 1, or without those among them that dim names (one or several)."""
    dims = () if isinstance(dim, (tuple, list)) and not dim else axes("squeeze", dim, x.ndim)
    shape_x = x.shape
    shape = tuple(n for i, n in enumerate(shape_x) if n != 1 or i not in dims)
    return x.reshape(shape), lambda dy: dy.reshape(shape_x)


@op(any_dtype=True, view=True)
def unsqueeze(x, *, dim):
    """y = x with a new axis of length 1 at dim."""
    i = axis("unsqueeze", dim, x.ndim + 1)
    shape_x = x.shape
    return _with_axis("unsqueeze", x, i), lambda dy: dy.reshape(shape_x)


@op(any_dtype=True, integers=("indices",))
def take_along_dim(x, indices, *, dim):
    """y[…, i, …] = x[…, indices[…, i, …], …] along dim: ∂L/∂x is ∂L/∂y put back, added up where indices repeat.

    indices: integers in −n … n − 1, with as many axes as x and its sizes, except along dim; −1 is the last.
    A 0-d x is treated as 1-d, with n = 1. The error of ∂L/∂x is that of getitem.
    Raises IndexError for an index outside.
    """
    i = axis("take_along_dim", dim, x.ndim)
    shape = x.shape
    if getattr(indices, "dtype", None) is None or indices.dtype.kind not in "iu":
        raise DTypeError("take_along_dim: indices must be an array of integers, as argmax(keepdim=True) gives")
    if x.ndim != indices.ndim or shape[:i] + shape[i + 1 :] != indices.shape[:i] + indices.shape[i + 1 :]:
        raise ShapeError(f"take_along_dim: x {shape} and indices {indices.shape} differ in another axis than dim {dim}")
    xp = array_module(x)
    n = shape[i] if shape else 1
    outside = indices[(indices < -n) | (indices >= n)]
    if outside.size:
        raise IndexError(f"take_along_dim: index {int(outside[0])} is none of {-n} … {n - 1}, dim {dim} of x {shape}")
    if not shape:
        return x.copy(), lambda dy: (dy, None)
    places = list(xp.ogrid[tuple(slice(n) for n in indices.shape)])
    places[i] = indices.astype(np.intp)  # a copy, as backward reads it
    places = tuple(places)

    def backward(dy):
        dx = xp.zeros(shape, dy.dtype)
        xp.add.at(dx, places, dy)
        return dx, None

    return x[places], backward


@op(any_dtype=True)
def clone(x, *, order="K"):
    """y = a copy of x, in memory as x lies, or row by row with order="C": ∂L/∂x = ∂L/∂y."""
    if not isinstance(order, str) or order not in ("K", "C"):
        raise OptionError(f"clone: order must be 'K' or 'C', got {shortened(order)}")
    return x.copy(order=order), lambda dy: dy


@op(any_dtype=True, view=True)
def to(x, *, device=None, dtype=None):
    """y = x in the memory of `device`, or with another dtype: ∂L/∂x goes back, and takes x's dtype again.

    Integers have no gradient: y of an integer dtype has left the graph.
    """
    device_x = device_of(x)
    dtype_x = x.dtype
    y = x if device is None else to_device(x, device)
    y = y if dtype is None else y.astype(check_dtype(dtype), copy=False)
    return y, lambda dy: to_device(dy.astype(dtype_x, copy=False), device_x)
