"""Tensor: an array that knows how it was computed. Its operators are in operators.py, its methods in methods/."""

from __future__ import annotations

import numbers
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minires.arrays import array_module, as_array, check_numbers, check_plain, device_of, is_array, to_device
from minires.errors import DTypeError, GraphError, OptionError, ShapeError
from minires.graph import Node, Version, propagate
from minires.hooks import Handle, check_hook
from minires.indexing import two_steps
from minires.methods import Methods
from minires.mode import mode
from minires.op import registry
from minires.settings import axis, flag, shortened
from minires.tensor_base import TensorBase, unwrap
from minires.torch_names import missing

if TYPE_CHECKING:
    from typing_extensions import Self

    from minires.annotations import Array, DType, Operand

__all__ = ["Tensor", "unwrap"]


class Tensor(Methods):
    """An array that can know how it was computed.

    data: an array, which is not copied, a list or a number; requires_grad: whether backward() computes `grad`.
    `data` and `grad` are NumPy or CuPy arrays. Comparisons return Tensors of bool, which have no gradient.
    Raises DTypeError for object, string, complex or 16-bit data, and for integers that require a gradient. Raises
    GraphError for a tensor of a graph, because its gradient would be lost.
    """

    __slots__ = ()

    data: Array
    grad: Array  # None until backward() has computed it

    def __init__(
        self, data: Any, requires_grad: bool = False, *, dtype: DType = None, device: str | None = None
    ) -> None:
        if isinstance(data, Tensor) and data.node is not None and mode.recording:
            raise GraphError(
                "Tensor(t) of a tensor that requires a gradient would cut the graph: use t itself, "
                "t.clone() for a copy, or t.detach() to cut it"
            )
        array = as_array(data.data if isinstance(data, Tensor) else data, dtype)
        self.data = array if device is None else to_device(array, device)
        self.grad = self.node = None
        same = isinstance(data, Tensor) and self.data is data.data
        self.version = data.version if same else Version()
        self.requires_grad = requires_grad

    def __setattr__(self, name, value):
        if name in _ARRAYS:
            value = _as_field(name, value)
        object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def device(self) -> str:
        return device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.is_leaf

    def size(self, dim: int | None = None) -> Any:
        """The shape, or its length along dim, as in PyTorch; numel() is the number of elements."""
        if dim is None:
            return self.shape
        i = axis("size", dim, self.ndim)
        if not self.ndim:
            raise ShapeError("size: a 0-d tensor has no axis")
        return self.shape[i]

    def numel(self) -> int:
        """The number of elements."""
        return self.data.size

    def dim(self) -> int:
        """The number of axes, which is also .ndim"""
        return self.data.ndim

    @property
    def requires_grad(self) -> bool:
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        wanted = flag("requires_grad", wanted)
        if not self.is_leaf:
            raise GraphError("requires_grad can be set on leaf tensors only; use detach() to leave the graph")
        if not wanted:
            self.node = None
        elif self.node is None:
            if self.dtype.kind != "f":
                raise DTypeError(f"only float tensors can require a gradient, this one is {self.dtype}")
            self.node = Node("leaf", self.data)
            self.retain_grad()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set requires_grad -> this tensor."""
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Keep ∂L/∂self in .grad on backward, though this is not a leaf."""
        if self.node is None:
            raise GraphError("retain_grad: this tensor depends on nothing that requires a gradient")
        self.node.target = weakref.ref(self)

    def register_hook(self, hook: Callable[[Array], Any]) -> Handle:
        """Call hook(∂L/∂self) on backward. If it returns an array, that replaces the gradient.

        Returns a Handle, whose remove() removes the hook.
        """
        check_hook(hook)
        if self.node is None:
            raise GraphError("register_hook: this tensor depends on nothing that requires a gradient")
        return Handle(self.node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call hook(self), where self is a leaf, after backward has set its .grad; the hook may set it to None.

        Returns a Handle, whose remove() removes the hook.
        """
        check_hook(hook)
        if self.node is None or not self.is_leaf:
            raise GraphError("register_post_accumulate_grad_hook: only a leaf that requires a gradient gets one")
        return Handle(self.node.post_grad_hooks, hook)

    def backward(
        self, gradient: Tensor | Array = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add ∂L/∂t to the .grad of every leaf t that this tensor depends on; gradient is ∂L/∂self (1 for a scalar).

        A graph is used once, unless retain_graph keeps it. PyTorch allows a second backward where nothing was saved.
        Raises GraphError if nothing requires a gradient, if the tensor is no scalar and gradient is missing, if the
        graph was used already, or if an array that the gradient needs was changed in place since.
        """
        retain_graph = flag("backward: retain_graph", retain_graph)
        if flag("backward: create_graph", create_graph):
            raise GraphError(
                "backward: gradients are not recorded, so there are no second derivatives. The Hessian "
                "times a vector v is a difference of exact gradients, (∇L(x + h·v) − ∇L(x − h·v))/2h; "
                "in float64 take h = 1e-5/‖v‖"
            )
        if self.node is None:
            raise GraphError("backward: this tensor depends on nothing that requires a gradient")
        if gradient is None:
            if self.data.size != 1:
                raise GraphError(
                    f"backward: a tensor of shape {self.shape} needs the gradient at it: "
                    "backward(gradient), or reduce it to a scalar first"
                )
            gradient = array_module(self.data).ones_like(self.data)
        gradient = unwrap(gradient)
        if not is_array(gradient):
            as_array(gradient)  # which says what is wrong with a list
        propagate(self.node, self.node.checked(gradient, "backward", "got"), retain_graph)

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        return Tensor._of(self.data, self.version)

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self.data.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {self.shape} has {self.data.size} elements, not one; "
                "tolist() returns all of them"
            )
        return self.data.item()

    def numpy(self) -> np.ndarray:
        """The data as a NumPy array, in the same memory unless it is on a GPU.

        Raises GraphError outside no_grad() for a tensor that requires a gradient, because that would be lost.
        """
        if self.node is not None and mode.recording:
            raise GraphError(
                "numpy: this tensor requires a gradient, and an array would lose it; write "
                "t.detach().numpy() for the values"
            )
        return to_device(self.data, "cpu")

    def tolist(self) -> Any:
        """The values as (lists of) Python numbers."""
        return self.data.tolist()

    def __dlpack__(self, **settings):
        if self.node is not None and mode.recording:
            raise GraphError("another library would use the values of this tensor without its graph; pass t.detach()")
        return self.data.__dlpack__(**settings)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()

    def __repr__(self) -> str:
        state = "" if self.node is None else ", requires_grad=True" if self.is_leaf else f", from {self.node.name}"
        values = np.array2string(self.detach().numpy(), precision=4, separator=", ")
        return f"Tensor({values}, {self.dtype}{state})"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d tensor holds one number and has no length; use item()")
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a 0-d tensor holds one number and cannot be iterated over; use item()")
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iu" or self.data.ndim:
            raise TypeError(f"only a 0-d tensor of integers can be an index, this one is {self.dtype} {self.shape}")
        return self.data.item()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ShapeError(f"a tensor of shape {self.shape} is not true or false as a whole; use .any() or .all()")
        return bool(self.data)

    if not TYPE_CHECKING:  # with these, a type checker would take array + tensor for an array, and accept every name

        def __array__(self, dtype=None, copy=None):
            if self.node is not None and mode.recording:
                raise GraphError(
                    "NumPy would use the values of this tensor without its graph: use the op of that "
                    "name (minires.ops has cat, stack, where, …), or t.detach() for the values"
                )
            values = self.detach().numpy()
            return np.array(values, dtype=dtype, copy=copy) if copy else np.asarray(values, dtype=dtype)

        def __getattr__(self, name):
            ours = [op for op, call in registry.items() if call.__module__.startswith("minires.")]
            raise missing("Tensor", name, ours)

    # In-place changes: only outside the graph, and counted, so that a backward that needs the old values notices.

    def mark_changed(self) -> None:
        """Say that `data` was changed in place. Call this after writing into it by other means than these methods."""
        self.version.count += 1

    def _change(self, write):
        if mode.recording and self.node is not None:
            raise GraphError(
                "a tensor that requires a gradient cannot be changed in place while operations are "
                "recorded; do it inside `with minires.no_grad():`"
            )
        if not getattr(self.data.flags, "writeable", True):
            raise GraphError(
                "this tensor is read-only, because a change would be lost: view() or reshape() had to copy, or "
                "expand() has repeated its elements; write into the original tensor, or into a clone()"
            )
        write()
        self.mark_changed()
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self._write("setitem", index, value)

    def _write(self, name, index, value):
        """Overwrite self[index] with value, which is broadcast to it."""
        if getattr(value, "node", None) is not None and mode.recording:
            raise GraphError(
                "a tensor of a graph cannot be written into another, because its gradient would be lost: "
                "collect the parts in a list for ops.stack or ops.cat, or choose with ops.where"
            )
        value = unwrap(value)
        if is_array(value):
            check_numbers(value, name)
        elif not isinstance(value, numbers.Number):
            as_array(value)  # which says what is wrong with a list
            value = array_module(self.data).asarray(value)
        first, second = two_steps(name, index, array_module(self.data), self.ndim)

        def write():
            part, at = (self.data, first) if second is None else (self.data[first], second)
            part[at] = value

        try:
            return self._change(write)
        except IndexError as error:
            raise IndexError(f"{name}: {error} (shape {self.shape})") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise self._cannot_hold(name, index, value) from error

    def _cannot_hold(self, name, index, value):
        """Why value could not be written to self[index]."""
        if is_array(value) and device_of(value) != self.device:
            return DTypeError(
                f"{name}: the value is on {device_of(value)}, this tensor on {self.device}; move it with .to()"
            )
        if np.ndim(value):
            place = self.shape if index is ... else f"the place {index} of {self.shape}"
            return ShapeError(f"{name}: a value of shape {value.shape} does not broadcast to {place}")
        return OptionError(f"{name}: {self.dtype} cannot hold {shortened(value)}")

    def copy_(self, value: Any) -> Self:
        """Overwrite the data with value (broadcast to this shape)."""
        return self._write("copy_", ..., value)

    def zero_(self) -> Self:
        """Overwrite the data with zeros."""
        return self._write("zero_", ..., 0)

    def fill_(self, value: Operand) -> Self:
        """Overwrite the data with one number."""
        if np.ndim(unwrap(value)):
            raise ShapeError(f"fill_: needs one number, got {type(value).__name__}; copy_() takes an array")
        return self._write("fill_", ..., value)


TensorBase.kind = Tensor
_ARRAYS = {"data", "grad"}


def _as_field(name, value):
    """value as .data or .grad: an array, or that of a Tensor. Raises DTypeError for np.matrix and masked arrays.

    NumPy's scalars, which its functions return for 0-d arrays, become arrays again. backward() refuses a .grad of
    another shape or dtype.
    """
    value = np.asarray(value) if isinstance(value, np.generic) else unwrap(value)
    check_plain(value, f"Tensor.{name}")
    if name == "data" and not is_array(value):
        raise DTypeError(f"Tensor.data must be an array, got {type(value).__name__}; make one with np.array")
    return value
