"""Short names for annotations: what an argument may be. A type checker and help() read them, and nothing here runs."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minires.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing

# An array of NumPy's or CuPy's. A checker lets everything pass for it: CuPy's arrays have no types, and where the
# function of an op takes an Array, a call of the op takes a Tensor.
Array: TypeAlias = Any

Scalar: TypeAlias = float  # a Python number; an int passes for one
TensorLike: TypeAlias = Tensor | np.ndarray
Operand: TypeAlias = Tensor | np.ndarray | np.generic | Scalar  # what stands beside a Tensor: x + operand

Pair: TypeAlias = int | Sequence[int]  # one number for rows and columns, or two
Dims: TypeAlias = int | Sequence[int] | None  # one axis, several, or all
DType: TypeAlias = "np.typing.DTypeLike | None"
Rng: TypeAlias = "np.random.Generator | int | None"  # a generator, a seed, or the default generator

Params: TypeAlias = Iterable[Tensor | Mapping[str, Any]]  # what an optimiser steps: Tensors, or groups
PathLike: TypeAlias = str | os.PathLike
Transform: TypeAlias = Callable[[Array, Any], Array]  # (images, rng) -> images
