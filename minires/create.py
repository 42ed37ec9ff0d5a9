"""Functions that make Tensors, with PyTorch's names; float32 unless a dtype is given."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minires import random
from minires.annotations import DType, Rng
from minires.arrays import as_array, check_dtype, empty
from minires.errors import DTypeError, ShapeError
from minires.settings import integer
from minires.tensor import Tensor


def tensor(data: Any, *, dtype: DType = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of a copy of data: numbers, lists, arrays or Tensors. Tensor(array) shares the array's memory."""
    if isinstance(data, Tensor):
        data = Tensor(data).data  # Tensor() refuses what would cut a graph
    return Tensor(as_array(data, dtype).copy(order="K"), requires_grad, device=device)


def zeros(
    *size: int | Sequence[int], dtype: DType = np.float32, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """zeros(2, 3) or zeros((2, 3))"""
    return _filled("zeros", 0, size, dtype, device, requires_grad)


def ones(
    *size: int | Sequence[int], dtype: DType = np.float32, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """ones(2, 3) or ones((2, 3))"""
    return _filled("ones", 1, size, dtype, device, requires_grad)


def randn(
    *size: int | Sequence[int],
    rng: Rng = None,
    dtype: DType = np.float32,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers of mean 0 and variance 1; rng as in minires.random."""
    array = _empty("randn", size, dtype)
    if array.dtype.kind != "f":
        raise DTypeError(f"randn: random numbers are float32 or float64, got {array.dtype}")
    random.generator(rng).standard_normal(out=array, dtype=array.dtype)
    return Tensor(array, requires_grad, device=device)


def _filled(name, value, size, dtype, device, requires_grad):
    array = _empty(name, size, dtype)
    array[...] = value
    return Tensor(array, requires_grad, device=device)


def _empty(name, size, dtype):
    """An uninitialized array of this size; the dtype None stands for float32, as in PyTorch."""
    size = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = tuple([integer(f"{name}: a size", n) for n in size])
    if min(shape, default=0) < 0:
        raise ShapeError(f"{name}: a size must be a whole number of at least 0, got {min(shape)} in {shape}")
    return empty(shape, np.float32 if dtype is None else check_dtype(dtype), range(len(shape)))
