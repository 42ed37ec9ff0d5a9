"""What an optimiser does to its arrays, all of them in one call: the page's formulas, piece by piece."""

import numpy as np

from minires.arrays import memory_order
from minires.kernels.cpu.threads import parallel_for
from minires.kernels.readable.update import adam_of_one, sgd_of_one

PRODUCTS = 16  # of a matrix take as long as a number's update, where many arrays are small and threads wait for Python
PIECE = 1 << 18  # numbers that a formula is computed for at a time, so that its intermediate results stay in a cache


def sgd(xs, dxs, vs, *, lr, momentum, dampening, weight_decay, nesterov, first):
    """readable/update.py's sgd."""

    def update(arrays):
        sgd_of_one(*arrays, lr, momentum, dampening, weight_decay, nesterov, first)

    _share_out(update, zip(xs, dxs, vs if momentum else dxs))


def adam(xs, dxs, ms, vs, *, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """readable/update.py's adam."""

    def update(arrays):
        adam_of_one(*arrays, lr, beta1, beta2, eps, weight_decay, decoupled, t)

    _share_out(update, zip(xs, dxs, ms, vs))


def _share_out(update, jobs):
    """A worker takes one part of the pieces: neighbours, which are of similar size, go to different parts."""
    pieces = [piece for job in jobs for piece in _pieces(job)]
    parallel_for(update, pieces[::2] + pieces[1::2], PRODUCTS * sum(x.size for x, *_ in pieces))


def _pieces(arrays):
    """The same parts of arrays of one shape, as views: stretches of memory where all lie alike and have no gaps."""
    size = arrays[0].size
    if size <= PIECE or not all(isinstance(a, np.ndarray) for a in arrays):
        return [arrays]
    order = memory_order(arrays[0])
    lying = [a.transpose(order) for a in arrays]
    if not all(a.flags.c_contiguous for a in lying):
        return [arrays]
    return [tuple(a.reshape(-1)[i : i + PIECE] for a in lying) for i in range(0, size, PIECE)]
