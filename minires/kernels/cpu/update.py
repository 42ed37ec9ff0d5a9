"""One step of an optimizer for all its arrays: the formulas of readable/update.py, piece by piece."""

import numpy as np

from minires.arrays import memory_order
from minires.kernels.cpu.threads import parallel_for
from minires.kernels.readable.update import adam_of_one, sgd_of_one

PRODUCTS = 16  # multiplications that take as long as the update of an element, if many arrays are small
PIECE = 1 << 18  # elements of a piece, so that intermediate results stay in a cache


def sgd(xs, dxs, vs, *, lr, momentum, dampening, weight_decay, nesterov, first):
    """readable/update.py's sgd."""

    def update(arrays):
        sgd_of_one(*arrays, lr, momentum, dampening, weight_decay, nesterov, first)

    _parallel(update, zip(xs, dxs, vs if momentum else dxs))


def adam(xs, dxs, ms, vs, *, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """readable/update.py's adam."""

    def update(arrays):
        adam_of_one(*arrays, lr, beta1, beta2, eps, weight_decay, decoupled, t)

    _parallel(update, zip(xs, dxs, ms, vs))


def _parallel(update, jobs):
    """Update all pieces. Neighbours are of similar size, so every other piece goes to another worker."""
    pieces = [piece for job in jobs for piece in _pieces(job)]
    parallel_for(update, pieces[::2] + pieces[1::2], PRODUCTS * sum(x.size for x, *_ in pieces))


def _pieces(arrays):
    """Arrays of one shape as pieces of PIECE elements, views, if they have one memory order and no gaps."""
    size = arrays[0].size
    if size <= PIECE or not all(isinstance(a, np.ndarray) for a in arrays):
        return [arrays]
    order = memory_order(arrays[0])
    in_order = [a.transpose(order) for a in arrays]
    if not all(a.flags.c_contiguous for a in in_order):
        return [arrays]
    return [tuple(a.reshape(-1)[i : i + PIECE] for a in in_order) for i in range(0, size, PIECE)]
