"""The words in which a network is written down: values, calls of ops, and the size of a batch that is not known yet."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Batch(NamedTuple):
    """A size that is so many times the number of images, N."""

    times: int

    def __str__(self):
        return "N" if self.times == 1 else f"{self.times} * N"


class Value(NamedTuple):
    """An array of a network. kind: "images", "state" (a parameter or buffer), "constant" or "result" of an op.

    The sizes in its shape are integers or Batch.
    """

    kind: str
    name: str
    shape: tuple[Any, ...]
    dtype: Any


class Call(NamedTuple):
    """output = op(*inputs, **settings). An input is a Value, a number or None.

    where: the name of the module that called it. block: the same, but that of the part around a layer, which has no
    parts of its own.
    """

    op: str
    where: str
    block: str
    inputs: tuple[Any, ...]
    settings: dict[str, Any]
    output: Value


def changed(setting: Any, change: Callable[[Any], Any]) -> Any:
    """The setting, with each Batch and Value in it changed."""
    if isinstance(setting, (Batch, Value)):
        return change(setting)
    if isinstance(setting, slice):
        return slice(*(changed(part, change) for part in (setting.start, setting.stop, setting.step)))
    if isinstance(setting, tuple):
        return tuple(changed(part, change) for part in setting)
    return setting


def values_in(setting: Any) -> list[Value]:
    """All Values in a setting, or in a tuple of inputs."""
    if isinstance(setting, Value):
        return [setting]
    is_nested = isinstance(setting, tuple) and not isinstance(setting, Batch)
    return [value for part in setting for value in values_in(part)] if is_nested else []


def values_of(call: Call) -> list[Value]:
    """What a call takes: its inputs, and the arrays among its settings."""
    return values_in((*call.inputs, *call.settings.values()))
