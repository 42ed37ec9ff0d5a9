"""Short names for annotations, which say what an argument may be. Type checkers and help() use them."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minires.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing

# An array of NumPy or CuPy. A type checker accepts anything for it, because CuPy's arrays have no types, and because a
# call of an op takes a Tensor where its function takes an Array.
Array: TypeAlias = Any

Scalar: TypeAlias = float  # a Python number; type checkers accept an int for it
TensorLike: TypeAlias = Tensor | np.ndarray
Operand: TypeAlias = Tensor | np.ndarray | np.generic | Scalar  # what stands beside a Tensor: x + operand

Numbers: TypeAlias = Sequence[Any] | np.ndarray  # what a line of a figure is drawn from, or rows of them

Pair: TypeAlias = int | Sequence[int]  # one number for rows and columns, or two
Dims: TypeAlias = int | Sequence[int] | None  # one axis, several, or all
DType: TypeAlias = "np.typing.DTypeLike | None"
Rng: TypeAlias = "np.random.Generator | int | None"  # a generator, a seed, or the default generator

Params: TypeAlias = Iterable[Tensor | Mapping[str, Any]]  # what an optimizer steps: Tensors, or groups
PathLike: TypeAlias = str | os.PathLike
Transform: TypeAlias = Callable[[Array, Any], Array]  # (images, rng) -> images
