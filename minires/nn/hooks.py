"""Hooks on a module: before forward(), after forward(), and in the backward pass."""

import numpy as np

from minires.arrays import owners
from minires.errors import DTypeError, GraphError
from minires.graph import Node
from minires.hooks import Handle, check_hook
from minires.mode import mode
from minires.settings import flag
from minires.tensor import Tensor, unwrap


class ModuleHooks:
    """The hooks of one module by kind, each as (hook, with_kwargs). True if there is any."""

    def __init__(self):
        self.before, self.after, self.backward = {}, {}, {}

    def __bool__(self):
        return bool(self.before or self.after or self.backward)

    def add(self, kind, hook, *, with_kwargs=False, prepend=False):
        check_hook(hook)
        entry = hook, flag("hook: with_kwargs", with_kwargs)
        return Handle(getattr(self, kind), entry, prepend=flag("hook: prepend", prepend))

    def call(self, module, inputs, settings):
        """module.forward(*inputs, **settings), with all hooks called."""
        for hook, with_kwargs in tuple(self.before.values()):
            inputs, settings = _before(hook, with_kwargs, module, inputs, settings)
        watches = self.backward and mode.recording
        watch = BackwardWatch(module, [hook for hook, _ in self.backward.values()], inputs) if watches else None
        output = module.forward(*(watch.inputs(inputs) if watch else inputs), **settings)
        for hook, with_kwargs in tuple(self.after.values()):
            changed = hook(module, inputs, *((settings,) if with_kwargs else ()), output)
            output = output if changed is None else changed
        return watch.outputs(output) if watch else output


def _before(hook, with_kwargs, module, inputs, settings):
    """(inputs, settings) after a forward pre-hook, which returns None or new ones."""
    changed = hook(module, inputs, *((settings,) if with_kwargs else ()))
    if changed is None:
        return inputs, settings
    if not with_kwargs:
        return (changed if isinstance(changed, tuple) else (changed,)), settings
    if not (isinstance(changed, tuple) and len(changed) == 2):
        raise DTypeError(
            f"a forward pre-hook with keywords returns None or (inputs, keywords), got {type(changed).__name__}"
        )
    return changed


class BackwardWatch:
    """One call of a module with full backward hooks: a recorder at each input and output, and one collector.

    All of them are nodes of the graph. A recorder stores the gradient that arrives and sends a signal to the collector.
    Backward reaches the recorders of the outputs first, then those of the inputs, then the collector, the oldest node.
    By then all gradients are stored. The collector calls the hooks and returns ∂L/∂inputs, or what the hooks return.
    """

    def __init__(self, module, hooks, inputs):
        self.places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.name = type(module).__name__
        self.grad_input = [None] * len(inputs)
        self.grad_output = []
        places, grad_input, grad_output = self.places, self.grad_input, self.grad_output  # no self: that is a cycle
        closed_over = []

        def backward(signal):
            given = tuple(grad_input)
            for hook in hooks:
                changed = hook(module, given, tuple(grad_output))
                given = given if changed is None else _as_many(changed, given)
            dxs = tuple([given[i] for i in places])
            closed_over[:] = owners(dxs)  # a hook may have kept them, so the sweep must not write into them
            for stored in (grad_input, grad_output):  # for a second backward through a retained graph
                stored[:] = [None] * len(stored)
            return dxs

        self.collector = Node(
            f"backward hook of {self.name}",
            np.zeros(1, np.float32),
            backward,
            tuple([inputs[i].node for i in places]),
            closed_over,
        )

    def inputs(self, inputs):
        """The inputs, with a recorder at each that takes a gradient."""
        inputs = list(inputs)
        for i in self.places:
            inputs[i] = self._recorded(inputs[i], "input", self.grad_input, i, passes_on=False)
        return tuple(inputs)

    def outputs(self, output):
        """The output, a Tensor or a tuple of them, with a recorder at each that takes a gradient."""
        outputs = list(output) if isinstance(output, (tuple, list)) else [output]
        self.grad_output += [None] * len(outputs)
        for i, y in enumerate(outputs):
            if isinstance(y, Tensor) and y.requires_grad:
                outputs[i] = self._recorded(y, "output", self.grad_output, i, passes_on=True)
        if isinstance(output, (tuple, list)):
            return type(output)(outputs) if type(output) in (tuple, list) else type(output)(*outputs)
        return outputs[0]

    def _recorded(self, x, what, stored, i, passes_on):
        """x with a node whose backward stores the gradient in stored[i], and may pass it on to x."""
        closed_over = []

        def backward(dy):
            stored[i] = dy
            closed_over[:] = owners([dy])
            signal = np.zeros(1, np.float32)
            return (dy, signal) if passes_on else signal

        y = Tensor._of(x.data, x.version)
        nodes = (x.node, self.collector) if passes_on else (self.collector,)
        y.node = Node(f"{what} of {self.name}", x.data, backward, nodes, closed_over)
        return y


def _as_many(changed, given):
    """What a backward hook returned, as a tuple of arrays. Raises GraphError unless there is one for each input."""
    changed = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    if len(changed) != len(given):
        raise GraphError(f"a backward hook returned {len(changed)} gradients, the module has {len(given)} inputs")
    return tuple(unwrap(dx) for dx in changed)
