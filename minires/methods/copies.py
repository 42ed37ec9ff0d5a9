"""Methods that copy a Tensor, to another dtype or device, by copy.copy() and copy.deepcopy(), or by pickle."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from minires.arrays import device_or_dtype, memory_order
from minires.errors import DTypeError, GraphError, OptionError
from minires.op import registry
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import DType
    from minires.tensor import Tensor


def _unpickled(kind, contiguous, axes, requires_grad):
    """The Tensor that __reduce__ describes: axis i of the contiguous array is axis axes[i] of the Tensor."""
    return _leaf(kind, contiguous.transpose([axes.index(i) for i in range(len(axes))]), requires_grad)


def _leaf(kind, data, requires_grad):
    """A leaf of this class. A subclass may need other arguments, so its own __init__ is not called."""
    tensor = object.__new__(kind)
    TensorBase.kind.__init__(tensor, data, requires_grad)
    return tensor


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

    def __copy__(self):
        """A new leaf with the same memory; the graph is not copied."""
        if not self.is_leaf:
            raise GraphError("only leaf tensors can be copied by copy.copy(); t.clone() copies with a gradient")
        copied = _leaf(type(self), self.data, self.requires_grad)
        for name, value in getattr(self, "__dict__", {}).items():
            setattr(copied, name, value)
        return copied

    def __deepcopy__(self, memo):
        """A new leaf with a copy of the data and of .grad; the graph is not copied."""
        if not self.is_leaf:
            raise GraphError("only leaf tensors can be deep-copied; use detach() first")
        copied = _leaf(type(self), self.data.copy(order="K"), self.requires_grad)
        copied.grad = None if self.grad is None else self.grad.copy(order="K")
        for name, value in getattr(self, "__dict__", {}).items():  # what a subclass of the user's has besides
            setattr(copied, name, copy.deepcopy(value, memo))
        return copied

    def __reduce__(self):
        """How a leaf is pickled: by its values and their memory format, without graph and .grad."""
        if not self.is_leaf:
            raise GraphError("only leaf tensors can be pickled; use detach() first")
        axes = memory_order(self.data)
        state = type(self), self.data.transpose(axes), axes, self.requires_grad
        return (_unpickled, state, vars(self)) if hasattr(self, "__dict__") else (_unpickled, state)
