"""Checks of what a user sets: numbers, and names in any usual spelling. Each raises an error with a clear message."""

import difflib
import math
import numbers
from contextlib import suppress
from operator import index

import numpy as np

from minires.errors import DTypeError, OptionError, ShapeError


def in_range(name, value, low, high=math.inf, *, open_above=False, infinite=False):
    """value as a Python float, if it lies within [low, high] (or [low, high)) and is finite (or may be infinite).

    Raises OptionError for everything else, and for True and False, which were meant for another setting.
    """
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer of 309 digits or more
            number = float(value)
    if not low <= number <= high or (math.isinf(number) and not infinite) or (open_above and number == high):
        bounds = [] if low == -math.inf else [f"at least {low}"]
        bounds += [] if high == math.inf else [f"{'below' if open_above else 'at most'} {high}"]
        kind = "number" if infinite or high < math.inf else "finite number"
        raise OptionError(
            f"{name} must be a {kind}{' of ' * bool(bounds)}{' and '.join(bounds)}, got {shortened(value)}"
        )
    return number


def flag(name, value):
    """value as True or False. Raises DTypeError for anything else, because "False" and nan are true in Python."""
    if not isinstance(value, (bool, np.bool_)):
        hint = "; several dims are one tuple, as in dim=(2, 3)" if name.endswith("keepdim") else ""
        raise DTypeError(f"{name} must be True or False, got {shortened(value)}{hint}")
    return bool(value)


def integer(name, value):
    """value as a Python integer, also that of a 0-d Tensor. Raises DTypeError for True, 3.0 and "3"."""
    try:
        if not isinstance(value, (bool, np.bool_)):
            return index(value)
    except TypeError:
        pass
    raise DTypeError(f"{name} must be an integer, got {shortened(value)}")


def shortened(value):
    """value as messages show it: only the beginning of a long one."""
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 60 else f"{shown[:50]}…"


def meant(name, names):
    """The name that is meant, whatever its capitals, - and _ are; None if there is no such name."""
    return name if name in names else _spellings(names).get(_plain(name))


def similar(name, names, most=3, cutoff=0.6):
    """Up to `most` names that are similar, the closest first; cutoff: the least similarity, from 0 to 1."""
    spellings = _spellings(names)
    return [spellings[plain] for plain in difflib.get_close_matches(_plain(name), spellings, n=most, cutoff=cutoff)]


def did_you_mean(name, names, otherwise="", most=3):
    """ "did you mean a or b?", the end of a message about an unknown name; `otherwise` if no name is similar."""
    close = similar(name, names, most)
    return f"did you mean {' or '.join(close)}?" if close else otherwise


def _spellings(names):
    return {_plain(name): name for name in names}


def _plain(name):
    return "".join(character for character in str(name).lower() if character.isalnum())


def is_whole(value):
    """Whether value is a whole number: 3 or np.int64(3), not True, 3.0 or "3"."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def whole(name, value, low=1):
    """value as a Python integer of at least low, else an OptionError."""
    if not is_whole(value) or value < low:
        raise OptionError(f"{name} must be a whole number of at least {low}, got {shortened(value)}")
    return int(value)


def axis(name, dim, ndim):
    """dim, which may count from the end, as 0 <= axis < ndim; a 0-d array has the axis 0 or −1, as in PyTorch."""
    i = integer(f"{name}: dim", dim)
    if not -max(ndim, 1) <= i < max(ndim, 1):
        raise ShapeError(f"{name}: dim {i} is out of range for {ndim} axes")
    return i % ndim if ndim else 0


def axes(name, dim, ndim):
    """The axes in dim, one integer or a tuple of them; all axes for None and ()."""
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else range(ndim) if dim is None else (dim,)
    found = tuple([axis(name, d, ndim) for d in dims or range(ndim)])
    if len(set(found)) < len(found):
        raise ShapeError(f"{name}: dim {dim} names an axis twice")
    return found if ndim else ()
