"""The graph of what was computed, and the backward pass through it.

An op computes y and a function that turns ∂L/∂y into ∂L/∂x for each of its inputs. A Node keeps this function, and for
each input its node, or None if that input needs no gradient (_record in op.py makes it).
"""

import itertools
import threading
from operator import attrgetter

import numpy as np

from minires import kernels, observe
from minires.arrays import array_module, check_plain, device_of, is_array, owner, owners
from minires.errors import DTypeError, GraphError, ShapeError

_writing_grad = threading.Lock()


def propagate(root, dy, retain_graph):
    """The backward pass: each node hands its gradient on to the nodes of its inputs, from the newest to the oldest.

        sums = {root: dy}  # root: where backward() was called; dy is 1 if it is the loss
        for node in newest first:
            if node.is_leaf:  # a tensor that no op has computed, such as a weight
                .grad += sums[node]
            else:
                for parent, dx in zip(node.inputs, node.backward(sums[node])):
                    sums[parent] = sums.get(parent, 0) + dx

    With H = x + tanh(x) and L = ΣH:

        made as             gradient, added up    hands on  (1: an array of ones)
        3 sum               1                     1 to residual_add
        2 residual_add      1                     1 to x, 1 to tanh
        1 tanh              1                     1 − tanh²(x), which is tanh′(x), to x
        0 leaf x            1 + (1 − tanh²(x))    all to x.grad

    Why a sum: if x is used in y₁ and in y₂, then ∂L/∂x = ∂L/∂y₁·∂y₁/∂x + ∂L/∂y₂·∂y₂/∂x.
    Why newest first: every op that used y is newer than y's node, and had its turn before. So when the turn of y's
    node comes, its sum is complete.
    The rest of this file checks, and saves memory: a first reader may stop after this function.
    """
    sums = _GradientSums(root, dy)
    for node in _newest_first(root):
        dy = sums.take(node)
        if dy is None:  # no gradient arrived: the backward of all that used it returned None
            continue
        may_overwrite = sums.may_overwrite(node) and not node.hooks  # because a hook may keep dy
        dy = node.call_hooks(dy)
        node.keep_grad(dy, may_overwrite)
        if not node.is_leaf:
            sums.add_all(node, dy, node.gradients(dy))  # node.backward(dy), checked
        if not retain_graph:
            node.release()


def _newest_first(root):
    """The root and all nodes that it depends on."""
    found, stack = {root}, [root]
    while stack:
        for node in stack.pop().inputs:
            if node is not None and node not in found:
                found.add(node)
                stack.append(node)
    return sorted(found, key=attrgetter("order"), reverse=True)


class _GradientSums:
    """For each node whose turn has not come, the sum of the gradients that have arrived so far.

    A sum may be overwritten when nothing else refers to its memory. Then the next gradient is added to it in place.
    """

    def __init__(self, root, dy):
        self._sums = {root: dy}
        self._memory = {id(owner(dy))}  # the ids of the owners of these sums
        self._owned = set()  # the nodes whose sum may be overwritten; the caller of backward() owns dy

    def take(self, node):
        """The sum at node, or None if nothing has arrived."""
        dx = self._sums.pop(node, None)
        self._memory.discard(id(owner(dx)))
        return dx

    def may_overwrite(self, node):
        """Whether the sum at node, taken or not, may be overwritten."""
        return node in self._owned

    def add_all(self, node, dy, dxs):
        """Add each dx that node's backward made of dy to the sum of the input that it is the gradient of."""
        for parent, dx, is_new in zip(node.inputs, dxs, _are_new(dxs, dy, node)):
            if parent is not None and dx is not None:
                self._add(parent, dx, is_new, node.name)

    def _add(self, node, dx, is_new, op_name):
        """Raises GraphError if dx, which the backward of op_name returned, lies where a gradient still waits."""
        if is_new and id(owner(dx)) in self._memory:
            raise GraphError(
                f"{op_name}: backward returned an array that it returned before, and that gradient is still needed; "
                "let it make a new array in each call"
            )
        before = self.take(node)
        total = dx if before is None else kernels.add(before, dx, out=before if self.may_overwrite(node) else None)
        self._sums[node] = total
        self._memory.add(id(owner(total)))
        if is_new or before is not None:  # a sum of two is new memory
            self._owned.add(node)


def _are_new(dxs, dy, node):
    """For each dx whether backward made it as an array of its own, so that the next gradient may be added into it.

    residual_add returns (dy, dy): adding something into one of them would change the other.
    """
    known = {id(owner(dy)), *node.closed_over}
    returned = owners(dxs)

    def is_new(dx):
        memory = owner(dx)
        return (
            id(memory) not in known  # neither dy nor an array that backward keeps
            and memory.size == dx.size  # no view of a part
            and returned.count(id(memory)) == 1  # not returned twice
            and getattr(dx.flags, "writeable", True)
        )

    return [is_array(dx) and is_new(dx) for dx in dxs]


class Node:
    """A place in the graph where a gradient arrives: the output of one op, or a leaf, which no op has computed.

    A Node never holds a Tensor. So a graph has no reference cycle, and is freed together with its last Tensor.
    """

    __slots__ = (
        "backward",
        "closed_over",
        "device",
        "dtype",
        "hooks",
        "inputs",
        "is_leaf",
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
        self.is_leaf = backward is None
        self.describe(array)
        self.order = next(Node._order)  # an op is newer than its inputs, so this sorts the graph
        self.hooks, self.post_grad_hooks = {}, {}  # called with the gradient that arrives, and when .grad has been set
        self.target = None  # weak reference to the Tensor whose .grad is to be set

    def describe(self, array):
        """Note what a gradient that arrives here has to fit: the array of this node's Tensor."""
        self.shape = array.shape
        self.dtype = array.dtype
        self.device = device_of(array)

    def __repr__(self):
        inputs = ", ".join(f"{node.order} {node.name}" for node in self.inputs if node is not None)
        return f"Node({self.order} {self.name}{' of ' + inputs if inputs else ''})"

    def gradients(self, dy):
        """∂L/∂x for each input, from ∂L/∂y. Raises GraphError where backward can no longer compute them."""
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
        return [dx if node is None or dx is None else node.checked(dx, self.name) for node, dx in zip(self.inputs, dxs)]

    def checked(self, dx, op_name, gave="backward gave"):
        """dx as an array. Raises ShapeError or DTypeError unless it fits the array that it is the gradient of."""
        tensor = self.target and self.target()
        dx = dx if is_array(dx) else np.asarray(dx)
        check_plain(dx, op_name)
        like = self if tensor is None else tensor  # whose data may have been replaced after the forward
        if dx.shape != like.shape:
            raise ShapeError(f"{op_name}: {gave} a gradient {dx.shape} for an input {like.shape}")
        if dx.dtype != like.dtype:
            raise DTypeError(f"{op_name}: {gave} a {dx.dtype} gradient for a {like.dtype} input")
        if device_of(dx) != like.device:
            raise DTypeError(f"{op_name}: {gave} a gradient on {device_of(dx)} for an input on {like.device}")
        return dx

    def call_hooks(self, dy):
        """∂L/∂y after the hooks of the user, each of which may replace it."""
        for hook in tuple(self.hooks.values()):
            changed = hook(dy)
            dy = dy if changed is None else self.checked(changed, "gradient hook", "returned")
        return dy

    def keep_grad(self, dy, may_overwrite):
        """Add ∂L/∂y to the .grad of the Tensor that wants it, if there is one; dy may become it if that is allowed."""
        tensor = self.target and self.target()
        if tensor is None:
            return
        with _writing_grad:  # another thread may add to the same .grad
            if tensor.grad is not None:
                tensor.grad = kernels.add(self.checked(tensor.grad, "the previous .grad", "is"), dy)
            elif may_overwrite and dy.strides == tensor.data.strides:
                tensor.grad = dy
            else:
                tensor.grad = _copy_as(tensor.data, dy)
        for hook in tuple(self.post_grad_hooks.values()):
            hook(tensor)

    def release(self):
        """Free what backward needs."""
        self.backward, self.inputs, self.closed_over, self.saved = None, (), (), ()


def _copy_as(like, dy):
    """A copy of dy with the memory layout of `like`, as the optimizer wants it."""
    grad = array_module(like).empty_like(like)
    grad[...] = dy
    return grad


class Version:
    """Counts the in-place changes of one piece of memory; a Tensor and its views share it."""

    __slots__ = ("count",)

    def __init__(self):
        self.count = 0
