"""Bugs of reductions."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug


def axes(call):
    """The axes that meet in one result."""
    ndim = call.arrays[0].ndim
    dim = call.setting("dim")
    dims = range(ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    return tuple(d % ndim for d in dims) if ndim else ()


def kept(call):
    """dy with the reduced axes back, of length 1."""
    return call.dy.reshape([1 if i in axes(call) else n for i, n in enumerate(call.arrays[0].shape)])


def count(call):
    """How many numbers meet in one result."""
    return math.prod(call.arrays[0].shape[i] for i in axes(call))


@bug(
    "sum",
    "repeated along the last axis",
    "your dx repeats dy along the last axis, whatever dim says: put the axis back where it was summed",
)
def _(call):
    try:
        return np.broadcast_to(np.expand_dims(call.dy, -1), call.arrays[0].shape)
    except ValueError:  # this mistake would not run
        return call.right


bug("sum", "averaged", "your dx is divided by the number of summands: it is dy for each")(
    lambda call: call.right[0] / max(count(call), 1)
)
bug("sum", "not repeated", "your dx has dy's shape: repeat it to x's")(kept)
bug("mean", "not divided", "your dx misses the 1/m")(lambda call: call.right[0] * count(call))
bug("mean", "divided by x.size", "your dx divides by all elements of x: by the m that meet in one mean")(
    lambda call: call.right[0] * count(call) / max(call.arrays[0].size, 1)
)
for _name, _word, _extreme in (("amax", "maxima", np.max), ("amin", "minima", np.min)):
    bug(_name, "all to each tie", f"your dx gives all of dy to each of several equal {_word}: they share it")(
        lambda call, extreme=_extreme: (
            kept(call) * (call.arrays[0] == extreme(call.arrays[0], axis=axes(call), keepdims=True))
        )
    )
    bug(_name, "compared with that of all", "your mask compares with the extreme of all x: compare along dim")(
        lambda call, extreme=_extreme: kept(call) * (call.arrays[0] == extreme(call.arrays[0]))
    )
    bug(_name, "upstream forgotten", "your dx is the mask itself: multiply by dy")(
        lambda call: call.again(dy=np.ones_like(call.dy))
    )
bug("var", "factor 2 forgotten", "your dx misses the factor 2 of the square")(lambda call: call.right[0] / 2)
bug("var", "divided by m", "your dx divides by m: the variance divides by m − correction")(
    lambda call: call.again(correction=0)
)


def var_dx(call, centred):
    return kept(call) * centred * (2 / (count(call) - call.setting("correction")))


bug("var", "not centred", "your dx is dy·2x/(m − correction): take the mean off x")(
    lambda call: var_dx(call, call.arrays[0])
)
bug("var", "centred at the mean of all", "your dx takes the mean of all x off: take the mean along dim")(
    lambda call: var_dx(call, call.arrays[0] - call.arrays[0].mean())
)
bug("std", "that of the variance", "your dx is that of the variance: divide by 2y")(
    lambda call: var_dx(call, call.arrays[0] - call.arrays[0].mean(axis=axes(call), keepdims=True))
)
bug("std", "divided by m", "your dx divides by m: the deviation divides by m − correction")(
    lambda call: call.right[0] * ((count(call) - call.setting("correction")) / count(call))
)
bug("std", "not centred", "your dx is dy·x/((m − correction)·y): take the mean off x")(
    lambda call: call.right[0] + kept(call) * call.arrays[0].mean(axis=axes(call), keepdims=True)
)
bug("norm", "not divided by y", "your dx is dy·x: divide by the norm")(lambda call: kept(call) * call.arrays[0])
bug("norm", "that of the square", "your dx is that of Σ x²: divide by 2y")(lambda call: kept(call) * call.arrays[0] * 2)
bug("norm", "always the 2-norm", "your dx is that of the 2-norm, whatever p says")(lambda call: call.again(p=2))
