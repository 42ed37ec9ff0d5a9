"""What people set, checked once, with the messages that they get: numbers, and names in any usual spelling."""

import difflib
import math
import numbers

from minires.errors import OptionError


def in_range(name, value, low, high=math.inf, *, open_above=False):
    """value as a Python float, if it is finite and lies within [low, high] (or [low, high)).

    Raises OptionError, which names it, for everything else, and for True and False: these were meant for a neighbour.
    """
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of 309 digits or more
            number = math.inf
    if not low <= number <= high or number == math.inf or (open_above and number == high):
        upper = "" if high == math.inf else f" and {'below' if open_above else 'at most'} {high}"
        raise OptionError(f"{name} must be a {'finite ' * (high == math.inf)}number of at least {low}{upper}, "
                          f"got {value!r}")
    return number


def meant(name, names):
    """The one of names that is meant, in capitals or not, with - and _ or without; None if there is none."""
    return name if name in names else _spellings(names).get(_plain(name))


def near(name, names, most=3):
    """Up to so many of names that may have been meant, the nearest first."""
    spellings = _spellings(names)
    return [spellings[plain] for plain in difflib.get_close_matches(_plain(name), spellings, n=most)]


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
        raise OptionError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return int(value)
