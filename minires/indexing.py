"""x[index] as torch has it, in two steps of NumPy's."""

import numpy as np

from minires.arrays import is_array
from minires.operators import unwrap


def two_steps(index, xp):
    """(integers and slices, then arrays and lists): x[first][second] is torch's x[index]; second may be None.

    Torch takes integers out first. NumPy counts them among the arrays, and x[0, :, [1, 2]] comes out transposed.
    The arrays are copies: backward puts the gradient back where x was read, whatever becomes of an array since.
    """
    parts = [_part(i, xp) for i in map(unwrap, index if isinstance(index, tuple) else (index,))]
    if not any(is_array(i) for i in parts):
        return tuple(parts), None
    first, second = [], []
    for i in parts:
        if is_array(i):
            first += [slice(None)] * (i.ndim if i.dtype == np.bool_ else 1)
            second.append(i)
        else:
            first.append(i)
            second += [] if isinstance(i, int) else [i if i is Ellipsis else slice(None)]
    return tuple(first), tuple(second)


def _part(i, xp):
    """One part of an index: lists become arrays, arrays are copied, and one integer is an int."""
    if isinstance(i, list):
        return xp.asarray([unwrap(k) for k in i], dtype=None if i else xp.intp)
    if isinstance(i, np.ndarray) and not i.ndim and i.dtype.kind in "iu":
        return int(i)
    return i.copy() if is_array(i) else i
