"""Tensors made from sizes: names as in torch, float32 unless told otherwise."""

import numpy as np

from minires import random
from minires.arrays import as_array
from minires.errors import ShapeError
from minires.tensor import Tensor, unwrap


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of a copy of data: numbers, lists, arrays or Tensors. Tensor(array) shares the array's memory."""
    if isinstance(data, Tensor):
        data = Tensor(data)  # which refuses what would cut a graph
    return Tensor(as_array(unwrap(data), dtype).copy(order="K"), requires_grad, device=device)


def zeros(*size, dtype=np.float32, device=None, requires_grad=False):
    """zeros(2, 3) or zeros((2, 3))"""
    return Tensor(np.zeros(_shape(size), dtype), requires_grad, device=device)


def ones(*size, dtype=np.float32, device=None, requires_grad=False):
    """ones(2, 3) or ones((2, 3))"""
    return Tensor(np.ones(_shape(size), dtype), requires_grad, device=device)


def randn(*size, rng=None, dtype=np.float32, device=None, requires_grad=False):
    """Normal random numbers of mean 0 and variance 1; rng as in minires.random."""
    return Tensor(random.generator(rng).standard_normal(_shape(size), dtype), requires_grad, device=device)


def _shape(size):
    size = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    for n in size:
        if isinstance(n, bool) or not hasattr(n, "__index__") or n < 0:
            raise ShapeError(f"a size must be a whole number of at least 0, got {n!r} in {size}")
    return size
