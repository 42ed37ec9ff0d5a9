"""The function under check: it may do anything, so every error becomes a sentence for its author."""

import copy
import inspect
from functools import wraps

import numpy as np

from minires.arrays import is_array, to_device
from minires.errors import describe
from minires.tensor import Tensor

DRAWS = (
    "it gives another y when called again: if it draws random numbers, fix the seed inside; or it keeps something "
    "between calls, or changes its input"
)
OF_TENSORS = (
    "; a function of Tensors has no backward to hold against measured ones: call it in the forward of an "
    "nn.Module, and use check_module"
)
MOVED = "the forward raises {} when its inputs are moved by a small step, as measuring a derivative needs"


class CannotCheckError(Exception):
    """The function cannot be checked any further. The text tells its author why."""


class TestedFunction:
    """function(*arrays, **static) -> (y, backward), on float64 copies of the float arrays.

    names: those of the arguments; wanted: the positions of the arguments that are differentiated.
    """

    def __init__(self, function, arrays, static):
        self.raw = getattr(function, "raw", function)
        self.static = static
        self.given_tensors = any(isinstance(a, Tensor) for a in arrays)
        arrays = [np.asarray(a) for a in arrays]
        self.wanted = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
        self.arrays = [a.astype(float) if i in self.wanted else a for i, a in enumerate(arrays)]
        self.names = _argument_names(self.raw, len(arrays))

    def forward(self, arrays):
        """(y, backward) as the function returns them. Settings are copied, because batch norm changes its own."""
        try:
            result = self.raw(*arrays, **copy.deepcopy(self.static))
        except Exception as error:
            raise CannotCheckError(f"the forward raises {describe(error)}") from error
        if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
            raise CannotCheckError(
                f"the function must return (y, backward), backward a function of dy; it returns "
                f"{kind_of(result)}" + OF_TENSORS * (self.given_tensors or isinstance(result, Tensor))
            )
        return np.asarray(result[0]), result[1]

    def evaluate(self, arrays):
        """y alone, to measure with."""
        try:
            return self.raw(*arrays, **copy.deepcopy(self.static))[0]
        except Exception as error:  # a function may refuse complex numbers: numeric.complex_step catches this
            raise CannotCheckError(MOVED.format(describe(error))) from error

    def gradients(self, backward, dy, given=""):
        """What backward returns for each argument, unchanged; None where it returns fewer."""
        try:
            dxs = backward(dy)
        except Exception as error:
            raise CannotCheckError(f"the backward raises {describe(error)}{given}") from error
        dxs = dxs if isinstance(dxs, (tuple, list)) else (dxs,)
        if any(dx is not None for dx in dxs[len(self.arrays) :]):
            raise CannotCheckError(
                f"the backward returns {len(dxs)} gradients for {len(self.arrays)} arguments ({', '.join(self.names)})"
            )
        return [dxs[i] if i < len(dxs) else None for i in range(len(self.arrays))]


def nothing_to_differentiate(names, arrays):
    """The sentence if no array of floats was given."""
    given = ", ".join(f"{name} is {a.dtype}" for name, a in zip(names, arrays)) or "there are no arrays"
    return f"nothing to differentiate: {given}; give floats: np.array([1.0, 2.0])"


def on_device(function, device):
    """The function computing on `device`. It takes and returns NumPy arrays, because measuring is done on the host."""

    def there(value):
        return to_device(value, device) if isinstance(value, np.ndarray) and value.dtype != bool else value

    def here(value):
        return to_device(value, "cpu") if is_array(value) else value

    @wraps(function)
    def moved(*arrays, **static):
        y, backward = function(*map(there, arrays), **{key: there(value) for key, value in static.items()})

        def backward_here(dy):
            dxs = backward(there(dy))
            return tuple(map(here, dxs)) if isinstance(dxs, tuple) else here(dxs)

        return here(y), backward_here

    return moved


def kind_of(value):
    if isinstance(value, tuple):
        return f"({', '.join(type(v).__name__ for v in value)})"
    return "None" if value is None else f"one {type(value).__name__}"


def _argument_names(raw, count):
    names = []
    for p in inspect.signature(raw).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{k}]" for k in range(count)]
        elif p.kind is not p.KEYWORD_ONLY:
            names.append(p.name)
    return names[:count]
