"""Tensor: an array that remembers how it was computed. Its methods forward to ops and do nothing else."""

import weakref

import numpy as np

from minires.arrays import array_module, as_array, device_of, memory_order, to_device
from minires.errors import DTypeError, GraphError
from minires.graph import Node, Version, mode, propagate

registry = {}  # name -> op; filled by @op


def _registered(hooks, hook):
    """hooks with one more -> a function that removes it."""
    key = object()
    hooks[key] = hook
    return lambda: hooks.pop(key, None)


def unwrap(value):
    """What an op computes with: the array of a Tensor, an array, a Python number, or None."""
    if isinstance(value, Tensor):
        return value.data
    return value.item() if isinstance(value, np.generic) else value


def _unpickled(kind, lying, order, requires_grad):
    return kind(lying.transpose([order.index(i) for i in range(len(order))]), requires_grad)


class Tensor:
    """An array that can remember how it was computed.

    data: array, list or number (an array is not copied); requires_grad: whether backward() fills `grad`.
    `data` and `grad` are plain NumPy or CuPy arrays. Comparisons give arrays of bool, for they have no gradient.
    Raises DTypeError for object, string, complex or 16-bit data, and for integers that require a gradient.
    """

    __slots__ = ("__weakref__", "data", "grad", "node", "version")
    __array_ufunc__ = None  # array + Tensor is ours to compute
    __hash__ = object.__hash__

    def __init__(self, data, requires_grad=False, *, dtype=None, device=None):
        array = as_array(data.data if isinstance(data, Tensor) else data, dtype)
        self.data = array if device is None else to_device(array, device)
        self.grad = self.node = None
        same = isinstance(data, Tensor) and self.data is data.data
        self.version = data.version if same else Version()
        self.requires_grad = requires_grad

    @classmethod
    def _of(cls, array, version=None):
        tensor = cls.__new__(Tensor)
        tensor.data, tensor.grad, tensor.node, tensor.version = array, None, None, version or Version()
        return tensor

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    device = property(lambda self: device_of(self.data))
    is_leaf = property(lambda self: self.node is None or self.node.name == "leaf")
    T = property(lambda self: registry["permute"](self, dims=tuple(range(self.ndim))[::-1]))

    @property
    def requires_grad(self):
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted):
        if not self.is_leaf:
            raise GraphError("requires_grad can be set on leaf tensors only; use detach() to leave the graph")
        if not wanted:
            self.node = None
        elif self.node is None:
            if self.dtype.kind != "f":
                raise DTypeError(f"only float tensors can require a gradient, this one is {self.dtype}")
            self.node = Node("leaf", self.data)
            self.retain_grad()

    def retain_grad(self):
        """Keep ∂L/∂self in .grad on backward, though this is not a leaf."""
        if self.node is None:
            raise GraphError("retain_grad: this tensor depends on nothing that requires a gradient")
        self.node.target = weakref.ref(self)

    def register_hook(self, hook):
        """Call hook(∂L/∂self) on backward; what it returns, if anything, replaces the gradient. Returns a remover."""
        if self.node is None:
            raise GraphError("register_hook: this tensor depends on nothing that requires a gradient")
        return _registered(self.node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call hook(self), a leaf, when backward has set its .grad, which the hook may take away. Returns a remover."""
        if self.node is None or not self.is_leaf:
            raise GraphError("register_post_accumulate_grad_hook: only a leaf that requires a gradient is given one")
        return _registered(self.node.when_kept, hook)

    def backward(self, grad=None, *, retain_graph=False):
        """Add ∂L/∂t to the .grad of every leaf t that this tensor depends on; grad is ∂L/∂self (1 for a scalar).

        Raises GraphError when nothing requires a gradient, when a non-scalar comes without grad, when the graph
        was used already, and when an array that the gradient needs was changed in place since.
        """
        if self.node is None:
            raise GraphError("backward: this tensor depends on nothing that requires a gradient")
        if grad is None:
            if self.size != 1:
                raise GraphError(f"backward: a tensor of shape {self.shape} needs the gradient that arrives at it: "
                                 "backward(grad), or reduce it to a scalar first")
            grad = array_module(self.data).ones_like(self.data)
        grad = grad.data if isinstance(grad, Tensor) else grad
        propagate(self.node, self.node.accept(grad, "backward"), retain_graph)

    def detach(self):
        """The same memory, outside the graph."""
        return Tensor._of(self.data, self.version)

    def item(self):
        """The value of a one-element tensor as a Python number."""
        return self.data.item()

    def numpy(self):
        """The data as a NumPy array (the same memory, unless it lies on a GPU)."""
        return to_device(self.data, "cpu")

    def to(self, device):
        """This tensor on `device` ("cpu", "cuda"); gradients find their way back."""
        return registry["to"](self, device=device)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype, copy=copy) if copy else np.asarray(self.numpy(), dtype=dtype)

    def __dlpack__(self, **settings):
        return self.data.__dlpack__(**settings)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()

    def __deepcopy__(self, memo):
        """A leaf of its own: the graph is not copied."""
        if not self.is_leaf:
            raise GraphError("only leaf tensors can be deep-copied; use detach() first")
        return type(self)(self.data.copy(order="K"), requires_grad=self.requires_grad)

    def __reduce__(self):
        """How a leaf is pickled: by its values, which keep their place in memory, and not by its graph or .grad."""
        if not self.is_leaf:
            raise GraphError("only leaf tensors can be pickled; use detach() first")
        order = memory_order(self.data)
        return _unpickled, (type(self), self.data.transpose(order), order, self.requires_grad)

    def __repr__(self):
        state = "" if self.node is None else ", requires_grad=True" if self.is_leaf else f", from {self.node.name}"
        return f"Tensor({np.array2string(self.numpy(), precision=4, separator=', ')}, {self.dtype}{state})"

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("a 0-d tensor holds one number and cannot be iterated over; use item()")
        return (self[i] for i in range(len(self)))

    def __float__(self):
        return float(self.item())

    def __format__(self, spec):
        return format(self.item(), spec) if spec else repr(self)

    def __bool__(self):
        return bool(self.data)

    # In place: outside the graph only, and counted, so that a backward that needs the old values can say so.

    def mark_changed(self):
        """Say that `data` was changed in place (whoever writes into it outside these methods calls this)."""
        self.version.count += 1

    def _change(self, write):
        if mode.recording and self.node is not None:
            raise GraphError("a tensor that requires a gradient cannot be changed in place while operations are "
                             "recorded; do it inside `with minires.no_grad():`")
        write()
        self.mark_changed()
        return self

    def __setitem__(self, index, value):
        value = value.data if isinstance(value, Tensor) else value
        self._change(lambda: self.data.__setitem__(index, value))

    def copy_(self, value):
        """Overwrite the data with value (broadcast to this shape)."""
        self[...] = value
        return self

    # Operators and methods forward to ops, by name, and do nothing else.

    def sum(self, dim=None, keepdim=False):
        return registry["sum"](self, dim=dim, keepdim=keepdim)

    def mean(self, dim=None, keepdim=False):
        return registry["mean"](self, dim=dim, keepdim=keepdim)

    def max(self, dim=None, keepdim=False):
        return registry["max"](self, dim=dim, keepdim=keepdim)

    def reshape(self, *shape):
        return registry["reshape"](self, shape=shape[0] if isinstance(shape[0], (tuple, list)) else shape)

    def permute(self, *dims):
        return registry["permute"](self, dims=dims[0] if isinstance(dims[0], (tuple, list)) else dims)

    def transpose(self, dim0, dim1):
        return registry["transpose"](self, dim0=dim0, dim1=dim1)

    def flatten(self, start_dim=0, end_dim=-1):
        return registry["flatten"](self, start_dim=start_dim, end_dim=end_dim)

    def __getitem__(self, index):
        return registry["getitem"](self, index=index)


def _forward_operators():
    def binary(name, flip):
        return lambda self, other: registry[name](other, self) if flip else registry[name](self, other)

    def in_place(name):
        def method(self, other):
            recorded = mode.recording and (self.node is not None or getattr(other, "node", None) is not None)
            if recorded and (self.node is None or not self.is_leaf):
                return registry[name](self, other)  # `h += f` in a graph is a new tensor, h is the sum from here on
            return self._change(lambda: self.data.__setitem__(..., registry[name](self, other).data))
        return method

    def comparison(dunder):
        return lambda self, other: getattr(self.data, dunder)(unwrap(other))

    for symbol, name in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow",
                         "matmul": "matmul"}.items():
        setattr(Tensor, f"__{symbol}__", binary(name, flip=False))
        setattr(Tensor, f"__r{symbol}__", binary(name, flip=True))
        if symbol not in ("pow", "matmul"):
            setattr(Tensor, f"__i{symbol}__", in_place(name))
    for name in ("neg", "abs"):
        setattr(Tensor, f"__{name}__", lambda self, name=name: registry[name](self))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Tensor, f"__{name}__", comparison(f"__{name}__"))


_forward_operators()
