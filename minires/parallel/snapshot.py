"""A snapshot of a network, by which Replicas notice that the network has changed since a process was forked.

A forked process has copies of all objects. Weights are in shared memory, and buffers are copied with each batch, so
these may change. After any other change the process would compute with an old network. So a snapshot visits every
object in the network, at any depth, and records two things:

    its fingerprint   the value of a number or a string, a digest of an array's bytes, or else the id
    its children      the objects in it: attributes, items, variables of a function, the contents of its class

If two snapshots have equal fingerprints, the network has not changed. A snapshot does not notice what forward() reads
from elsewhere (a global variable, a file, a clock), nor the position of an iterator.
"""

import gc
import hashlib
import types
import weakref
from collections import deque
from functools import partial

import numpy as np

from minires import kernels
from minires.mode import mode
from minires.nn import Module
from minires.tensor import Tensor, unwrap

BY_VALUE = frozenset({bool, int, float, complex, str, bytes, type(None), type(...), slice, range})
CONTAINERS = (list, tuple, set, frozenset, deque)


class Opaque:
    """Base of objects that are compared by identity only, not by their contents.

    Replicas are such objects: a hook may refer to them, but their attributes are no part of the network.
    """


BY_IDENTITY = (types.ModuleType, types.CodeType, types.GetSetDescriptorType, types.MemberDescriptorType, Opaque)
HEAP_TYPE = 1 << 9  # the flag of a class whose attributes may change  (CPython's Py_TPFLAGS_HEAPTYPE)


class Snapshot:
    """Snapshot(…).difference(Snapshot(…)) -> the place where the network has changed between the two, "" if nowhere.

    parameters: the model's tensors in shared memory. Any other tensor is compared by value. A snapshot also records the
    thread's settings that change an op's result: the chosen kernels, complex_step, NumPy's error handling.
    """

    def __init__(self, model, parameters):
        # One entry for each object, in four lists, because a thousand tuples would start Python's garbage collection.
        self.parents = []  # the dotted name of what holds the object
        self.names = []  # the object's name there
        self.kinds = []
        self.fingerprints = []
        self.kept_alive = []  # a deleted object's id may be given to a new object
        self._numbers = {}  # id of an object -> its number in the order of first visits
        self._classes = set()  # visited already
        self._shared = {id(p) for p in parameters}
        self._queue = deque([("", "", model)])
        for name, value in (
            ("kernels.use", kernels.chosen()),
            ("complex_step", mode.complex_step),
            *np.geterr().items(),
        ):
            self._record("", name, type(value), value)
        while self._queue:
            self._visit(*self._queue.popleft())

    def difference(self, other):
        """The place of the first difference as a dotted name, "" if there is none."""
        if self.fingerprints == other.fingerprints and self.kinds == other.kinds:
            return ""
        before, after = (list(zip(s.kinds, s.fingerprints)) for s in (self, other))
        i = next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), -1)
        return f"{other.parents[i]}.{other.names[i]}".lstrip(".")

    def _record(self, parent, name, kind, fingerprint):
        self.parents.append(parent)
        self.names.append(name)
        self.kinds.append(kind)
        self.fingerprints.append(fingerprint)

    def _visit(self, parent, name, value):
        """Record the fingerprint of an object, and put its children into the queue."""
        if id(value) in self._numbers:
            self._record(parent, name, "visited before", self._numbers[id(value)])
            return
        self._numbers[id(value)] = len(self.kept_alive)
        self.kept_alive.append(value)
        fingerprint, children = self._fingerprint_and_children(value)
        self._record(parent, name, type(value), fingerprint)
        if children:
            place = f"{parent}.{name}" if parent else str(name)
            for child_name, child in children:
                if type(child) in BY_VALUE:
                    self._record(place, child_name, type(child), child)
                else:
                    self._queue.append((place, child_name, child))

    def _fingerprint_and_children(self, value):
        """The fingerprint of an object that is not in BY_VALUE, and its children as (name, object)."""
        if isinstance(value, Module):
            return id(value), self._module_attributes(value)
        if isinstance(value, (dict, types.MappingProxyType)):
            return len(value), [*enumerate(value), *value.items(), *_attributes(value)]
        if isinstance(value, Tensor):
            if id(value) not in self._shared:
                return (id(value), value.requires_grad), [("data", value.data)]
            self.kept_alive.append(value.data)
            return (id(value), id(value.data), value.requires_grad), ()
        if isinstance(value, np.ndarray):
            return self._array_fingerprint(value)
        if isinstance(value, CONTAINERS):
            items = tuple(value)
            kinds = tuple(map(type, items))
            if BY_VALUE.issuperset(kinds):
                return (kinds, items), _attributes(value)
            return len(items), [*enumerate(items), *_attributes(value)]
        if isinstance(value, type):
            return id(value), self._class_attributes(value)
        if (content := _memory(value)) is not None:
            return (id(value), content), _attributes(value)
        return id(value), _children(value)

    def _module_attributes(self, module):
        """A module's children: buffers by identity, and its mode, wherever that is stored."""
        children = dict(vars(module), training=module.training)
        for name in module._buffers:
            array = unwrap(children.get(name))
            if isinstance(array, np.ndarray):
                self.kept_alive.append(array)
                children[name] = id(array)
        return [*children.items(), *self._class_attributes(type(module))]

    def _class_attributes(self, kind):
        """The attributes of a class and its bases, as (name, object), unless they were visited already."""
        if kind in self._classes:
            return
        for base in kind.__mro__:
            if base not in self._classes:
                self._classes.add(base)
                if base.__flags__ & HEAP_TYPE:
                    yield from ((f"{base.__name__}.{name}", value) for name, value in vars(base).items())

    def _array_fingerprint(self, array):
        known = id(array), array.shape, array.dtype.str
        if array.dtype.hasobject:
            return known, [*enumerate(array.ravel().tolist()), *_attributes(array)]
        digest = hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8)).digest()
        return (*known, digest), _attributes(array)


def _attributes(value):
    """The values in an object's __dict__ and __slots__, as (name, object)."""
    found = list(getattr(value, "__dict__", {}).items())
    for kind in type(value).__mro__:
        if "__slots__" in vars(kind):
            found += [
                (name, getattr(value, name))
                for name, slot in vars(kind).items()
                if isinstance(slot, types.MemberDescriptorType) and hasattr(value, name)
            ]
    return found


def _children(value):
    """The children of an object that is neither array nor container, as (name, object)."""
    if isinstance(value, BY_IDENTITY):
        return []
    if isinstance(value, weakref.ref):
        target = value()
        return [] if isinstance(target, Opaque) else [("target", target)]
    if isinstance(value, types.MethodType):
        return [("self", value.__self__), ("function", value.__func__)]
    if isinstance(value, partial):
        return [("function", value.func), ("arguments", value.args), ("keywords", value.keywords), *_attributes(value)]
    if isinstance(value, types.FunctionType):
        return [
            ("code", value.__code__),
            ("defaults", value.__defaults__),
            ("keyword defaults", value.__kwdefaults__),
            *_closure_variables(value),
            *_attributes(value),
        ]
    found = _attributes(value)
    known = {id(getattr(value, "__dict__", None)), *(id(child) for _, child in found)}
    # its class, and the children of an object that is written in C
    return found + [(i, child) for i, child in enumerate(gc.get_referents(value)) if id(child) not in known]


def _memory(value):
    """A digest of an object's bytes, if it has the buffer protocol, as bytearray has; else None."""
    try:
        with memoryview(value) as memory:
            return memory.format, memory.shape, hashlib.sha256(memory.tobytes()).digest()
    except (TypeError, ValueError, BufferError):  # ValueError: a view that was released
        return None


def _closure_variables(function):
    """The variables of enclosing functions that it uses, as (name, object), except those without a value."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue
