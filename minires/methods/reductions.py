"""Methods that reduce a Tensor over all axes, over one dim, or over several.

They also take NumPy's `axis` and `keepdims`, because np.sum(t) calls t.sum().
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from minires.arrays import array_module
from minires.errors import OptionError, ShapeError
from minires.op import registry
from minires.settings import axes, axis, flag, shortened
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import Dims, Operand, Scalar
    from minires.tensor import Tensor


class Extreme(NamedTuple):
    """What max(dim) and min(dim) return."""

    values: Tensor
    indices: Tensor


_NOT_GIVEN: Any = object()
NUMPY_SETTINGS = ("dtype", "out", "where", "initial", "mean")  # of NumPy's reductions, not of a Tensor's


def _dim_or_axis(name, dim, keepdim, axis, keepdims, **refused):
    """(dim, keepdim), which NumPy calls axis and keepdims. NumPy also passes dtype=None and out=None.

    refused: all other settings that were given. Raises OptionError for NumPy's, TypeError for unknown ones.
    """
    if axis is not None and dim is not None:
        raise OptionError(f"{name}: dim={dim} and axis={axis} are one setting; give one of them")
    if isinstance(axis, (tuple, list)) and not axis:
        raise OptionError(f"{name}: axis=() names no axis: NumPy then reduces none and PyTorch all; for all give None")
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
    """The correction, 1 by default, which NumPy calls ddof; unbiased=True or False stands for 1 or 0."""
    settings = {"unbiased": unbiased, "correction": correction, "ddof": ddof}
    given = {setting: value for setting, value in settings.items() if value is not None}
    if len(given) > 1:
        named = " and ".join(f"{setting}={shortened(value)}" for setting, value in given.items())
        raise OptionError(f"{name}: {named} are one setting; give one of them")
    if unbiased is not None:
        return int(flag(f"{name}: unbiased", unbiased))
    return next(iter(given.values()), 1)


class Reduction(Protocol):
    """A method that takes torch's dim and keepdim, or NumPy's axis and keepdims."""

    def __call__(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor: ...


def reduction(method: Callable[[Any, Any, bool], Tensor]) -> Reduction:
    """The method (self, dim, keepdim) with these four arguments; it gets the two that were given."""

    @wraps(method, assigned=("__doc__", "__module__", "__name__", "__qualname__"))
    def call(
        self: Any,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        axis: Dims = None,
        keepdims: bool | None = None,
        **refused: None,
    ) -> Tensor:
        return method(self, *_dim_or_axis(method.__name__, dim, keepdim, axis, keepdims, **refused))

    del call.__wrapped__  # so that help() and inspect.signature() show the arguments above
    return call


class Reductions(TensorBase):
    """Sums, means, extremes and their indices."""

    __slots__ = ()

    @reduction
    def sum(self, dim, keepdim):
        """Σ x"""
        return registry["sum"](self, dim=dim, keepdim=keepdim)

    @reduction
    def mean(self, dim, keepdim):
        """The mean; of integers and booleans in float32."""
        return registry["mean"](self, dim=dim, keepdim=keepdim)

    def var(
        self,
        dim: Dims = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: Scalar | None = None,
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
        correction: Scalar | None = None,
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
        if not self.data.size and dim is None:
            raise ShapeError(f"{name}: nothing to choose from in a tensor of shape {self.shape}")
        if dim is None or from_numpy:
            return registry[f"a{name}"](self, dim=dim, keepdim=keepdim)
        indices = self._arg(f"arg{name}", dim, True, name)
        values = registry["take_along_dim"](self, indices, dim=dim)
        if flag(f"{name}: keepdim", keepdim) or not self.ndim:
            return Extreme(values, indices)
        return Extreme(registry["squeeze"](values, dim=dim), registry["squeeze"](indices, dim=dim))

    @reduction
    def argmax(self, dim, keepdim):
        """Where the maximum is (the first of several): an index along dim, or into the flattened Tensor."""
        return self._arg("argmax", dim, keepdim)

    @reduction
    def argmin(self, dim, keepdim):
        """Where the minimum is (the first of several): an index along dim, or into the flattened Tensor."""
        return self._arg("argmin", dim, keepdim)

    def _arg(self, name, dim, keepdim, caller=None):
        """NumPy's argmax or argmin, with torch's errors, which begin with the caller's name if there is one."""
        caller = caller or name
        i = None if dim is None else axis(caller, dim, self.ndim)
        keepdim = flag(f"{caller}: keepdim", keepdim)
        data = self.data if self.ndim or dim is None else self.data.reshape(1)
        if not (data.size if dim is None else data.shape[i]):
            raise ShapeError(f"{caller}: nothing to choose from in a tensor of shape {self.shape}")
        indices = getattr(data, name)(axis=i, keepdims=keepdim and self.ndim > 0)
        indices = array_module(data).asarray(indices, np.int64)  # which have 32 bits in a browser
        return self._of(indices.reshape(() if not self.ndim else indices.shape))

    @reduction
    def all(self, dim, keepdim):
        """Whether all elements are true"""
        return self._whether("all", dim, keepdim)

    @reduction
    def any(self, dim, keepdim):
        """Whether any element is true"""
        return self._whether("any", dim, keepdim)

    def _whether(self, name, dim, keepdim):
        """NumPy's all or any, with torch's errors. Without an axis, dim=(), each element stays as in torch."""
        over = () if isinstance(dim, (tuple, list)) and not dim else axes(name, dim, self.ndim)
        keepdim = flag(f"{name}: keepdim", keepdim)
        return self._of(array_module(self.data).asarray(getattr(self.data, name)(axis=over, keepdims=keepdim)))
