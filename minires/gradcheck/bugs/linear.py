"""Bugs of matrix products."""

import math

from minires.gradcheck.bugs.arithmetic import first, reduce_to, reduced
from minires.gradcheck.bugs.bug import bug


@bug("einsum", "gradients exchanged")
def _(call):
    """your gradients are returned in reverse order: return them in the order of the arguments"""
    return call.right[::-1] if len({x.shape for x in call.arrays}) == 1 else call.right


@bug("einsum", "averaged")
def _(call):
    """your gradient is divided by the number of terms of each sum: dy goes to each term undivided"""
    return tuple(dx / 2 for dx in call.right)


def is_square(a):
    return a.shape[-1] == a.shape[-2]


def of_matrices(call):
    """No vector is among the arguments."""
    return min(a.ndim for a in call.arrays) > 1


def a_square(call):
    return of_matrices(call) and is_square(call.arrays[0])


def b_square(call):
    return of_matrices(call) and is_square(call.arrays[1])


@bug("matmul", "b not transposed", when=b_square)
def _(call):
    """your da is dy·b: transpose b, da = dy·bᵀ"""
    a, b = call.arrays
    return call.but(a=reduce_to(a.shape, call.dy @ b))


@bug("matmul", "a not transposed", when=a_square)
def _(call):
    """your db is a·dy: transpose a, db = aᵀ·dy"""
    a, b = call.arrays
    return call.but(b=reduce_to(b.shape, a @ call.dy))


@bug("matmul", "order of the factors", when=lambda call: a_square(call) and b_square(call))
def _(call):
    """your db is dy·aᵀ: exchange the factors, db = aᵀ·dy"""
    a, b = call.arrays
    return call.but(b=reduce_to(b.shape, call.dy @ a.swapaxes(-1, -2)))


@bug("matmul", "first slice of leading axes", when=of_matrices)
def _(call):
    """your gradients are the first slice along the broadcast leading axes: sum over these axes"""
    a, b = call.arrays
    return reduced(call, call.dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ call.dy, first)


@bug("matmul", "gradients exchanged")
def _(call):
    """your da and db are returned in the wrong order: return them in the order of the arguments"""
    return call.right[::-1]


def rows(call):
    """linear's dy (M,O) and x (M,I): a row is one sample."""
    O, I = call.arrays[1].shape
    M = math.prod(call.x.shape[:-1])
    return call.dy.reshape(M, O), call.x.reshape(M, I)


@bug("linear", "weight transposed in dx", when=lambda call: is_square(call.arrays[1]))
def _(call):
    """your dx is dy·weightᵀ: y = x·weightᵀ, so dx = dy·weight"""
    return call.but(x=call.dy @ call.arrays[1].T)


@bug("linear", "dweight transposed")
def _(call):
    """your dweight is xᵀ·dy: weight has shape (outputs, inputs), so dweight = dyᵀ·x"""
    return call.but(weight=call.right[1].T)


@bug("linear", "dweight of the last sample")
def _(call):
    """your dweight is that of the last sample only: sum over all samples"""
    dy, x = rows(call)
    return call.but(weight=dy[-1:].T @ x[-1:])


@bug("linear", "dweight averaged")
def _(call):
    """your dweight is the mean over the samples: take the sum, do not divide"""
    return call.but(weight=call.right[1] / max(len(rows(call)[0]), 1))


@bug("linear", "dbias averaged")
def _(call):
    """your dbias is the mean over the samples: take the sum, do not divide"""
    dy, _ = rows(call)
    return call.but(bias=dy.sum(axis=0) / max(len(dy), 1))


@bug("linear", "dbias over the first axis only")
def _(call):
    """your dbias is the sum over the first axis only: sum over all axes but the last"""
    return call.but(bias=call.dy.sum(axis=0))
