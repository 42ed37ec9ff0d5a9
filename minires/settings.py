"""What people set, checked once, with the messages that they get: numbers, and names in any usual spelling."""

import difflib
import math
import numbers
from contextlib import suppress
from operator import index

import numpy as np

from minires.errors import DTypeError, OptionError, ShapeError


def in_range(name, value, low, high=math.inf, *, open_above=False, infinite=False):
    """value as a Python float, if it lies within [low, high] (or [low, high)) and is finite (or may be infinite).

    Raises OptionError, which names it, for everything else, and for True and False: these were meant for a neighbour.
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
    """value, True or False. Raises DTypeError for all else: "False" is true in Python, and so is nan."""
    if not isinstance(value, (bool, np.bool_)):
        hint = "; several dims are one tuple, as in dim=(2, 3)" if name.endswith("keepdim") else ""
        raise DTypeError(f"{name} must be True or False, got {shortened(value)}{hint}")
    return bool(value)


def integer(name, value):
    """value as a Python integer, also from a Tensor of one. Raises DTypeError for True, 3.0 and "3"."""
    try:
        if not isinstance(value, (bool, np.bool_)):
            return index(value)
    except TypeError:
        pass
    raise DTypeError(f"{name} must be an integer, got {shortened(value)}")


def shortened(value):
    """value as a message shows it: of an array or a long number no more than its beginning."""
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 60 else f"{shown[:50]}…"


def meant(name, names):
    """The one of names that is meant, in capitals or not, with - and _ or without; None if there is none."""
    return name if name in names else _spellings(names).get(_plain(name))


def near(name, names, most=3, cutoff=0.6):
    """Up to so many of names that may have been meant, the nearest first; cutoff: how alike they are at least (0–1)."""
    spellings = _spellings(names)
    return [spellings[plain] for plain in difflib.get_close_matches(_plain(name), spellings, n=most, cutoff=cutoff)]


def did_you_mean(name, names, otherwise="", most=3):
    """ "did you mean a or b?", the end of a message about an unknown name; `otherwise` where no name is near."""
    close = near(name, names, most)
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
    """dim, which may count from the end, as 0 <= axis < ndim; a 0-d array has the axis 0, or −1, as in torch."""
    i = integer(f"{name}: dim", dim)
    if not -max(ndim, 1) <= i < max(ndim, 1):
        raise ShapeError(f"{name}: dim {i} is out of range for {ndim} axes")
    return i % ndim if ndim else 0


def axes(name, dim, ndim):
    """The axes that dim names, one or a tuple of them, each once; all for None and ()."""
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else range(ndim) if dim is None else (dim,)
    found = tuple([axis(name, d, ndim) for d in dims or range(ndim)])
    if len(set(found)) < len(found):
        raise ShapeError(f"{name}: dim {dim} names an axis twice")
    return found if ndim else ()
