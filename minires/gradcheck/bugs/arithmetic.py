"""Bugs of arithmetic, and of the broadcasting that it does."""

import numpy as np

from minires.gradcheck.bugs.bug import bug


def reduce_to(shape, g, reduce=np.sum):
    """g reduced to `shape` by reduce(array, axis, keepdims). The right one is np.sum: what was repeated is summed."""
    extra = g.ndim - len(shape)
    axes = tuple(i for i, n in enumerate(g.shape) if i < extra or (shape[i - extra] == 1 and n != 1))
    reduce = reduce if g.size else np.sum
    return reduce(g, axis=axes, keepdims=True).reshape(shape) if axes else g


def first(g, axis, keepdims):
    """The first slice along the axes."""
    return g[tuple(slice(0, 1) if i in axis else slice(None) for i in range(g.ndim))]


def reduced(call, da, db, reduce=np.sum):
    """(da, db), each reduced to the shape of its argument."""
    a, b = call.arrays[-2:]
    return reduce_to(a.shape, da, reduce), reduce_to(b.shape, db, reduce)


@bug("add", "broadcast axes averaged")
def _(call):
    """your gradient is the mean over the broadcast axes: take the sum"""
    return reduced(call, call.dy, call.dy, np.mean)


@bug("add", "first slice of broadcast axes")
def _(call):
    """your gradient is the first slice along a broadcast axis: sum over the axis"""
    return reduced(call, call.dy, call.dy, first)


@bug("add", "not summed for b")
def _(call):
    """your db has the shape of y: sum over the axes along which b was broadcast"""
    return call.right[0], call.dy


@bug("add", "no gradient for b")
def _(call):
    """your db is None: y = a + b depends on b too, return both gradients"""
    return call.right[0], None


@bug("sub", "b not negated")
def _(call):
    """your db has the wrong sign: y = a − b, so db = −dy"""
    return call.right[0], -call.right[1]


@bug("sub", "a negated too")
def _(call):
    """your da has the wrong sign: y = a − b, so da = dy"""
    return -call.right[0], call.right[1]


@bug("sub", "axes of length 1 dropped")
def _(call):
    """your gradient has lost an axis of length 1: sum with keepdims=True"""

    def dropped(x, dx):
        return np.squeeze(dx, tuple(i for i, n in enumerate(x.shape) if n == 1 and x.shape != call.dy.shape))

    return tuple(map(dropped, call.arrays, call.right))


@bug("sub", "small dy dropped")
def _(call):
    """your backward drops elements of dy below 1e-6: it must be linear in dy, however small dy is"""
    return call.again(dy=np.where(np.abs(call.dy) < 1e-6, call.dy.dtype.type(0), call.dy))


@bug("mul", "own factor")
def _(call):
    """your da is dy·a and your db is dy·b: exchange the factors, da = dy·b and db = dy·a"""
    a, b = call.arrays
    return reduced(call, call.dy * a, call.dy * b)


@bug(("mul", "einsum"), "upstream forgotten")
def _(call):
    """your gradients ignore dy: multiply by dy"""
    return call.again(dy=np.ones_like(call.dy))


@bug("mul", "dy changed in place")
def _(call):
    """your backward changes dy: write dy * b, not dy *= b"""
    right = call.right
    if call.dy.flags.writeable:
        call.dy *= call.arrays[1]
    return right


@bug("div", "b not squared")
def _(call):
    """your db is −dy·a/b: divide by the square, db = −dy·a/b²"""
    return call.but(b=reduce_to(call.arrays[1].shape, -call.dy * call.y))


@bug("div", "sign of b")
def _(call):
    """your db has the wrong sign: a/b falls when b rises, so db = −dy·a/b²"""
    return call.right[0], -call.right[1]


@bug("div", "multiplied by b")
def _(call):
    """your da is dy·b: y = a/b, so da = dy/b"""
    a, b = call.arrays
    return call.but(a=reduce_to(a.shape, call.dy * b))


@bug("div", "large dy normed")
def _(call):
    """your backward divides a large dy by its norm: it must be linear in dy, however large dy is"""
    return call.again(dy=call.dy / call.dy.dtype.type(max(1.0, np.linalg.norm(call.dy) / 1e3)))


@bug("pow", "exponent not reduced by 1")
def _(call):
    """your da is dy·b·aᵇ: reduce the exponent by 1, da = dy·b·aᵇ⁻¹"""
    a, b = call.arrays
    return call.but(a=reduce_to(a.shape, call.dy * b * call.y))


@bug("pow", "factor b forgotten")
def _(call):
    """your da is dy·aᵇ⁻¹: multiply by the exponent, da = dy·b·aᵇ⁻¹"""
    a, _ = call.arrays
    return call.but(a=reduce_to(a.shape, call.dy * call.y / a))


@bug("pow", "logarithm forgotten")
def _(call):
    """your db is dy·aᵇ: multiply by the logarithm, db = dy·aᵇ·ln a"""
    _, b = call.arrays
    return call.but(b=reduce_to(b.shape, call.dy * call.y))


@bug("maximum", "all to both at ties")
def _(call):
    """your gradient goes to both a and b where they are equal: give half of dy to each"""
    a, b = call.arrays
    return reduced(call, call.dy * (a >= b), call.dy * (b >= a))


@bug("maximum", "all to a")
def _(call):
    """your da takes all of dy: give it dy only where a is the maximum"""
    return call.but(a=reduce_to(call.x.shape, call.dy))


@bug("maximum", "minimum's")
def _(call):
    """your gradient goes to the smaller of a and b: give it to the larger"""
    a, b = call.arrays
    return reduced(call, call.dy * (a < b), call.dy * (b < a))


@bug("minimum", "all to both at ties")
def _(call):
    """your gradient goes to both a and b where they are equal: give half of dy to each"""
    a, b = call.arrays
    return reduced(call, call.dy * (a <= b), call.dy * (b <= a))


@bug("minimum", "maximum's")
def _(call):
    """your gradient goes to the larger of a and b: give it to the smaller"""
    a, b = call.arrays
    return reduced(call, call.dy * (a > b), call.dy * (b > a))


@bug("where", "all to both")
def _(call):
    """your gradients ignore the condition: da is dy where it is true, db is dy where it is false"""
    return None, *reduced(call, call.dy, call.dy)


@bug("where", "a and b exchanged")
def _(call):
    """your da and db are exchanged: da is dy where the condition is true"""
    condition = call.x
    return None, *reduced(call, np.where(condition, 0, call.dy), np.where(condition, call.dy, 0))


@bug("where", "broadcast axes averaged")
def _(call):
    """your gradient is the mean over the broadcast axes: take the sum"""
    condition = call.x
    return None, *reduced(call, np.where(condition, call.dy, 0), np.where(condition, 0, call.dy), np.mean)
