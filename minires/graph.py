"""The tape: nodes, and the sweep that carries a gradient back through them.

An op computes y and hands back a function that turns ∂L/∂y into ∂L/∂x for each of its inputs. A Node remembers
that function and the nodes of the inputs; propagate() walks the nodes from the newest to the oldest, adding up
what arrives at each. Nothing else is kept: a Node never holds a Tensor, so a graph has no reference cycle and is
freed the moment its last Tensor is.
"""

import itertools
import threading
from contextlib import contextmanager
from operator import attrgetter

import numpy as np

from minires import kernels
from minires.arrays import array_module, check_plain, device_of, is_array, owner, owners
from minires.errors import DTypeError, GraphError, ShapeError


class _Mode(threading.local):
    recording = True
    complex_step = False


mode = _Mode()
_keeping = threading.Lock()


@contextmanager
def _with(**settings):
    before = {name: getattr(mode, name) for name in settings}
    vars(mode).update(settings)
    try:
        yield
    finally:
        vars(mode).update(before)


def no_grad():
    """Record nothing in this thread inside `with no_grad():` or in a function decorated `@no_grad()`."""
    return _with(recording=False)


def complex_step():
    """Let ops take complex arrays, and record nothing: Im f(x + ih)/h is a derivative [Squire & Trapp 1998]."""
    return _with(recording=False, complex_step=True)


class Version:
    """Counts the in-place changes of one piece of memory; a Tensor and its views share it."""

    __slots__ = ("count",)

    def __init__(self):
        self.count = 0


class Node:
    """Where a gradient arrives: at the output of one op, or at a leaf, which has no backward."""

    __slots__ = ("backward", "device", "dtype", "held", "hooks", "inputs", "name", "order", "saved", "shape", "target",
                 "when_kept")
    _order = itertools.count()

    def __init__(self, name, array, backward=None, inputs=(), held=(), saved=()):
        self.name, self.backward, self.inputs = name, backward, inputs
        self.held, self.saved = held, saved  # owners of the arrays that backward closes over, and their versions
        self.shape, self.dtype, self.device = array.shape, array.dtype, device_of(array)
        self.order = next(Node._order)  # an op is newer than its inputs, so this sorts the graph
        self.hooks, self.when_kept = {}, {}  # called with the gradient that arrives, and when .grad has been set
        self.target = None  # weak reference to the Tensor whose .grad is to be set

    def gradients(self, dy):
        """∂L/∂x for each input, from ∂L/∂y."""
        for version, count in self.saved:
            if version.count != count:
                raise GraphError(
                    f"{self.name}: an array that its backward needs was changed in place after the forward pass; "
                    "run backward first, or change a copy"
                )
        code = self.backward.__code__
        if code.co_argcount > 1 and code.co_varnames[1] == "needs":  # costly gradients: it is told which are wanted
            dxs = self.backward(dy, tuple(node is not None for node in self.inputs))
        else:
            dxs = self.backward(dy)
        dxs = tuple(dxs) if isinstance(dxs, (tuple, list)) else (dxs,)
        if len(dxs) < len(self.inputs) or any(dx is not None for dx in dxs[len(self.inputs):]):
            raise GraphError(f"{self.name}: backward gave {len(dxs)} gradients for {len(self.inputs)} inputs")
        return dxs

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


def _newest_first(root):
    found, stack = {root}, [root]
    while stack:
        for node in stack.pop().inputs:
            if node is not None and node not in found:
                found.add(node)
                stack.append(node)
    return sorted(found, key=attrgetter("order"), reverse=True)


def propagate(root, dy, retain_graph):
    """The reverse sweep: when a node's turn comes, everything newer has already added its share."""
    grads, ours = {root: dy}, set()  # ours: nodes whose entry nobody else has, so adding in place hurts nobody
    for node in _newest_first(root):
        dy = grads.pop(node, None)
        if dy is None:
            continue
        for hook in tuple(node.hooks.values()):
            ours.discard(node)
            changed = hook(dy)
            dy = dy if changed is None else node.accept(changed, "gradient hook")
        tensor = node.target and node.target()
        if tensor is not None:
            with _keeping:  # another thread may add to the same .grad
                if tensor.grad is not None:
                    tensor.grad = kernels.add(node.accept(tensor.grad, "the .grad of before"), dy)
                elif node in ours and dy.strides == tensor.data.strides:
                    tensor.grad = dy
                else:
                    tensor.grad = _copy_as(tensor.data, dy)
            for hook in tuple(node.when_kept.values()):
                hook(tensor)
        if node.name == "leaf":
            continue
        if node.backward is None:
            raise GraphError(f"{node.name}: this graph has been used by backward already; the first call needs "
                             "retain_graph=True to keep it for a second")
        own = node in ours and tensor is None  # else .grad may be dy
        with kernels.spare(dy if own else None):
            dxs = node.gradients(dy)
        held, given = node.held if own else [id(owner(dy)), *node.held], owners(dxs)
        for parent, dx in zip(node.inputs, dxs):
            if parent is None or dx is None:
                continue
            dx = parent.accept(dx, node.name)
            if parent not in grads:
                grads[parent] = dx
                if _is_new(dx, held, given):
                    ours.add(parent)
            elif parent not in ours:
                grads[parent] = kernels.add(grads[parent], dx)
                ours.add(parent)
            else:
                kernels.add(grads[parent], dx, grads[parent])
        if not retain_graph:
            node.backward, node.inputs, node.held, node.saved = None, (), (), ()


def _is_new(dx, held, given):
    """Whether dx was made by the backward that gave it, all of its memory, and may be added to in place."""
    own = owner(dx)
    return (id(own) not in held and own.size == dx.size and given.count(id(own)) == 1
            and getattr(dx.flags, "writeable", True))


def _copy_as(like, dy):
    """A copy of dy lying in memory as `like` does, as the optimiser wants it."""
    grad = array_module(like).empty_like(like)
    grad[...] = dy
    return grad
