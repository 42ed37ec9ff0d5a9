"""A Tensor's operators: + and * call the ops add and mul; == and & call NumPy, and have no gradient.

NumPy's functions of a Tensor, such as np.exp, call the op of that name.
"""

from __future__ import annotations

import numbers
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from minires.arrays import array_module, as_array, as_numpy, check_plain, counted, is_array
from minires.errors import DTypeError, ShapeError
from minires.mode import mode
from minires.op import registry
from minires.settings import shortened
from minires.tensor_base import TensorBase, unwrap

if TYPE_CHECKING:
    from minires.annotations import Operand
    from minires.tensor import Tensor

# NumPy's elementwise functions and their ops: array + tensor calls np.add, and np.exp(tensor) is our exp
UFUNCS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "power": "pow",
    "matmul": "matmul",
    "negative": "neg",
    "absolute": "abs",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "tanh": "tanh",
    "maximum": "maximum",
    "minimum": "minimum",
}


class Operators(TensorBase):
    """The operators of a Tensor."""

    __slots__ = ()

    # Arithmetic, with Tensors, arrays and numbers on either side

    def __add__(self, other: Operand) -> Tensor:
        return registry["add"](self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return registry["add"](other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return registry["sub"](self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return registry["sub"](other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return registry["mul"](self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return registry["mul"](other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return registry["div"](self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return registry["div"](other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return registry["pow"](self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return registry["pow"](other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return registry["matmul"](self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return registry["matmul"](other, self)

    def __neg__(self) -> Tensor:
        return registry["neg"](self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return registry["abs"](self)

    # Step functions have no gradient: NumPy computes them, and __array_ufunc__ refuses them inside a graph

    def __floordiv__(self, other: Operand) -> Tensor:
        return np.floor_divide(self, other)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return np.floor_divide(other, self)

    def __mod__(self, other: Operand) -> Tensor:
        return np.remainder(self, other)

    def __rmod__(self, other: Operand) -> Tensor:
        return np.remainder(other, self)

    def __divmod__(self, other: Operand) -> Any:
        raise DTypeError("divmod: write x // y and x % y, of a Tensor")

    __rdivmod__ = __divmod__

    def __round__(self, digits: Any = None) -> Any:
        raise DTypeError("round: of a Tensor use np.round(t.detach().numpy()), of one number round(t.item())")

    def __iadd__(self, other: Operand) -> Tensor:
        return self._in_place("add", other)

    def __isub__(self, other: Operand) -> Tensor:
        return self._in_place("sub", other)

    def __imul__(self, other: Operand) -> Tensor:
        return self._in_place("mul", other)

    def __itruediv__(self, other: Operand) -> Tensor:
        return self._in_place("div", other)

    def _in_place(self, name, other):
        """Write the result into this tensor; in a graph `h += f` makes a new tensor instead, and h is its name."""
        in_graph = self.node is not None or getattr(other, "node", None) is not None
        if mode.recording and in_graph and (self.node is None or not self.is_leaf):
            return registry[name](self, other)

        def write():
            result = registry[name](self, other).data
            if result.dtype != self.dtype or result.shape != self.shape:
                raise DTypeError(
                    f"{name}: the result is {result.dtype} {result.shape} and does not fit into this "
                    f"{self.dtype} {self.shape} in place; write x = x + y, not x += y"
                )
            self.data[...] = result

        return self._change(write)

    # Comparisons and logic: Tensors of bool, which have no gradient

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return self.eq(other) if _is_operand(other) else NotImplemented  # x == None is False, as in torch

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return self.ne(other) if _is_operand(other) else NotImplemented

    def eq(self, other: Operand) -> Tensor:
        """x == other, element by element"""
        return self._elementwise(operator.eq, other)

    def ne(self, other: Operand) -> Tensor:
        """x != other, element by element"""
        return self._elementwise(operator.ne, other)

    def __lt__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.lt, other)

    def __le__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.le, other)

    def __gt__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.gt, other)

    def __ge__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.ge, other)

    def __and__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.and_, other)

    def __or__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.or_, other)

    def __xor__(self, other: Operand) -> Tensor:
        return self._elementwise(operator.xor, other)

    def __invert__(self) -> Tensor:
        return self._of(_computed("~", operator.invert, self.data))

    __hash__ = object.__hash__  # by identity, because == compares the elements
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    lt, le, gt, ge = __lt__, __le__, __gt__, __ge__

    def _elementwise(self, function, other):
        name = function.__name__.strip("_")
        xp = array_module(self.data)
        if not _is_operand(other):
            raise DTypeError(f"{name}: needs a number, an array or a Tensor beside a Tensor, got {shortened(other)}")
        other = unwrap(other)
        if isinstance(other, (list, tuple)):
            as_array(other)  # which says what is wrong with it
            other = xp.asarray(as_numpy(other))
        check_plain(other, name)
        return self._of(xp.asarray(_computed(name, function, self.data, other)))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        """array + tensor and np.exp(tensor): the op of that name, or NumPy's function where no gradient is lost."""
        plain = method == "__call__" and ufunc.nout == 1 and out is None and not settings
        if plain and ufunc.__name__ in UFUNCS:
            return registry[UFUNCS[ufunc.__name__]](*inputs)
        if plain:
            y = _computed(f"np.{ufunc.__name__}", ufunc, *map(unwrap, inputs))
            y = y if is_array(y) else np.asarray(y)
            if y.dtype.kind != "f" or not mode.recording or all(getattr(x, "node", None) is None for x in inputs):
                return self._of(y)
        raise DTypeError(
            f"np.{ufunc.__name__} would lose the gradient of a Tensor, or write into an array, which has "
            "no gradient; use an op (minires.ops), or t.detach().numpy() for the values"
        )


def _is_operand(value):
    """Whether an array can be compared with value."""
    return isinstance(value, (TensorBase, numbers.Number, np.generic, list, tuple)) or is_array(value)


def _computed(name, function, *values):
    """function(*values) of arrays and numbers, with NumPy's errors as ShapeError and DTypeError."""
    try:
        return function(*counted(values))
    except ValueError:
        shapes = " and ".join(str(np.shape(value)) for value in values)
        raise ShapeError(
            f"{name}: shapes {shapes} do not broadcast; from the right, sizes must be equal or 1"
        ) from None
    except (TypeError, OverflowError) as error:
        kinds = " and ".join(str(getattr(value, "dtype", type(value).__name__)) for value in values)
        raise DTypeError(f"{name}: cannot be computed of {kinds} ({error})") from error
