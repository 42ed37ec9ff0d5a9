"""What a planted bug is: a backward that is wrong in a way in which people get it wrong."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps

from minires.op import registry

catalogue = []  # every Bug, in the order of the files of this room


@dataclass(frozen=True)
class Bug:
    """gradients(call) is what the wrong backward of `op` returns; hint is said to whoever gets the same."""

    op: str
    name: str
    hint: str
    gradients: Callable


def bug(op, name, hint):
    """Put the decorated function (Call) -> gradients into the catalogue."""

    def enter(gradients):
        catalogue.append(Bug(op, name, hint, gradients))
        return gradients

    return enter


class Call:
    """One call of a backward: the arrays and settings of its forward, and dy, the upstream gradient.

    state: a dict that all calls of one forward's backward share, for a backward that remembers what it should not.
    """

    def __init__(self, op, arrays, static, dy, state=None):
        self.op, self.arrays, self.static, self.dy = op, arrays, static, dy
        self.state = {} if state is None else state

    def setting(self, name):
        """A setting of the forward: as given, else the op's default."""
        return self.static.get(name, inspect.signature(registry[self.op].raw).parameters[name].default)

    def again(self, *arrays, dy=None, **static):
        """The right gradients of another call: of these arrays, dy and settings where given, else of this one's."""
        static = copy.deepcopy({**self.static, **static})
        dxs = registry[self.op].raw(*(arrays or self.arrays), **static)[1](self.dy if dy is None else dy)
        return dxs if isinstance(dxs, tuple) else (dxs,)

    @cached_property
    def right(self):
        """The right gradients of this call."""
        return self.again()

    @cached_property
    def y(self):
        """What the forward gave."""
        return registry[self.op].raw(*self.arrays, **copy.deepcopy(self.static))[0]

    def but(self, **wrong):
        """The right gradients with some replaced: but(x=dx, b=db); one for an argument that is not there is dropped."""
        names = inspect.signature(registry[self.op].raw).parameters
        return tuple(dx if dx is None else wrong.get(name, dx) for name, dx in zip(names, self.right))


class BrokenBugError(BaseException):
    """A planted bug raised an error instead of giving wrong gradients.

    It is no Exception, because the checker counts those of a function under check as findings.
    """


def planted(bug, raw=None):
    """The op with the bug in its backward: a function of the form of `.raw`."""
    raw = raw or registry[bug.op].raw

    @wraps(raw)
    def function(*arrays, **static):
        y, _ = raw(*arrays, **static)
        state = {}

        def backward(dy):
            try:
                return bug.gradients(Call(bug.op, arrays, static, dy, state))
            except Exception as error:
                raise BrokenBugError(f"{bug.op}: {bug.name}: {error!r}") from error

        return y, backward

    return function
