"""What plain values may be: said once, and checked with one sentence that names the value and what is allowed.

>>> row = Fields(epoch=Whole(1), loss=Number(0))
>>> row.fault("history[0]", {"epoch": 0, "loss": 2.5})
'history[0].epoch must be at least 1, got 0'
"""

import math
import numbers
import re
from typing import Any

MOST = 60  # letters of a value that are shown


def shown(value):
    """The value as it is written, shortened; a number of a million digits is not written at all."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of thousands of digits"
    return text if len(text) <= MOST else f"{text[:MOST]}…"


class _Range:
    what: str = ""
    kind: Any = ()

    def __init__(self, low=None, high=None):
        self.low, self.high = low, high

    def fault(self, name, value):
        """A sentence about what is wrong with the value, or ""."""
        if isinstance(value, bool) or not isinstance(value, self.kind):
            return f"{name} must be {self.what}, got {shown(value)}"
        if self.low is not None and value < self.low:
            return f"{name} must be at least {self.low}, got {shown(value)}"
        if self.high is not None and value > self.high:
            return f"{name} must be at most {self.high}, got {shown(value)}"
        return ""


class Whole(_Range):
    """An integer from low to high."""

    what, kind = "a whole number", numbers.Integral


class Number(_Range):
    """A finite number from low to high."""

    what, kind = "a number", numbers.Real

    def fault(self, name, value):
        said = super().fault(name, value) if value == value else ""  # NaN lies nowhere
        return said or ("" if _finite(value) else f"{name} must be a finite number, got {shown(value)}")


def _finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


class Float:
    """Any number, NaN and infinity among them."""

    def fault(self, name, value):
        fits = isinstance(value, float) or (type(value) is int and _finite(value))
        return "" if fits else f"{name} must be a number, got {shown(value)}"


class Switch:
    """True or False."""

    def fault(self, name, value):
        return "" if isinstance(value, bool) else f"{name} must be True or False, got {shown(value)}"


class Text:
    """Letters; of all that match a pattern, which `what` describes."""

    def __init__(self, pattern=r"[^\0]*", what="text"):
        self.pattern = re.compile(pattern, re.DOTALL)
        self.what = what

    def fault(self, name, value):
        fits = isinstance(value, str) and self.pattern.fullmatch(value)
        return "" if fits else f"{name} must be {self.what}, got {shown(value)}"


class OneOf:
    """One of a few values."""

    def __init__(self, *values):
        self.values = values

    def fault(self, name, value):
        if any(type(value) is type(allowed) and value == allowed for allowed in self.values):
            return ""
        choice = "one of " if len(self.values) > 1 else ""
        return f"{name} must be {choice}{', '.join(map(str, self.values))}, got {shown(value)}"


class Many:
    """A list, of `length` items, all of one schema."""

    def __init__(self, item, length=None):
        self.item, self.length = item, length

    def fault(self, name, value):
        if not isinstance(value, list):
            return f"{name} must be a list, got {shown(value)}"
        if self.length is not None and len(value) != self.length:
            return f"{name} must hold {self.length} items, got {len(value)}"
        return next(filter(None, (self.item.fault(f"{name}[{i}]", v) for i, v in enumerate(value))), "")


class Fields:
    """A dictionary with these keys and no others; those in `optional` may be absent."""

    def __init__(self, optional=(), **fields):
        self.fields, self.optional = fields, optional

    def fault(self, name, value):
        if not isinstance(value, dict):
            return f"{name} must be a dictionary, got {shown(value)}"
        missing = [key for key in self.fields if key not in value and key not in self.optional]
        unknown = [key for key in value if key not in self.fields]
        if missing or unknown:
            return f"{name} " + (f"lacks {missing[0]!r}" if missing else f"has an unknown entry {shown(unknown[0])}")
        parts = (self.fields[key].fault(f"{name}.{key}" if name else key, v) for key, v in value.items())
        return next(filter(None, parts), "")


class Named:
    """A dictionary with any names, whose values have one schema."""

    def __init__(self, item):
        self.item = item

    def fault(self, name, value):
        if not isinstance(value, dict):
            return f"{name} must be a dictionary, got {shown(value)}"
        return next(filter(None, (self.item.fault(f"{name}[{key!r}]", v) for key, v in value.items())), "")
