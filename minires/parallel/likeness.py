"""What a network is at a moment: whatever of it a forked process has copied, so that a change is seen.

Weights lie in memory that all processes share, and buffers are copied with each batch. All else that modules hold is
looked at here, at any depth: Python's numbers and strings by value, arrays by value too (a digest of their bytes),
other objects by identity and by what they hold in turn. Of a module's class it is what the names in it stand for.
What forward() reads from somewhere else (a global variable, a file, a clock) is not seen.
"""

import hashlib
import types
from collections import deque
from functools import partial

import numpy as np

from minires import kernels
from minires.graph import mode
from minires.nn import Module
from minires.tensor import Tensor, unwrap

PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None), type(...), slice, range})
CONTAINERS = (list, tuple, set, frozenset, deque)


class Apart:
    """Base of what a network may know without a part of it lying there."""


BY_IDENTITY = (type, types.ModuleType, types.BuiltinFunctionType, Apart)


class Likeness:
    """Likeness(…).difference(Likeness(…)) -> where the network has changed between the two, "" if nowhere.

    parameters: those of the model that lie in shared memory; a tensor that is none of them is looked at by value. With
    the network it holds what an op asks of the thread: the chosen kernels, complex_step, NumPy's errors. It keeps what
    it has seen alive, because the identity of what is gone may be given to another object.
    """

    def __init__(self, model, parameters):
        # Of each thing seen: the object that holds it and its name there, its kind, and what can be compared of it.
        # In four lists, because a thousand tuples would start the collection of garbage.
        self.holders, self.names, self.kinds, self.values, self.alive = [], [], [], [], []
        self._numbers, self._classes = {}, set()  # of objects seen before; classes seen before
        self._shared = {id(p) for p in parameters}
        self._waiting = deque([("", "", model)])
        for name, value in (("kernels.use", kernels.chosen()), ("complex_step", mode.complex_step),
                            *np.geterr().items()):
            self._note("", name, type(value), value)
        while self._waiting:
            self._look(*self._waiting.popleft())

    def difference(self, other):
        """The place of the first difference as a dotted name, "" if there is none."""
        if self.values == other.values and self.kinds == other.kinds:
            return ""
        mine, others = (list(zip(a.kinds, a.values)) for a in (self, other))
        i = next((i for i, (a, b) in enumerate(zip(mine, others)) if a != b), min(len(mine), len(others)) - 1)
        return f"{other.holders[i]}.{other.names[i]}".lstrip(".")

    def _note(self, holder, name, kind, value):
        self.holders.append(holder)
        self.names.append(name)
        self.kinds.append(kind)
        self.values.append(value)

    def _look(self, holder, name, value):
        """Note what can be compared of the value, and let what it holds wait for its turn."""
        kind = type(value)
        if kind in PLAIN:
            self._note(holder, name, kind, value)
            return
        if id(value) in self._numbers:
            self._note(holder, name, "seen before", self._numbers[id(value)])
            return
        self._numbers[id(value)] = len(self.alive)
        self.alive.append(value)
        sight, held = self._sight_of(value)
        self._note(holder, name, kind, sight)
        if held:
            place = f"{holder}.{name}" if holder else str(name)
            for name, value in held:
                if type(value) in PLAIN:
                    self._note(place, name, type(value), value)
                else:
                    self._waiting.append((place, name, value))

    def _sight_of(self, value):
        """What can be compared of an object, and what it holds: (name, value) each."""
        if isinstance(value, Module):
            return id(value), self._of_module(value)
        if isinstance(value, dict):
            return len(value), [*enumerate(value), *value.items()]
        if isinstance(value, Tensor):
            if id(value) not in self._shared:
                return (id(value), value.requires_grad), [("data", value.data)]
            self.alive.append(value.data)
            return (id(value), id(value.data), value.requires_grad), ()
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if isinstance(value, CONTAINERS):
            items = tuple(value)
            kinds = tuple(map(type, items))
            return ((kinds, items), ()) if PLAIN.issuperset(kinds) else (len(items), enumerate(items))
        return id(value), _held(value)

    def _of_module(self, module):
        """Its attributes: buffers by identity, and its mode however that came to be."""
        held = dict(vars(module), training=module.training)
        for name in module._buffers:
            array = unwrap(held.get(name))
            if isinstance(array, np.ndarray):
                self.alive.append(array)
                held[name] = id(array)
        if type(module) not in self._classes:
            for kind in type(module).__mro__[:-1]:
                if kind not in self._classes:
                    self._classes.add(kind)
                    held.update((f"{kind.__name__}.{name}", value) for name, value in self._of_class(kind))
        return held.items()

    def _of_class(self, kind):
        for name, value in vars(kind).items():
            if not isinstance(value, (dict, *CONTAINERS, np.ndarray)):
                self.alive.append(value)
                value = id(value)
            yield name, value

    def _of_array(self, array):
        sight = id(array), array.shape, array.strides, array.dtype.str
        if array.dtype.hasobject:
            return sight, enumerate(array.ravel().tolist())
        return (*sight, hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8)).digest()), ()


def _held(value):
    """What an object that is no array or container holds: (name, value) each."""
    if isinstance(value, BY_IDENTITY):
        return []
    if isinstance(value, types.MethodType):
        return [("self", value.__self__), ("function", value.__func__)]
    if isinstance(value, partial):
        return [("function", value.func), ("arguments", value.args), ("keywords", value.keywords)]
    held = list(getattr(value, "__dict__", {}).items())
    if isinstance(value, types.FunctionType):
        held += [("defaults", value.__defaults__), ("keyword defaults", value.__kwdefaults__), *_surroundings(value)]
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        held += [(name, getattr(value, name)) for name in ([slots] if isinstance(slots, str) else slots)
                 if hasattr(value, name) and name not in ("__dict__", "__weakref__")]
    return held


def _surroundings(function):
    """The variables of the functions around it that it uses, those without a value left out."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue
