"""Methods that copy a Tensor, to another dtype or device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minires.arrays import device_or_dtype
from minires.errors import DTypeError, OptionError
from minires.op import registry
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import DType
    from minires.tensor import Tensor


class Copies(TensorBase):
    """Copies, dtypes and devices."""

    __slots__ = ()

    def clone(self) -> Tensor:
        """A copy; its gradient flows back to this tensor"""
        return registry["clone"](self)

    def to(
        self, *targets: DType | Tensor, device: str | None = None, dtype: DType = None, non_blocking: bool = False
    ) -> Tensor:
        """On a device ("cpu", "cuda", "cuda:1"), with a dtype (np.float64), or both; the gradient is moved back.

        non_blocking is accepted as in PyTorch, and changes nothing.
        """
        wanted = [*targets, *(setting for setting in (device, dtype) if setting is not None)]
        if not wanted:
            raise OptionError("to: give a device, a dtype or both")
        found: dict[str, Any] = {}
        for target in wanted:
            device, dtype = device_or_dtype(target.dtype if isinstance(target, TensorBase) else target)
            kind, value = ("dtype", dtype) if device is None else ("device", device)
            if kind in found:
                raise OptionError(f"to: {value} is the second {kind} given, after {found[kind]}; give one")
            found[kind] = value
        return registry["to"](self, **found)

    def type_as(self, other: Tensor) -> Tensor:
        """With the dtype of another tensor"""
        if not isinstance(other, TensorBase):
            raise DTypeError(f"type_as: needs a Tensor, got {type(other).__name__}; .to() takes a dtype")
        return self.to(other.dtype)

    def float(self) -> Tensor:
        """With dtype float32"""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """With dtype float64"""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """With dtype int64, which has no gradient"""
        return self.to(np.int64)

    def cpu(self) -> Tensor:
        """In the memory of the CPU"""
        return self.to("cpu")

    def cuda(self) -> Tensor:
        """In the memory of the first GPU"""
        return self.to("cuda")
