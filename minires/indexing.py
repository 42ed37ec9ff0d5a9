"""x[index] with PyTorch's rules, in two steps of NumPy."""

from operator import index as as_integer

import numpy as np

from minires.arrays import is_array
from minires.errors import DTypeError, OptionError, ShapeError
from minires.settings import shortened
from minires.tensor_base import unwrap


def two_steps(name, index, xp, ndim):
    """(integers and slices, then arrays and lists): x[first][second] is torch's x[index]; second may be None.

    x has ndim axes. PyTorch applies integers first. NumPy treats them as arrays, so that its x[0, :, [1, 2]] is
    transposed. In PyTorch `...` is the same as its slices; in NumPy it separates arrays even if it stands for no axis.
    The arrays are copies, so that backward uses the same index if the user changes the array later.
    """
    parts = [_part(name, i, xp) for i in map(unwrap, index if isinstance(index, tuple) else (index,))]
    if not any(is_array(i) for i in parts):
        return tuple(parts), None
    first, second = [], []
    left_over = ndim - sum(_axes_of(i) for i in parts)
    for i in parts:
        if is_array(i):
            first += [slice(None)] * _axes_of(i)
            second.append(i)
        elif i is Ellipsis:
            first += [slice(None)] * left_over
            second += [slice(None)] * left_over
        else:
            first.append(i)
            second += [] if isinstance(i, int) else [slice(None)]
    return tuple(first), tuple(second)


def _axes_of(i):
    """How many axes of x one part of an index uses."""
    if i is None or i is Ellipsis:
        return 0
    return i.ndim if is_array(i) and i.dtype == np.bool_ else 1


def _part(name, i, xp):
    """One part of an index: lists, tuples and ranges become arrays, arrays are copied, and one integer is an int."""
    if isinstance(i, slice):
        return _slice(name, i)
    if isinstance(i, bool):
        return xp.asarray(i)  # a mask without axes, although True is an integer in Python
    if isinstance(i, (list, tuple, range)):
        try:
            return xp.asarray([unwrap(k) for k in i], dtype=None if i else xp.intp)
        except ValueError:  # lists of unequal lengths
            raise ShapeError(f"{name}: a list in an index must be one of integers or booleans, got {i}") from None
    if isinstance(i, np.ndarray) and not i.ndim and i.dtype.kind in "iu":
        return int(i)
    if is_array(i) and i.dtype == np.uint64 and (i >= 2**63).any():  # NumPy takes these for negative integers
        raise IndexError(f"{name}: index {int(i.max())} is out of bounds")
    if is_array(i) and i.dtype == np.uint8:
        raise DTypeError(
            f"{name}: an array of uint8 is a mask in PyTorch and holds positions in NumPy; make it one of "
            "the two, with astype(bool) or astype(int), or of a Tensor with to(bool) or to(int)"
        )
    return i.copy() if is_array(i) else i


def _slice(name, given):
    """The slice, with integers and None. Raises DTypeError or OptionError instead of NumPy's errors."""
    try:
        parts = [None if part is None else as_integer(part) for part in (given.start, given.stop, given.step)]
    except TypeError:
        raise DTypeError(f"{name}: a slice in an index must be one of integers, got {shortened(given)}") from None
    if parts[2] == 0:
        raise OptionError(f"{name}: the step of a slice must not be 0, got {shortened(given)}")
    return slice(*parts)
