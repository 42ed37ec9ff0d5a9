"""Bugs of what moves values about."""

import numpy as np

from minires.gradcheck.bugs.basic import first, narrow
from minires.gradcheck.bugs.bug import bug


def by_columns(call):
    """dy in the shape of x, column by column."""
    return np.reshape(call.dy, call.arrays[0].shape, order="F")


bug("reshape", "in the order of columns", 'your dx is filled column by column (order="F"): reshape goes row by row')(
    by_columns
)
bug("reshape", "not reshaped", "your dx has y's shape: give it x's")(lambda call: call.dy)
bug("flatten", "in the order of columns", 'your dx is filled column by column (order="F"): flatten goes row by row')(
    by_columns
)


@bug(
    "flatten",
    "filled as x lies in memory",
    "your dx is filled in the order in which x lies in memory: whatever that is, flatten counts in (N,C,H,W)",
)
def _(call):
    x = call.arrays[0]
    outermost_first = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    return call.dy.reshape([x.shape[i] for i in outermost_first]).transpose(np.argsort(outermost_first))


@bug("permute", "permuted once more", "your dx applies dims again: it needs the inverse permutation, argsort(dims)")
def _(call):
    return call.dy.transpose([d % call.dy.ndim for d in call.static["dims"]])


bug("permute", "axes reversed", "your dx has its axes reversed (.T): it needs the inverse permutation, argsort(dims)")(
    lambda call: call.dy.T
)
bug("transpose", "not transposed back", "your dx is dy as it came: exchange the two axes again")(lambda call: call.dy)
bug(
    "transpose",
    "reshaped for transposed",
    "your dx is reshaped: exchange the axes, a reshape leaves the order as it is",
)(lambda call: call.dy.reshape(call.arrays[0].shape))

bug("cat", "cuts one place late", "your pieces begin one place too late")(
    lambda call: call.again(dy=np.roll(call.dy, -1, axis=call.setting("dim")))
)
bug("cat", "every piece from the start", "your pieces all begin at 0: each begins where the one before it ends")(
    lambda call: tuple(
        np.moveaxis(
            np.moveaxis(call.dy, call.setting("dim"), 0)[: x.shape[call.setting("dim")]], 0, call.setting("dim")
        )
        for x in call.arrays
    )
)
bug("cat", "equal pieces", "your pieces are equally long: each is as long as its own x")(
    lambda call: tuple(np.array_split(call.dy, len(call.arrays), axis=call.setting("dim")))
)
bug("stack", "first slice for all", "your gradients are all the first slice of dy")(
    lambda call: call.right[:1] * len(call.arrays)
)
bug("stack", "in reverse", "your gradients come in reverse order")(lambda call: call.right[::-1])
bug("stack", "new axis kept", "your gradients keep the new axis with length 1: take it away")(
    lambda call: tuple(np.expand_dims(g, call.setting("dim")) for g in call.right)
)


def places(call):
    """Where in x, counted row by row, each element of y was read."""
    x = call.arrays[0]
    return np.arange(x.size).reshape(x.shape)[call.static["index"]]


@bug(
    "getitem", "repeated places assigned", "your dx keeps the last share where an index names a place twice: np.add.at"
)
def _(call):
    dx = np.zeros(call.arrays[0].shape, call.dy.dtype)
    dx[call.static["index"]] = call.dy
    return dx


@bug(
    "getitem",
    "in ascending order",
    "your dx is filled in ascending order: dy is in the index's, which a slice of step −1 or an array may reverse",
)
def _(call):
    dx = np.zeros(call.arrays[0].size, call.dy.dtype)
    np.add.at(dx, np.sort(places(call), axis=None), call.dy.ravel())
    return dx.reshape(call.arrays[0].shape)


bug("getitem", "upstream forgotten", "your dx is 1 where x was read: it is dy there")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)
bug("getitem", "gradient of the piece only", "your dx has y's shape: put dy back into zeros of x's shape")(
    lambda call: call.dy
)


def pairs(call):
    """pad = (left, right, top, bottom, …) as [(left, right), (top, bottom), …]."""
    return list(zip(call.static["pad"][::2], call.static["pad"][1::2]))


bug(
    "pad",
    "left and right exchanged",
    "your dx is cut with left and right exchanged: pad = (left, right, top, bottom, …)",
)(lambda call: call.again(pad=sum((pair[::-1] for pair in pairs(call)), ())))
bug("pad", "first axis first", "your dx takes pad for first axis first: its first pair is the last axis's")(
    lambda call: call.again(pad=sum(reversed(pairs(call)), ()))
)
bug("pad", "border not cut off", "your dx has y's shape: cut the border off")(lambda call: call.dy)

bug("broadcast_to", "averaged", "your dx is averaged over the repeats: add up")(
    lambda call: narrow(call.dy, call.arrays[0].shape, np.mean)
)
bug("broadcast_to", "first repeat only", "your dx is the first of the repeats: add up over all of them")(
    lambda call: narrow(call.dy, call.arrays[0].shape, first)
)
bug("broadcast_to", "not added up", "your dx has y's shape: add up over the repeats")(lambda call: call.dy)


@bug("broadcast_to", "added up along the wrong axis", "your dx is added up along the wrong of two equally long axes")
def _(call):
    square = call.dy.ndim > 1 and call.dy.shape[-1] == call.dy.shape[-2]
    return narrow(call.dy.swapaxes(-1, -2), call.arrays[0].shape) if square else call.right


bug("to", "no gradient", "your dx is None: the way to another device is differentiable, send dy back")(
    lambda call: None
)


@bug("take_along_dim", "last of repeated places", "your dx keeps one of several equal indices (=): add up (+=)")
def _(call):
    dx = np.zeros(call.arrays[0].shape, call.dy.dtype)
    np.put_along_axis(dx, call.arrays[1], call.dy, call.static["dim"])
    return dx, None


@bug("take_along_dim", "put at the start", "your dx stands at the first places along dim: put it where the indices say")
def _(call):
    dx = np.zeros(call.arrays[0].shape, call.dy.dtype)
    both = tuple(map(slice, np.minimum(dx.shape, call.dy.shape)))
    dx[both] = call.dy[both]
    return dx, None


bug("squeeze", "not put back", "your dx has y's shape: give it x's")(lambda call: call.dy)
bug("unsqueeze", "not taken out", "your dx has y's shape: give it x's")(lambda call: call.dy)
bug("expand", "averaged", "your dx is averaged over the repeats: add up")(
    lambda call: narrow(call.dy, call.arrays[0].shape, np.mean)
)
bug("expand", "first of the repeats", "your dx is the first of the repeats: add up over them")(
    lambda call: narrow(call.dy, call.arrays[0].shape, first)
)
bug("clone", "no gradient", "your dx is None: a copy hands dy back")(lambda call: None)
