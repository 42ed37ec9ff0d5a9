"""Bugs of ops that move values and compute nothing."""

import numpy as np

from minires.gradcheck.bugs.arithmetic import first, reduce_to
from minires.gradcheck.bugs.bug import bug


@bug(("reshape", "flatten"), "in the order of columns")
def _(call):
    """your dx is filled column by column (order="F"): fill it row by row, as the forward reads x"""
    return np.reshape(call.dy, call.x.shape, order="F")


@bug(("reshape", "squeeze", "unsqueeze"), "not reshaped")
def _(call):
    """your dx has the shape of y: reshape it to the shape of x"""
    return call.dy


@bug("flatten", "in the order of memory")
def _(call):
    """your dx is filled in the memory order of x: fill it in the order of the axes, x may be channels-last"""
    x = call.x
    outermost_first = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    return call.dy.reshape([x.shape[i] for i in outermost_first]).transpose(np.argsort(outermost_first))


@bug("permute", "permuted once more")
def _(call):
    """your dx is dy permuted by dims again: use the inverse permutation, argsort(dims)"""
    return call.dy.transpose([d % call.dy.ndim for d in call.static["dims"]])


@bug("permute", "axes reversed")
def _(call):
    """your dx is dy with all axes reversed (.T): use the inverse permutation, argsort(dims)"""
    return call.dy.T


@bug("transpose", "not transposed back")
def _(call):
    """your dx is dy unchanged: exchange the two axes again"""
    return call.dy


@bug("transpose", "reshaped, not transposed")
def _(call):
    """your dx is dy reshaped: exchange the two axes, a reshape does not change the order of the elements"""
    return call.dy.reshape(call.x.shape)


@bug("cat", "cut one element late")
def _(call):
    """your pieces of dy begin one element too late: the first begins at 0"""
    return call.again(dy=np.roll(call.dy, -1, axis=call.setting("dim")))


@bug("cat", "every piece from the start")
def _(call):
    """your pieces of dy all begin at 0: each begins where the one before it ends"""
    dim = call.setting("dim")
    return tuple(np.moveaxis(np.moveaxis(call.dy, dim, 0)[: x.shape[dim]], 0, dim) for x in call.arrays)


@bug("cat", "equal pieces")
def _(call):
    """your pieces of dy have equal lengths: each is as long as its own input"""
    return tuple(np.array_split(call.dy, len(call.arrays), axis=call.setting("dim")))


@bug("stack", "first slice for all")
def _(call):
    """your gradients are all the first slice of dy: input k receives slice k"""
    return call.right[:1] * len(call.arrays)


@bug("stack", "in reverse")
def _(call):
    """your gradients are in reverse order: input k receives slice k of dy"""
    return call.right[::-1]


@bug("stack", "new axis kept")
def _(call):
    """your gradients keep the new axis with length 1: remove it"""
    return tuple(np.expand_dims(g, call.setting("dim")) for g in call.right)


@bug("getitem", "repeated elements assigned")
def _(call):
    """your dx keeps only the last dy where an index repeats an element: add with np.add.at"""
    dx = np.zeros(call.x.shape, call.dy.dtype)
    dx[call.static["index"]] = call.dy
    return dx


@bug("getitem", "in ascending order")
def _(call):
    """your dx is filled in ascending order: dy has the order of the index, which may go backwards"""
    flat_index = np.arange(call.x.size).reshape(call.x.shape)[call.static["index"]]
    dx = np.zeros(call.x.size, call.dy.dtype)
    np.add.at(dx, np.sort(flat_index, axis=None), call.dy.ravel())
    return dx.reshape(call.x.shape)


@bug("getitem", "upstream forgotten")
def _(call):
    """your dx is 1 where x was read: it is dy there"""
    return call.again(dy=np.ones_like(call.dy))


@bug("getitem", "gradient of the slice only")
def _(call):
    """your dx has the shape of y: add dy into zeros of the shape of x, dx[index] += dy"""
    return call.dy


def pairs(call):
    """pad = (left, right, top, bottom, …) as [(left, right), (top, bottom), …]."""
    return list(zip(call.static["pad"][::2], call.static["pad"][1::2]))


@bug("pad", "left and right exchanged")
def _(call):
    """your dx is cut with left and right exchanged: pad = (left, right, top, bottom, …)"""
    return call.again(pad=sum((pair[::-1] for pair in pairs(call)), ()))


@bug("pad", "first axis first")
def _(call):
    """your dx uses the first pair of pad for the first axis: it is for the last axis"""
    return call.again(pad=sum(reversed(pairs(call)), ()))


@bug("pad", "border not cut off")
def _(call):
    """your dx has the shape of y: cut the border off"""
    return call.dy


@bug(("broadcast_to", "expand"), "averaged")
def _(call):
    """your dx is the mean over the repeats: take the sum"""
    return reduce_to(call.x.shape, call.dy, np.mean)


@bug(("broadcast_to", "expand"), "first repeat only")
def _(call):
    """your dx is the first of the repeats: sum over all of them"""
    return reduce_to(call.x.shape, call.dy, first)


@bug("broadcast_to", "not summed")
def _(call):
    """your dx has the shape of y: sum over the repeats"""
    return call.dy


@bug("broadcast_to", "summed over the wrong axis", when=lambda call: call.dy.ndim > 1)
def _(call):
    """your dx is the sum over the wrong one of two axes of equal length: sum over the repeated axis"""
    square = call.dy.shape[-1] == call.dy.shape[-2]
    return reduce_to(call.x.shape, call.dy.swapaxes(-1, -2)) if square else call.right


@bug("to", "no gradient")
def _(call):
    """your dx is None: a copy to another device is differentiable, return dy on the device of x"""
    return None


@bug("take_along_dim", "last of repeated elements")
def _(call):
    """your dx keeps only one dy where indices repeat (=): add (+=)"""
    dx = np.zeros(call.x.shape, call.dy.dtype)
    np.put_along_axis(dx, call.arrays[1], call.dy, call.static["dim"])
    return dx, None


@bug("take_along_dim", "put at the start")
def _(call):
    """your dx has dy at the first elements along dim: put it where the indices point"""
    dx = np.zeros(call.x.shape, call.dy.dtype)
    both = tuple(map(slice, np.minimum(dx.shape, call.dy.shape)))
    dx[both] = call.dy[both]
    return dx, None


@bug("clone", "no gradient")
def _(call):
    """your dx is None: the gradient of a copy is dy"""
    return None
