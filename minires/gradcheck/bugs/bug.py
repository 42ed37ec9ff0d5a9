"""What a planted bug is: a backward that is wrong in a way in which people get it wrong."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps

from minires.op import registry

catalogue = []  # every Bug, in the order of the files of this folder


@dataclass(frozen=True)
class Bug:
    """gradients(call) is what the wrong backward of `op` returns; hint is for the author of the same mistake."""

    op: str
    name: str
    hint: str
    gradients: Callable


def bug(op, name, when=None):
    """Put the decorated function (Call) -> gradients into the catalogue. Its docstring is the hint.

    op: the name of an op, or of several that share the bug. when: (Call) -> whether the bug shows in a call; in the
    others the gradients are right.
    """

    def enter(function):
        @wraps(function)
        def gradients(call):
            return function(call) if when is None or when(call) else call.right

        hint = function.__doc__ or name  # python -OO drops docstrings
        catalogue.extend(Bug(each, name, hint, gradients) for each in ((op,) if isinstance(op, str) else op))
        return gradients

    return enter


class Call:
    """One call of a backward: the arrays and settings of its forward, and dy, the upstream gradient.

    x: the first array. state: a dict that is shared by all calls of one forward's backward, for a bug that keeps
    something between them. later: the settings as they are when backward runs, of which arrays may have changed.
    needs: for each array whether its gradient is needed; None for all.
    """

    def __init__(self, op, arrays, static, dy, state=None, later=None, needs=None):
        self.op, self.arrays, self.static, self.dy = op, arrays, static, dy
        self.later = static if later is None else later
        self.needs = needs
        self.x = arrays[0]
        self.state = {} if state is None else state
        self._op = registry[op].raw
        self._parameters = inspect.signature(self._op).parameters

    def setting(self, name):
        """A setting of the forward: as given, or the op's default."""
        return self.static.get(name, self._parameters[name].default)

    def again(self, *arrays, dy=None, **static):
        """The right gradients of another call: with these arrays, dy and settings, or this call's where not given."""
        static = copy.deepcopy({**self.static, **static})
        dxs = self._op(*(arrays or self.arrays), **static)[1](self.dy if dy is None else dy)
        return dxs if isinstance(dxs, tuple) else (dxs,)

    @cached_property
    def right(self):
        """The right gradients of this call."""
        return self.again()

    @cached_property
    def y(self):
        """What the forward returned."""
        return self._op(*self.arrays, **copy.deepcopy(self.static))[0]

    def but(self, **wrong):
        """The right gradients with some replaced, by argument: but(x=dx, bias=db).

        The gradient of an optional argument that this call does not have is left out. Raises TypeError for a name that
        is no argument of the op.
        """
        names = [name for name, p in self._parameters.items() if p.kind is not p.KEYWORD_ONLY]
        unknown = wrong.keys() - set(names)
        if unknown:
            raise TypeError(f"{self.op} has the arguments {', '.join(names)}, no {', '.join(sorted(unknown))}")
        return tuple(dx if dx is None else wrong.get(name, dx) for name, dx in zip(names, self.right))


class BrokenBugError(BaseException):
    """A planted bug raised an error instead of giving wrong gradients.

    It is not an Exception, because the checker counts those of a function under check as findings.
    """


def planted(bug, raw=None):
    """The op with the bug in its backward: a function of the form of `.raw`."""
    raw = raw or registry[bug.op].raw

    @wraps(raw)
    def function(*arrays, **static):
        kept = copy.deepcopy(static)
        y, of_raw = raw(*arrays, **static)
        state = {}

        def backward(dy, needs=None):
            try:
                return bug.gradients(Call(bug.op, arrays, kept, dy, state, later=static, needs=needs))
            except Exception as error:
                raise BrokenBugError(f"{bug.op}: {bug.name}: {error!r}") from error

        takes_needs = "needs" in inspect.signature(of_raw).parameters
        return y, backward if takes_needs else lambda dy: backward(dy)

    return function
