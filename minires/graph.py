"""The tape: nodes, and the sweep that carries a gradient back through them.

An op computes y and hands back a function that turns ∂L/∂y into ∂L/∂x for each of its inputs. A Node remembers
that function and the nodes of the inputs; propagate() walks the nodes from the newest to the oldest, adding up
what arrives at each. Nothing else is kept: a Node never holds a Tensor, so a graph has no reference cycle and is
freed the moment its last Tensor is.
"""

import inspect
import itertools
import threading
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from typing import Any, TypeVar, overload

import numpy as np

from minires import kernels, observe
from minires.arrays import array_module, check_plain, device_of, is_array, owner, owners
from minires.errors import DTypeError, GraphError, ShapeError
from minires.settings import shortened


class _Mode(threading.local):
    recording = True
    complex_step = False


mode = _Mode()
_keeping = threading.Lock()


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _Switched:
    """Settings of `mode` for this thread: inside a `with` block, or in a function that this decorates."""

    def __init__(self, **settings):
        self.settings, self._before = settings, []

    def __enter__(self) -> None:
        self._before.append({name: getattr(mode, name) for name in self.settings})
        vars(mode).update(self.settings)

    def __exit__(self, *exception):
        vars(mode).update(self._before.pop())

    def __call__(self, function: Decorated) -> Decorated:
        return self._decorated(function)

    def _decorated(self, function):
        if not callable(function):
            raise DTypeError(
                f"no_grad decorates a function, got {shortened(function)}; write @no_grad() above it, or "
                "`with no_grad():`"
            )
        if inspect.isgeneratorfunction(function):

            @wraps(function)
            def switched(*args, **kwargs):
                return self._steps(function(*args, **kwargs))
        else:

            @wraps(function)
            def switched(*args, **kwargs):
                with _Switched(**self.settings):
                    return function(*args, **kwargs)

        return switched

    def _steps(self, generator):
        """What the generator yields, each of its steps run with these settings, and the caller's in between."""
        resume, given = generator.send, None
        while True:
            with _Switched(**self.settings):
                try:
                    value = resume(given)
                except StopIteration as end:
                    return end.value
            try:
                resume, given = generator.send, (yield value)
            except GeneratorExit:
                with _Switched(**self.settings):
                    generator.close()
                raise
            except BaseException as error:  # thrown into this generator: pass it on to the wrapped one
                resume, given = generator.throw, error


@overload
def no_grad() -> _Switched: ...
@overload
def no_grad(function: Decorated) -> Decorated: ...
def no_grad(function: Any = None) -> Any:
    """Record nothing in this thread inside `with no_grad():`, or in a function decorated @no_grad() or @no_grad.

    The steps of a generator record nothing either; what its caller does between them is recorded.
    """
    switched = _Switched(recording=False)
    return switched if function is None else switched(function)


def complex_step() -> _Switched:
    """Let ops take complex arrays, and record nothing: Im f(x + ih)/h is a derivative [Squire & Trapp 1998]."""
    return _Switched(recording=False, complex_step=True)


class Version:
    """Counts the in-place changes of one piece of memory; a Tensor and its views share it."""

    __slots__ = ("count",)

    def __init__(self):
        self.count = 0


class Node:
    """Where a gradient arrives: at the output of one op, or at a leaf, which has no backward."""

    __slots__ = (
        "backward",
        "closed_over",
        "device",
        "dtype",
        "hooks",
        "inputs",
        "name",
        "order",
        "post_grad_hooks",
        "saved",
        "shape",
        "takes_needs",
        "target",
    )
    _order = itertools.count()

    def __init__(self, name, array, backward=None, inputs=(), closed_over=(), saved=(), takes_needs=False):
        self.name, self.backward, self.inputs, self.takes_needs = name, backward, inputs, takes_needs
        self.closed_over, self.saved = closed_over, saved  # owners of the arrays backward keeps, and their versions
        self.shape = array.shape
        self.dtype = array.dtype
        self.device = device_of(array)
        self.order = next(Node._order)  # an op is newer than its inputs, so this sorts the graph
        self.hooks, self.post_grad_hooks = {}, {}  # called with the gradient that arrives, and when .grad has been set
        self.target = None  # weak reference to the Tensor whose .grad is to be set

    def gradients(self, dy):
        """∂L/∂x for each input, from ∂L/∂y. Raises GraphError where that cannot be had any more."""
        if self.backward is None:
            raise GraphError(
                f"{self.name}: this graph has been used by backward already; the first call needs "
                "retain_graph=True to keep it for a second"
            )
        for version, count in self.saved:
            if version.count != count:
                raise GraphError(
                    f"{self.name}: an array that its backward needs was changed in place after the forward pass; "
                    "run backward first, or change a copy"
                )
        needs = (tuple(node is not None for node in self.inputs),) if self.takes_needs else ()
        dxs = observe.timed(self.name, "backward", self.backward, dy, *needs)  # self.backward(dy), and its time
        dxs = tuple(dxs) if isinstance(dxs, (tuple, list)) else (dxs,)
        if len(dxs) < len(self.inputs) or any(dx is not None for dx in dxs[len(self.inputs) :]):
            raise GraphError(f"{self.name}: backward gave {len(dxs)} gradients for {len(self.inputs)} inputs")
        return [dx if node is None or dx is None else node.accept(dx, self.name) for node, dx in zip(self.inputs, dxs)]

    def accept(self, dx, op_name):
        """dx as an array, checked against the array that it is the gradient of."""
        tensor = self.target and self.target()
        like = self if tensor is None else tensor  # a leaf's data may have been replaced, a parameter's by .to()
        dx = dx if is_array(dx) else np.asarray(dx)
        check_plain(dx, op_name)
        if dx.shape != like.shape:
            raise ShapeError(f"{op_name}: backward gave a gradient {dx.shape} for an input {like.shape}")
        if dx.dtype != like.dtype:
            raise DTypeError(f"{op_name}: backward gave a {dx.dtype} gradient for a {like.dtype} input")
        if device_of(dx) != like.device:
            raise DTypeError(f"{op_name}: backward gave a gradient on {device_of(dx)} for an input on {like.device}")
        return dx

    def call_hooks(self, dy):
        """What the hooks make of ∂L/∂y, one after another."""
        for hook in tuple(self.hooks.values()):
            changed = hook(dy)
            dy = dy if changed is None else self.accept(changed, "gradient hook")
        return dy

    def keep_grad(self, dy, exclusive):
        """Add ∂L/∂y to the .grad of the Tensor that wants it, if there is one; an exclusive dy may become it."""
        tensor = self.target and self.target()
        if tensor is None:
            return
        with _keeping:  # another thread may add to the same .grad
            if tensor.grad is not None:
                tensor.grad = kernels.add(self.accept(tensor.grad, "the .grad of before"), dy)
            elif exclusive and dy.strides == tensor.data.strides:
                tensor.grad = dy
            else:
                tensor.grad = _copy_as(tensor.data, dy)
        for hook in tuple(self.post_grad_hooks.values()):
            hook(tensor)

    def release(self):
        """Forget what backward needs."""
        self.backward, self.inputs, self.closed_over, self.saved = None, (), (), ()


def propagate(root, dy, retain_graph):
    """The reverse sweep. An op is newer than its inputs, so a node's turn comes after that of all that used its output.

    Its gradient is complete then: everything newer has added its part.
    """
    arrived = _Sums()
    arrived.add(root, dy, exclusive=False)
    for node in _newest_first(root):
        dy, exclusive = arrived.take(node)
        if dy is None:  # the backward of everything that used it returned None
            continue
        if node.hooks:
            dy = node.call_hooks(dy)
            exclusive = False
        node.keep_grad(dy, exclusive)
        if node.name == "leaf":
            continue
        dxs = node.gradients(dy)
        for parent, dx, exclusive in zip(node.inputs, dxs, _exclusive(dxs, dy, node)):
            if parent is not None and dx is not None:
                arrived.add(parent, dx, exclusive)
        if not retain_graph:
            node.release()


def _newest_first(root):
    found, stack = {root}, [root]
    while stack:
        for node in stack.pop().inputs:
            if node is not None and node not in found:
                found.add(node)
                stack.append(node)
    return sorted(found, key=attrgetter("order"), reverse=True)


class _Sums:
    """∂L/∂y of the nodes whose turn has not come, as far as it has arrived.

    An exclusive array is one that nothing but this table refers to, so it may be changed in place.
    """

    def __init__(self):
        self._sums = {}
        self._exclusive = set()

    def add(self, node, dx, exclusive):
        before = self._sums.get(node)
        if before is None:
            self._sums[node] = dx
        else:
            self._sums[node] = kernels.add(before, dx, before if node in self._exclusive else None)
        if exclusive or before is not None:
            self._exclusive.add(node)

    def take(self, node):
        """The sum, or None, and whether it is exclusive."""
        return self._sums.pop(node, None), node in self._exclusive


def _exclusive(dxs, dy, node):
    """For each dx whether backward made it, all of its memory, and keeps no reference to it."""
    known = {id(owner(dy)), *node.closed_over}
    given = owners(dxs)

    def is_exclusive(dx):
        memory = owner(dx)
        return (
            id(memory) not in known
            and memory.size == dx.size
            and given.count(id(memory)) == 1
            and getattr(dx.flags, "writeable", True)
        )

    return [is_array(dx) and is_exclusive(dx) for dx in dxs]


def _copy_as(like, dy):
    """A copy of dy lying in memory as `like` does, as the optimiser wants it."""
    grad = array_module(like).empty_like(like)
    grad[...] = dy
    return grad
