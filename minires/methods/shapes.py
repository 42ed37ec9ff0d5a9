"""Methods that change the shape or the order of the axes, or select elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minires.errors import DTypeError, ShapeError
from minires.op import registry
from minires.settings import integer, shortened
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import Dims
    from minires.tensor import Tensor


def _sizes(sizes, name):
    """A shape that is given as one tuple or as several integers."""
    if not sizes:
        raise ShapeError(f"{name}: a shape is needed, such as {name}(2, 3)")
    if not isinstance(sizes[0], (tuple, list)):
        return tuple([integer(f"{name}: each argument", size) for size in sizes])
    if len(sizes) > 1:
        raise DTypeError(f"{name}: takes one tuple or several integers, got {shortened(sizes)}")
    return tuple(sizes[0])


class Shapes(TensorBase):
    """Other shapes of the same elements."""

    __slots__ = ()

    def reshape(self, *shape: Dims) -> Tensor:
        """The same elements in another shape, where one size may be −1; read-only if it had to be a copy"""
        return self._same_memory(registry["reshape"](self, shape=_sizes(shape, "reshape")))

    def view(self, *shape: Dims) -> Tensor:
        """reshape(); where no view is possible it is a read-only copy, and PyTorch would refuse"""
        return self._same_memory(registry["reshape"](self, shape=_sizes(shape, "view")))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes start_dim … end_dim joined to one; read-only if it had to be a copy"""
        return self._same_memory(registry["flatten"](self, start_dim=start_dim, end_dim=end_dim))

    def _same_memory(self, tensor):
        """The tensor, made read-only if it is a copy, because writing into it would not change this one."""
        if isinstance(tensor.data, np.ndarray) and not np.may_share_memory(tensor.data, self.data):
            tensor.data.flags.writeable = False
        return tensor

    def permute(self, *dims: Dims) -> Tensor:
        """The axes in another order"""
        return registry["permute"](self, dims=_sizes(dims, "permute"))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged"""
        return registry["transpose"](self, dim0=dim0, dim1=dim1)

    @property
    def T(self) -> Tensor:
        """The axes in reversed order"""
        return registry["permute"](self, dims=tuple(range(self.ndim))[::-1])

    def squeeze(self, dim: Dims = None) -> Tensor:
        """Without the axes of length 1, or without those that dim names"""
        return registry["squeeze"](self, dim=dim)

    def unsqueeze(self, dim: int) -> Tensor:
        """With a new axis of length 1 at dim"""
        return registry["unsqueeze"](self, dim=dim)

    def expand(self, *sizes: Dims) -> Tensor:
        """Repeated along axes of length 1 and along new axes in front; −1 keeps the size of an axis"""
        return registry["expand"](self, sizes=_sizes(sizes, "expand"))

    def contiguous(self) -> Tensor:
        """This tensor if its memory is in row-major order, else a copy that is. Ops take any memory format."""
        return self if self.data.flags.c_contiguous else registry["clone"](self, order="C")

    def __getitem__(self, index: Any) -> Tensor:
        return registry["getitem"](self, index=index)
