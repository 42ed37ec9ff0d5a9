"""What a submission looks like from outside: Box (in a process of its own) and Local (in this one) both show this."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Handle:
    """An object that stays where the submission runs: a closure, a cache, a layer."""

    number: int
    type: str
    callable: bool


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function: kind is "positional", "keyword", "*" or "**"; default is a value or a Handle."""

    name: str
    kind: str
    required: bool
    default: Any = field(default=None, compare=False)  # an array or a list has no hash


@dataclass(frozen=True)
class Described:
    """What a name stands for: kind is "function", "class", "object" or "missing".

    parameters: of the function, or of the class's __init__ without self; methods: the public ones, without self.
    """

    kind: str
    parameters: list[Parameter] = field(default_factory=list)
    methods: dict[str, list[Parameter]] = field(default_factory=dict)


@dataclass(frozen=True)
class Returned:
    """What a call gave, and the positions or names of the given arrays that it changed in place.

    earlier: those of earlier calls that have changed since, as [label, position or name].
    """

    value: Any
    changed: list[int | str] = field(default_factory=list)
    earlier: list[list] = field(default_factory=list)
