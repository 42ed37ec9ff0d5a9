"""Elementwise arithmetic with broadcasting: what was broadcast forward is summed backward.

Two operands may be a Python number, and integers beside floats, whose dtype they take.
"""

import math

import numpy as np

from minires import kernels
from minires.arrays import array_module, holds
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import op
from minires.settings import shortened


def _shape(a):
    return None if isinstance(a, (int, float)) else a.shape


def _broadcastable_shapes(name, a, b):
    """The shapes of a and b (None for a Python number). Raises ShapeError if they do not broadcast."""
    shape_a = _shape(a)
    shape_b = _shape(b)
    for m, n in zip((shape_a or ())[::-1], (shape_b or ())[::-1]):
        if m != n and m != 1 and n != 1:
            raise ShapeError(
                f"{name}: shapes {shape_a} and {shape_b} do not broadcast; from the right, sizes must be equal or 1"
            )
    return shape_a, shape_b


def unbroadcast(dy, shape):
    """∂L/∂x for an x of `shape` that was broadcast to dy's shape: the sum over the broadcast axes."""
    if shape is None:  # a Python number has no gradient
        return None
    stretched = _stretched(dy, shape)
    return kernels.sums(dy, stretched).reshape(shape) if stretched else dy


def _stretched(dy, shape):
    """The axes of dy along which an array of `shape` was broadcast."""
    extra = dy.ndim - len(shape)
    return tuple(i for i, n in enumerate(dy.shape) if i < extra or (shape[i - extra] == 1 and n != 1))


def _unbroadcast_product(dy, b, shape):
    """unbroadcast(dy·b, shape), in fewer passes."""
    if shape is None:
        return None
    stretched = _stretched(dy, shape)
    return kernels.multiply_sum(dy, b, stretched).reshape(shape) if stretched else kernels.multiply(dy, b)


@op(numbers=True)
def add(a, b):
    """y = a + b: ∂L/∂a = ∂L/∂b = ∂L/∂y."""
    shape_a, shape_b = _broadcastable_shapes("add", a, b)
    return a + b, lambda dy: (unbroadcast(dy, shape_a), unbroadcast(dy, shape_b))


@op(numbers=True)
def sub(a, b):
    """y = a − b: ∂L/∂a = ∂L/∂y, ∂L/∂b = −∂L/∂y."""
    if all(getattr(v, "dtype", None) == np.bool_ for v in (a, b)):
        raise DTypeError("sub: booleans are not subtracted; a ^ b says where they differ, a.float() - b counts")
    shape_a, shape_b = _broadcastable_shapes("sub", a, b)
    return a - b, lambda dy: (unbroadcast(dy, shape_a), unbroadcast(-dy, shape_b))


@op(numbers=True)
def mul(a, b):
    """y = a·b: ∂L/∂a = ∂L/∂y·b, ∂L/∂b = ∂L/∂y·a  (kernels/readable/products.py)."""
    shape_a, shape_b = _broadcastable_shapes("mul", a, b)
    return kernels.multiply(a, b), lambda dy: (
        _unbroadcast_product(dy, b, shape_a),
        _unbroadcast_product(dy, a, shape_b),
    )


def _as_floats(a):
    """Integers as float32; all else as it is."""
    return a.astype(np.float32) if _shape(a) is not None and a.dtype.kind in "biu" else a


@op(numbers=True)
def div(a, b):
    """y = a/b: ∂L/∂a = ∂L/∂y / b, ∂L/∂b = −∂L/∂y · y/b."""
    shape_a, shape_b = _broadcastable_shapes("div", a, b)
    a = _as_floats(a)
    b = _as_floats(b)
    y = a / b
    return y, lambda dy: (unbroadcast(dy / b, shape_a), unbroadcast(-dy * y / b, shape_b))


@op(needs=True, numbers=True)
def pow(a, b):
    """y = aᵇ: ∂L/∂a = ∂L/∂y·b·aᵇ⁻¹, ∂L/∂b = ∂L/∂y·y·ln a.

    0⁰ = 1. ∂L/∂a is 0 where b = 0, and ∂L/∂b is 0 where a = 0 and b ≥ 0, as in torch.
    ∂L/∂b is NaN where a is negative: aᵇ is a real number at whole b only, so that it has no slope there.
    Raises OptionError for a negative power of integers, which would be a fraction.
    """
    shape_a, shape_b = _broadcastable_shapes("pow", a, b)
    xp = array_module(a, b)
    try:
        y = a**b
    except ValueError:
        raise OptionError("pow: integers have no negative powers; make floats of them first, with .float()") from None

    def backward(dy, needs=(True, True)):
        da = db = None
        if needs[0] and shape_a is not None:
            exponent = xp.where(b == 0, 0, b - 1) if shape_b is not None else b - 1 if b else 0
            da = unbroadcast(dy * b * a**exponent, shape_a)
        if needs[1] and shape_b is not None:
            base = xp.asarray(a, y.dtype)  # a may be a Python number
            db = unbroadcast(dy * y * xp.log(xp.where((base == 0) & (b >= 0), 1, base)), shape_b)
        return da, db

    return y, backward


@op(any_dtype=True)
def neg(x):
    """y = −x."""
    if x.dtype.kind == "b":
        raise DTypeError("neg: booleans have no sign; ~x is their opposite, and -x.float() counts")
    return -x, lambda dy: -dy


@op(any_dtype=True)
def abs(x):
    """y = |x|: ∂L/∂x = ∂L/∂y·sign(x), 0 at the kink and NaN at a NaN."""
    xp = array_module(x)
    sign = xp.sign(x.real)
    return x * sign, lambda dy: dy * sign


@op
def exp(x):
    """y = eˣ: ∂L/∂x = ∂L/∂y·y."""
    y = array_module(x).exp(x)
    return y, lambda dy: dy * y


@op
def log(x):
    """y = ln x: ∂L/∂x = ∂L/∂y / x."""
    return array_module(x).log(x), lambda dy: dy / x


@op
def sqrt(x):
    """y = √x: ∂L/∂x = ∂L/∂y / 2y."""
    y = array_module(x).sqrt(x)
    return y, lambda dy: dy / (2 * y)


@op(numbers=True)
def maximum(a, b):
    """y = max(a, b), elementwise; where they are equal each takes half of ∂L/∂y, as in torch.maximum."""
    return _elementwise_extreme("maximum", a, b)


@op(numbers=True)
def minimum(a, b):
    """y = min(a, b), elementwise; where they are equal each takes half of ∂L/∂y, as in torch.minimum."""
    return _elementwise_extreme("minimum", a, b)


def _elementwise_extreme(name, a, b):
    shape_a, shape_b = _broadcastable_shapes(name, a, b)
    xp = array_module(a, b)
    larger, smaller = (a, b) if name == "maximum" else (b, a)

    def backward(dy):
        tie = xp.where(a.real == b.real, dy / 2, 0)
        return (
            unbroadcast(xp.where(larger.real > smaller.real, dy, tie), shape_a),
            unbroadcast(xp.where(smaller.real > larger.real, dy, tie), shape_b),
        )

    return getattr(xp, name)(a, b), backward


@op(numbers=True, integers=("condition",))
def where(condition, a, b):
    """y = a where the condition is true, else b: each takes ∂L/∂y where it was chosen, and 0 elsewhere.

    condition (booleans), a and b broadcast; a and b may be Python numbers.
    """
    if getattr(condition, "dtype", object) != np.bool_:
        kind = getattr(condition, "dtype", type(condition).__name__)
        raise DTypeError(f"where: the condition must be an array of booleans, such as x > 0, got {kind}")
    _broadcastable_shapes("where", condition, a)
    _broadcastable_shapes("where", condition, b)
    shape_a, shape_b = _broadcastable_shapes("where", a, b)
    xp = array_module(condition, a, b)
    condition = xp.asarray(condition)
    y = xp.where(condition, a, b)
    if shape_a is None and shape_b is None and y.dtype.kind in "fi":  # of Python numbers: int32 only in a browser
        y = y.astype(np.float32 if y.dtype.kind == "f" else np.int64, copy=False)

    def backward(dy):
        return (
            None,
            unbroadcast(xp.where(condition, dy, 0), shape_a),
            unbroadcast(xp.where(condition, 0, dy), shape_b),
        )

    return y, backward


def _bound(x, name, bound, default):
    """A bound of clip: a number, or an array of x's dtype that broadcasts to x."""
    if bound is None or isinstance(bound, (int, float)):
        if bound is not None and not holds(x.dtype, bound):
            raise OptionError(f"clip: {name} must fit into {x.dtype}, got {shortened(bound)}")
        return default if bound is None else bound
    if getattr(bound, "dtype", None) is None or bound.dtype.kind not in "fiub":
        raise DTypeError(
            f"clip: {name} must be a number or an array of numbers, got {getattr(bound, 'dtype', type(bound).__name__)}"
        )
    if bound.ndim > x.ndim or any(n not in (1, m) for n, m in zip(bound.shape[::-1], x.shape[::-1])):
        raise ShapeError(f"clip: {name} has shape {bound.shape}, which does not broadcast to x {x.shape}")
    return bound.astype(x.real.dtype, copy=False)


@op
def clip(x, *, min=None, max=None):
    """y = x kept within [min, max]: ∂L/∂x = ∂L/∂y inside, bounds included, and 0 outside.

    Where min > max, y = max everywhere, and where a bound is NaN, y is NaN, as in torch and NumPy.
    """
    if min is None and max is None:
        raise OptionError("clip: give min, max or both")
    xp = array_module(x)
    min = _bound(x, "min", min, -math.inf)
    max = _bound(x, "max", max, math.inf)
    inside = (x.real >= min) & (x.real <= max)
    y = xp.where((x.real < min) | xp.isnan(min), min, x)
    return xp.where((y.real > max) | xp.isnan(max), max, y), lambda dy: dy * inside
