"""A Tensor's methods: each calls the op of the same name.

Names and arguments are PyTorch's. Reductions also take NumPy's `axis` and `keepdims`, because np.sum(t) calls t.sum().
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minires.arrays import array_module, device_or_dtype
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import registry
from minires.operators import Operators
from minires.settings import axes, axis, flag, shortened
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import Dims, DType, Operand, Scalar
    from minires.tensor import Tensor


class Extreme(NamedTuple):
    """What max(dim) and min(dim) return."""

    values: Tensor
    indices: Tensor


_NOT_GIVEN: Any = object()
NUMPY_SETTINGS = ("dtype", "out", "where", "initial", "mean")  # of NumPy's reductions, not of a Tensor's


def _sizes(sizes, name):
    """A shape that is given as one tuple or as several integers."""
    if not sizes:
        raise ShapeError(f"{name}: a shape is needed, such as {name}(2, 3)")
    return tuple(sizes[0]) if isinstance(sizes[0], (tuple, list)) else sizes


def _dim_or_axis(name, dim, keepdim, axis, keepdims, **refused):
    """(dim, keepdim), which NumPy calls axis and keepdims. NumPy also passes dtype=None and out=None.

    refused: all other settings that were given. Raises OptionError for NumPy's, TypeError for unknown ones.
    """
    if axis is not None and dim is not None:
        raise OptionError(f"{name}: dim={dim} and axis={axis} are one setting; give one of them")
    for setting, value in refused.items():
        if setting not in NUMPY_SETTINGS:
            raise TypeError(f"{name}() got an unexpected keyword argument {setting!r}")
        if value is not None:
            raise OptionError(
                f"{name}: a Tensor takes no {setting}=, got {shortened(value)}; t.detach().numpy() does, "
                "without a gradient"
            )
    return axis if dim is None else dim, keepdim if keepdims is None else keepdims


def _correction(name, unbiased, correction, ddof):
    """The correction, which NumPy calls ddof; unbiased=True or False stands for 1 or 0."""
    if unbiased is None:
        return correction if ddof is None else ddof
    if correction != 1 or ddof is not None:
        raise OptionError(
            f"{name}: unbiased={unbiased} and {'correction' if ddof is None else 'ddof'}= are one "
            "setting; give one of them"
        )
    return int(flag(f"{name}: unbiased", unbiased))


class Methods(Operators):
    """The methods of a Tensor."""

    __slots__ = ()

    # Elementwise

    def exp(self) -> Tensor:
        """eˣ"""
        return registry["exp"](self)

    def log(self) -> Tensor:
        """ln x"""
        return registry["log"](self)

    def sqrt(self) -> Tensor:
        """√x"""
        return registry["sqrt"](self)

    def abs(self) -> Tensor:
        """|x|"""
        return registry["abs"](self)

    def neg(self) -> Tensor:
        """−x"""
        return registry["neg"](self)

    def add(self, other: Operand) -> Tensor:
        """x + other"""
        return registry["add"](self, other)

    def sub(self, other: Operand) -> Tensor:
        """x − other"""
        return registry["sub"](self, other)

    def mul(self, other: Operand) -> Tensor:
        """x · other, elementwise"""
        return registry["mul"](self, other)

    def div(self, other: Operand) -> Tensor:
        """x / other"""
        return registry["div"](self, other)

    def pow(self, exponent: Operand) -> Tensor:
        """x to the power of a number or a Tensor"""
        return registry["pow"](self, exponent)

    def maximum(self, other: Operand) -> Tensor:
        """The larger of x and other, element by element; max() is over the elements of one Tensor."""
        return registry["maximum"](self, other)

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of x and other, element by element; min() is over the elements of one Tensor."""
        return registry["minimum"](self, other)

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """x kept within [min, max]"""
        return registry["clip"](self, min=min, max=max)

    clamp = clip

    def relu(self) -> Tensor:
        """max(x, 0)"""
        return registry["relu"](self)

    def sigmoid(self) -> Tensor:
        """1/(1 + e⁻ˣ)"""
        return registry["sigmoid"](self)

    def tanh(self) -> Tensor:
        """tanh x"""
        return registry["tanh"](self)

    def softmax(self, dim: int) -> Tensor:
        """eˣ/Σeˣ along dim"""
        return registry["softmax"](self, dim=dim)

    def log_softmax(self, dim: int) -> Tensor:
        """ln softmax along dim"""
        return registry["log_softmax"](self, dim=dim)

    def logsumexp(self, dim: Dims, keepdim: bool = False) -> Tensor:
        """ln Σeˣ along one dim or several"""
        return registry["logsumexp"](self, dim=dim, keepdim=keepdim)

    # Products

    def matmul(self, other: Operand) -> Tensor:
        """x @ other, over the last two axes"""
        return registry["matmul"](self, other)

    # Reductions: over all axes, over one dim, or over several

    def sum(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Σ x"""
        dim, keepdim = _dim_or_axis("sum", dim, keepdim, axis, keepdims, **refused)
        return registry["sum"](self, dim=dim, keepdim=keepdim)

    def mean(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """The mean; of integers and booleans in float32."""
        dim, keepdim = _dim_or_axis("mean", dim, keepdim, axis, keepdims, **refused)
        return registry["mean"](self, dim=dim, keepdim=keepdim)

    def var(
        self,
        dim: Dims = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: Scalar = 1,
        axis: Dims = None,
        ddof: Scalar | None = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Σ(x − x̄)²/(m − correction): unbiased, as in PyTorch; np.var passes ddof=0 and is biased."""
        dim, keepdim = _dim_or_axis("var", dim, keepdim, axis, keepdims, **refused)
        correction = _correction("var", unbiased, correction, ddof)
        return registry["var"](self, dim=dim, correction=correction, keepdim=keepdim)

    def std(
        self,
        dim: Dims = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: Scalar = 1,
        axis: Dims = None,
        ddof: Scalar | None = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """The root of var()"""
        dim, keepdim = _dim_or_axis("std", dim, keepdim, axis, keepdims, **refused)
        correction = _correction("std", unbiased, correction, ddof)
        return registry["std"](self, dim=dim, correction=correction, keepdim=keepdim)

    def norm(self, p: int = 2, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """√(Σ x²), or Σ|x| for p=1"""
        return registry["norm"](self, p=p, dim=dim, keepdim=keepdim)

    def amax(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """The maximum; equal maxima get equal parts of its gradient"""
        return registry["amax"](self, dim=dim, keepdim=keepdim)

    def amin(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """The minimum; equal minima get equal parts of its gradient"""
        return registry["amin"](self, dim=dim, keepdim=keepdim)

    def max(
        self,
        dim: Operand | None = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        out: Any = _NOT_GIVEN,
        **refused: None,
    ) -> Any:
        """The maximum of all; with dim, or axis, the pair (values, indices), as in PyTorch. np.max gives the values.

        The gradient of values goes to the elements at indices, each the first of equal ones.
        """
        return self._extreme("max", dim, keepdim, axis, keepdims, out, **refused)

    def min(
        self,
        dim: Operand | None = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        out: Any = _NOT_GIVEN,
        **refused: None,
    ) -> Any:
        """The minimum of all; with dim, or axis, the pair (values, indices), as in PyTorch. np.min gives the values."""
        return self._extreme("min", dim, keepdim, axis, keepdims, out, **refused)

    def _extreme(self, name, dim, keepdim, axis, keepdims, out, **refused):
        if isinstance(dim, (TensorBase, np.ndarray)):  # of two tensors, element by element
            return registry[f"{name}imum"](self, dim)
        from_numpy = out is not _NOT_GIVEN  # np.max(t, axis=1) calls t.max(axis=1, out=None)
        dim, keepdim = _dim_or_axis(name, dim, keepdim, axis, keepdims, out=out if from_numpy else None, **refused)
        if dim is None or from_numpy:
            return registry[f"a{name}"](self, dim=dim, keepdim=keepdim)
        indices = self._arg(f"arg{name}", dim, keepdim=True)
        values = registry["take_along_dim"](self, indices, dim=dim)
        if flag(f"{name}: keepdim", keepdim) or not self.ndim:
            return Extreme(values, indices)
        return Extreme(registry["squeeze"](values, dim=dim), registry["squeeze"](indices, dim=dim))

    def argmax(
        self,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        axis: int | None = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Where the maximum is (the first of several): an index along dim, or into the flattened Tensor."""
        dim, keepdim = _dim_or_axis("argmax", dim, keepdim, axis, keepdims, **refused)
        return self._arg("argmax", dim, keepdim)

    def argmin(
        self,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        axis: int | None = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Where the minimum is (the first of several): an index along dim, or into the flattened Tensor."""
        dim, keepdim = _dim_or_axis("argmin", dim, keepdim, axis, keepdims, **refused)
        return self._arg("argmin", dim, keepdim)

    def _arg(self, name, dim, keepdim):
        """NumPy's argmax or argmin, with torch's errors."""
        i = None if dim is None else axis(name, dim, self.ndim)
        keepdim = flag(f"{name}: keepdim", keepdim)
        data = self.data if self.ndim or dim is None else self.data.reshape(1)
        if not (data.size if dim is None else data.shape[i]):
            raise ShapeError(f"{name}: nothing to choose from in a tensor of shape {self.shape}")
        indices = getattr(data, name)(axis=i, keepdims=keepdim and self.ndim > 0)
        return self._of(array_module(data).asarray(indices).reshape(() if not self.ndim else np.shape(indices)))

    def all(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Whether all elements are true"""
        dim, keepdim = _dim_or_axis("all", dim, keepdim, axis, keepdims, **refused)
        return self._whether("all", dim, keepdim)

    def any(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        """Whether any element is true"""
        dim, keepdim = _dim_or_axis("any", dim, keepdim, axis, keepdims, **refused)
        return self._whether("any", dim, keepdim)

    def _whether(self, name, dim, keepdim):
        """NumPy's all or any, with torch's errors."""
        over = axes(name, dim, self.ndim)
        keepdim = flag(f"{name}: keepdim", keepdim)
        return self._of(array_module(self.data).asarray(getattr(self.data, name)(axis=over, keepdims=keepdim)))

    # Shapes

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

    # Copies, dtypes, devices

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
