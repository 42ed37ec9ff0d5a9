"""Checks of the state of a module or an optimizer, {name: array}, before anything of it is loaded."""

from collections.abc import Mapping

import numpy as np

from minires.arrays import array_module, check_plain
from minires.errors import CheckpointError, DTypeError


def check_state(owner, state):
    """Raise CheckpointError, with the remedy, if state is no dictionary or holds masked arrays."""
    fault = f"{type(owner).__name__} cannot load this state; "
    if isinstance(state, Mapping):
        for name, array in state.items():
            try:
                check_plain(array, name)
            except DTypeError as error:
                raise CheckpointError(fault + str(error)) from error
        return
    is_path = isinstance(state, str) or hasattr(state, "__fspath__")
    remedy = (
        ", read the file first: storage.load(path)[0]"
        if is_path
        else ", storage.load(path) gives (arrays, meta): pass its first, [0]"
        if isinstance(state, tuple)
        else ", pass its state_dict()"
        if hasattr(state, "state_dict")
        else ", call it: state_dict()"
        if callable(state)
        else ""
    )
    raise CheckpointError(f"{fault}{{name: array}} is needed, got a {type(state).__name__}{remedy}")


def fits_dtype(array, dtype):
    """Whether every element of the array can be converted to dtype: none is truncated, wrapped around or made infinite.

    Floats may be rounded, and integers may become floats.
    """
    if array.dtype == dtype:
        return True
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return not array.size or (limits.min <= int(array.min()) and int(array.max()) <= limits.max)
    if dtype.kind == "f":
        xp = array_module(array)
        with np.errstate(over="ignore"):
            converted = array.astype(dtype)
        return bool((xp.isfinite(converted) == xp.isfinite(array)).all())
    return False
