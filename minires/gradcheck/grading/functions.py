"""Plans of functions: one that gives (y, backward), a backward alone, and a forward and a backward."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minires.gradcheck.grading import names
from minires.gradcheck.grading.answers import SAID, blank, is_number, kind_of, unread
from minires.gradcheck.grading.calls import Calls
from minires.gradcheck.grading.errors import FormError, NotDoneError, printable
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.plan import Attempt, Plan

DERIVATIVE = (
    "{name} takes no dy: a backward is given dy, the gradient with respect to y, and returns dx, which is dy times the "
    "derivative"
)
KEYS = "{name} gives a dict with the keys {keys}: return (loss, dx), or a dict with the keys loss and dx"


@dataclass
class ClosurePlan(Plan):
    """f(arrays, settings) -> (y, backward); or (loss, dx), for a dy of 1."""

    name: str = ""
    forward: Any = None  # a Binding, as the others
    backward_name: str = ""

    def bindings(self):
        return [self.forward]

    def order(self):
        return self.forward.arrays or None

    def start(self, child, case, right):
        args, kwargs = self.forward.arguments(self.values(case))
        calls = Calls(self, child)
        value, changed = calls.first("forward", self.forward, self.name, args, kwargs)
        blank(value, self.name)
        if isinstance(value, dict) and self.standard.may_be_loss:
            value = _of_loss(value)
        if isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], Handle) and value[1].callable:
            self.words, self.unit = "(y, backward)", False
            y = self.y(value[0], case, right)
            running = calls.running(self.forward, case)
            back = value[1]
            return Attempt(y, lambda dy: calls.backward(None, back, [self.dy(dy)]), changed, running, calls=calls)
        pair = isinstance(value, (tuple, list)) and len(value) >= 2
        number = gives_number(right) and is_number(value[0]) if pair else False
        if pair and self.standard.may_be_loss and (number or (self.unit and np.ndim(value[0]))):
            self.words, self.unit, self.again = "(loss, gradients)", True, False
            rest = value[1] if len(value) == 2 else tuple(value[1:])
            arrays = sum(isinstance(v, np.ndarray) for v in value[1:])
            if arrays > len(self.gradient_shapes(case)):
                raise FormError(f"{self.name} gives {kind_of(value)}: return (loss, dx) and nothing else")
            return Attempt(self.y(value[0], case, right), lambda dy: (rest, []), changed)
        if isinstance(value, (tuple, list)) and len(value) == 2 and gives_number(right) and is_number(value[1]):
            raise FormError(f"{self.name} gives {kind_of(value)}: the loss comes first, return (loss, dx)")
        if isinstance(value, (tuple, list)) and len(value) == 2 and value[1] is None:
            blank(value[1], "the backward")
        if right is not None and not right.ndim and is_number(value) and "reduction" in self.standard.settings:
            raise NotDoneError(f"{self.name} returns the loss alone: return (loss, dx), its gradient beside it")
        if names.looks_backward(self.name) and isinstance(value, np.ndarray):
            raise FormError(DERIVATIVE.format(name=self.name))
        if isinstance(value, np.ndarray) and value.shape == right_shape(right, self.layout):
            raise NotDoneError(
                f"it returns y alone: return (y, backward), backward a function of dy, or name both functions, "
                f"FILE:{self.name},{self.name}_backward"
            )
        if isinstance(value, dict) and self.standard.may_be_loss:
            raise FormError(
                KEYS.format(name=self.name, keys=", ".join(printable(key, 40) for key in list(value)[:SAID]))
            )
        raise FormError(unread(value, self.name))


def _of_loss(value):
    """(loss, gradients) of a dict {"loss": …, "dx": …}; a dict without a loss as it is."""
    loss = next((key for key in value if names.plain(key) in names.LOSS), None)
    rest = {key: v for key, v in value.items() if key != loss}
    if loss is None or not rest:
        return value
    (only, *more) = rest.values()
    is_backward = isinstance(only, Handle) and only.callable
    is_all = not more and (is_backward or names.plain(next(iter(rest))) in names.GRADIENTS)
    return value[loss], only if is_all else rest


def gives_number(right):
    """Whether y is to be a number; it may be where that is not known."""
    return right is None or not right.ndim


def right_shape(right, layout):
    """The shape of y in a layout; None where it is not known."""
    return None if right is None else np.shape(layout.output.there(right))


@dataclass
class AlonePlan(Plan):
    """A backward that is given the arrays of its forward, and dy."""

    name: str = ""
    backward: Any = None
    has_forward: bool = False
    words: str = "a backward alone"

    def bindings(self):
        return [self.backward]

    def supplies(self, argument):
        return self.backward.has("output")  # y says all that is needed of x

    def order(self):
        return self.backward.arrays or None

    def start(self, child, case, right):
        y = self.layout.output.there(right)

        def backward(dy):
            args, kwargs = self.backward.arguments(self.values(case, dy=self.dy(dy), y=y))
            return Calls(self, child).backward(self.backward, self.name, args, kwargs)

        return Attempt(None, backward)


@dataclass
class PairPlan(Plan):
    """A forward that gives (y, cache), or y alone, and a backward that is given dy and the cache, or the arrays."""

    name: str = ""
    forward: Any = None
    backward_name: str = ""
    backward: Any = None
    again: bool = False

    def __post_init__(self):
        self.interleaved = self.backward.has("cache") or bool(self.backward.arrays)  # else it keeps something itself

    def bindings(self):
        return [self.forward] if self.backward.has("cache") else [self.forward, self.backward]

    def takes(self):
        return None if self.forward.has("rest") else list(self.forward.arrays)

    def order(self):
        return self.backward.arrays or self.forward.arrays or None

    def start(self, child, case, right):
        args, kwargs = self.forward.arguments(self.values(case))
        calls = Calls(self, child)
        value, changed = calls.first("forward", self.forward, self.name, args, kwargs, keep=True)
        blank(value, self.name)
        cache = None
        more = value[2:] if isinstance(value, (tuple, list)) else []
        if isinstance(value, (tuple, list)) and len(value) >= 2:
            cache = value[1] if len(value) == 2 else tuple(value[1:])
            value = value[0]
        elif self.backward.has("cache") and case.static.get("training", True):  # in evaluation it may have none
            raise FormError(
                f"{self.name} returns {kind_of(value)} alone: return (y, cache), because {self.backward_name} takes "
                "a cache"
            )
        y = self.y(value, case, right)
        self.words = "(y, cache)" if self.backward.has("cache") else "a forward and a backward"
        theirs = self.layout.output.there(y)

        def backward(dy):
            args, kwargs = self.backward.arguments(
                self.values(case, dy=None if self.unit else self.dy(dy), cache=cache, y=theirs)
            )
            return calls.backward(self.backward, self.backward_name, args, kwargs)

        return Attempt(y, backward, changed, calls.running(self.forward, case), calls.arrays_of(more, case), calls)
