"""Checks of plain Python values. A schema's fault() is a sentence that names the value and what is allowed, or "".

>>> row = Fields(epoch=Integer(1), loss=Number(0))
>>> row.fault("history[0]", {"epoch": 0, "loss": 2.5})
'history[0].epoch must be at least 1, got 0'
"""

import math
import numbers
import re
from dataclasses import field, fields
from typing import Any

from minires.errors import OptionError

MAX_SHOWN = 60  # characters of a value in a message


def shown(value):
    """repr(value), shortened; Python does not write an integer of thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of thousands of digits"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


class _Range:
    what: str = ""
    kind: Any = ()

    def __init__(self, low=None, high=None):
        self.low, self.high = low, high

    def fault(self, name, value):
        """A sentence that says what is wrong with the value, or ""."""
        if isinstance(value, bool) or not isinstance(value, self.kind):
            return f"{name} must be {self.what}, got {shown(value)}"
        if self.low is not None and value < self.low:
            return f"{name} must be at least {self.low}, got {shown(value)}"
        if self.high is not None and value > self.high:
            return f"{name} must be at most {self.high}, got {shown(value)}"
        return ""


class Integer(_Range):
    """An integer from low to high."""

    what, kind = "a whole number", numbers.Integral


class Number(_Range):
    """A finite number from low to high."""

    what, kind = "a number", numbers.Real

    def fault(self, name, value):
        fault = super().fault(name, value) if value == value else ""  # NaN is in no range
        return fault or ("" if _finite(value) else f"{name} must be a finite number, got {shown(value)}")


def _finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


class Float:
    """Any number, NaN and infinity among them."""

    def fault(self, name, value):
        fits = isinstance(value, float) or (type(value) is int and _finite(value))
        return "" if fits else f"{name} must be a number, got {shown(value)}"


class Boolean:
    """True or False."""

    def fault(self, name, value):
        return "" if isinstance(value, bool) else f"{name} must be True or False, got {shown(value)}"


class Anything:
    """Any value."""

    def fault(self, name, value):
        return ""


class Text:
    """A string that matches a pattern; `what` describes it."""

    def __init__(self, pattern=r"[^\0]*", what="text"):
        self.pattern = re.compile(pattern, re.DOTALL)
        self.what = what

    def fault(self, name, value):
        fits = isinstance(value, str) and self.pattern.fullmatch(value)
        return "" if fits else f"{name} must be {self.what}, got {shown(value)}"


class OneOf:
    """One of these values."""

    def __init__(self, *values):
        self.values = values

    def fault(self, name, value):
        if any(type(value) is type(allowed) and value == allowed for allowed in self.values):
            return ""
        choice = "one of " if len(self.values) > 1 else ""
        return f"{name} must be {choice}{', '.join(map(str, self.values))}, got {shown(value)}"


class ListOf:
    """A list of items of one schema, `length` of them if that is given. kind: the class, list or tuple."""

    def __init__(self, item, length=None, kind=list):
        self.item, self.length, self.kind = item, length, kind

    def fault(self, name, value):
        if not isinstance(value, self.kind):
            return f"{name} must be a {self.kind.__name__}, got {shown(value)}"
        if self.length is not None and len(value) != self.length:
            return f"{name} must hold {self.length} items, got {len(value)}"
        return next(filter(None, (self.item.fault(f"{name}[{i}]", v) for i, v in enumerate(value))), "")


class TupleOf(ListOf):
    """One item or more of one schema, in a tuple: the values of a flag that takes several. empty: none is enough."""

    def __init__(self, item, empty=False):
        super().__init__(item, kind=tuple)
        self.empty = empty

    def fault(self, name, value):
        return super().fault(name, value) or ("" if value or self.empty else f"{name} must have at least one value")


class Fields:
    """A dictionary with these keys only; those in `optional` may be absent."""

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


class DictOf:
    """A dictionary with any keys, whose values have one schema."""

    def __init__(self, item):
        self.item = item

    def fault(self, name, value):
        if not isinstance(value, dict):
            return f"{name} must be a dictionary, got {shown(value)}"
        return next(filter(None, (self.item.fault(f"{name}[{key!r}]", v) for key, v in value.items())), "")


def setting(default, allowed, help, kind=None, **flag):
    """A field of a Settings class: its default, what is allowed (a schema), and the help of its flag (argparse).

    kind: the Python type of its values, that of the default unless given. A default of None follows from the other
    settings.
    """
    return field(
        default=default, metadata={"allowed": allowed, "help": help, "kind": kind or type(default), "flag": flag}
    )


class Settings:
    """Base of frozen dataclasses whose fields are made by setting(). Raises OptionError for a value out of range."""

    def __post_init__(self):
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None and f.default is None:
                continue
            fault = f.metadata["allowed"].fault(f.name, value)
            if fault:
                usual = "what is usual" if f.default is None else f"{f.default!r}, the default"
                raise OptionError(f"{fault}; leave it out to have {usual}")
            object.__setattr__(self, f.name, f.metadata["kind"](value))  # NumPy's numbers, too, and 1 for 1.0
