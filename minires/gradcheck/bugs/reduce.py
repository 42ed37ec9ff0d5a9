"""Bugs of reductions."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug


def axes(call):
    """The axes that are reduced."""
    ndim = call.x.ndim
    dim = call.setting("dim")
    dims = range(ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    return tuple(d % ndim for d in dims) if ndim else ()


def expanded(call):
    """dy with the reduced axes back, of length 1."""
    return call.dy.reshape([1 if i in axes(call) else n for i, n in enumerate(call.x.shape)])


def count(call):
    """How many elements are reduced to one."""
    return math.prod(call.x.shape[i] for i in axes(call))


def mean(call):
    """The mean along dim."""
    return call.x.mean(axis=axes(call), keepdims=True)


@bug("sum", "repeated along the last axis")
def _(call):
    """your dx repeats dy along the last axis: repeat it along the axes of dim"""
    try:
        return np.broadcast_to(np.expand_dims(call.dy, -1), call.x.shape)
    except ValueError:  # this mistake would not run
        return call.right


@bug("sum", "averaged")
def _(call):
    """your dx is divided by the number of summands: dx = dy for each of them"""
    return call.right[0] / max(count(call), 1)


@bug("sum", "not repeated")
def _(call):
    """your dx has the shape of dy: repeat it to the shape of x"""
    return expanded(call)


@bug("mean", "not divided")
def _(call):
    """your dx misses the factor 1/m: m is the number of elements in one mean"""
    return call.right[0] * count(call)


@bug("mean", "divided by x.size")
def _(call):
    """your dx is divided by the size of x: divide by the number of elements in one mean"""
    return call.right[0] * count(call) / max(call.x.size, 1)


def is_extreme(call, **along):
    """Where x is the maximum (of amax) or the minimum (of amin)."""
    extreme = {"amax": np.max, "amin": np.min}[call.op]
    return call.x == extreme(call.x, **along)


@bug(("amax", "amin"), "all to each tie")
def _(call):
    """your dx gives all of dy to each of several equal elements: divide dy equally among them"""
    return expanded(call) * is_extreme(call, axis=axes(call), keepdims=True)


@bug(("amax", "amin"), "compared with that of all")
def _(call):
    """your mask compares with the maximum or minimum of all x: compare with the one along dim"""
    return expanded(call) * is_extreme(call)


@bug(("amax", "amin"), "upstream forgotten")
def _(call):
    """your dx is the mask alone: multiply it by dy"""
    return call.again(dy=np.ones_like(call.dy))


@bug("var", "factor 2 forgotten")
def _(call):
    """your dx misses the factor 2: it is the derivative of the square"""
    return call.right[0] / 2


@bug("var", "divided by m")
def _(call):
    """your dx is divided by m: divide by m − correction, as the variance does"""
    return call.again(correction=0)


def var_dx(call, centered):
    return expanded(call) * centered * (2 / (count(call) - call.setting("correction")))


@bug("var", "not centered")
def _(call):
    """your dx is dy·2x/(m − correction): subtract the mean from x first"""
    return var_dx(call, call.x)


@bug("var", "centered at the mean of all")
def _(call):
    """your dx subtracts the mean of all x: subtract the mean along dim"""
    return var_dx(call, call.x - call.x.mean())


@bug("std", "that of the variance")
def _(call):
    """your dx is that of the variance: divide by 2y"""
    return var_dx(call, call.x - mean(call))


@bug("std", "divided by m")
def _(call):
    """your dx is divided by m: divide by m − correction, as the standard deviation does"""
    return call.right[0] * ((count(call) - call.setting("correction")) / count(call))


@bug("std", "not centered")
def _(call):
    """your dx is dy·x/((m − correction)·y): subtract the mean from x first"""
    return call.right[0] + expanded(call) * mean(call)


@bug("norm", "not divided by y")
def _(call):
    """your dx is dy·x: divide by the norm, dx = dy·x/y"""
    return expanded(call) * call.x


@bug("norm", "that of the square")
def _(call):
    """your dx is that of Σ x²: divide by 2y, dx = dy·x/y"""
    return expanded(call) * call.x * 2


@bug("norm", "always the 2-norm")
def _(call):
    """your dx is that of the 2-norm: use the setting p"""
    return call.again(p=2)
