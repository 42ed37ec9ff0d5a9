"""Hooks on a module: before forward(), after it, and behind it, where the gradients come back."""

import numpy as np

from minires.arrays import owners
from minires.errors import DTypeError, GraphError
from minires.graph import Node
from minires.hooks import Handle, check_hook
from minires.mode import mode
from minires.settings import flag
from minires.tensor import Tensor, unwrap


class ModuleHooks:
    """The hooks of one module by kind, each with whether it takes the keywords too; true if there is any."""

    def __init__(self):
        self.before, self.after, self.backward = {}, {}, {}

    def __bool__(self):
        return bool(self.before or self.after or self.backward)

    def add(self, kind, hook, *, with_kwargs=False, prepend=False):
        check_hook(hook)
        entry = hook, flag("hook: with_kwargs", with_kwargs)
        return Handle(getattr(self, kind), entry, prepend=flag("hook: prepend", prepend))

    def call(self, module, inputs, settings):
        """module.forward(*inputs, **settings), with what the hooks make of it."""
        for hook, with_kwargs in tuple(self.before.values()):
            inputs, settings = _before(hook, with_kwargs, module, inputs, settings)
        listens = self.backward and mode.recording
        passage = Passage(module, [hook for hook, _ in self.backward.values()], inputs) if listens else None
        output = module.forward(*(passage.enter(inputs) if passage else inputs), **settings)
        for hook, with_kwargs in tuple(self.after.values()):
            changed = hook(module, inputs, *((settings,) if with_kwargs else ()), output)
            output = output if changed is None else changed
        return passage.leave(output) if passage else output


def _before(hook, with_kwargs, module, inputs, settings):
    """(inputs, settings) after a forward pre-hook, which returns None, or what is to be taken in their place."""
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


class Passage:
    """One call of a module with full backward hooks: a gate before its inputs, and a door at each input and output.

    Backward meets the doors of the outputs, then those of the inputs, and the gate last, because it is the oldest. A
    door writes down the gradient that arrives and sends a token to the gate. So the gate's turn comes when all
    gradients are there; it calls the hooks, and hands on ∂L/∂inputs, or what the hooks make of them.
    """

    def __init__(self, module, hooks, inputs):
        self.places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.name = type(module).__name__
        self.grad_input = [None] * len(inputs)
        self.grad_output = []
        places, grad_input, grad_output, held = self.places, self.grad_input, self.grad_output, []

        def backward(token):
            given = tuple(grad_input)
            for hook in hooks:
                changed = hook(module, given, tuple(grad_output))
                given = given if changed is None else _as_many(changed, given)
            dxs = tuple([given[i] for i in places])
            held[:] = owners(dxs)  # hooks may have kept them, so that nobody may write into them
            for seen in (grad_input, grad_output):  # for a second backward through a retained graph
                seen[:] = [None] * len(seen)
            return dxs

        self.gate = Node(
            f"backward hook of {self.name}",
            np.zeros(1, np.float32),
            backward,
            tuple([inputs[i].node for i in places]),
            held,
        )

    def enter(self, inputs):
        """The inputs, each that takes a gradient behind its door."""
        inputs = list(inputs)
        for i in self.places:
            inputs[i] = self._door(inputs[i], "input", self.grad_input, i, hand_on=False)
        return tuple(inputs)

    def leave(self, output):
        """The output, a Tensor or a tuple of them, behind doors."""
        outputs = list(output) if isinstance(output, (tuple, list)) else [output]
        self.grad_output += [None] * len(outputs)
        for i, y in enumerate(outputs):
            if isinstance(y, Tensor) and y.requires_grad:
                outputs[i] = self._door(y, "output", self.grad_output, i, hand_on=True)
        if isinstance(output, (tuple, list)):
            return type(output)(outputs) if type(output) in (tuple, list) else type(output)(*outputs)
        return outputs[0]

    def _door(self, x, what, seen, i, hand_on):
        """x itself, of which backward writes the gradient into seen[i], and hands it on to x or keeps it."""
        held = []

        def backward(dy):
            seen[i] = dy
            held[:] = owners([dy])
            token = np.zeros(1, np.float32)
            return (dy, token) if hand_on else token

        y = Tensor._of(x.data, x.version)
        nodes = (x.node, self.gate) if hand_on else (self.gate,)
        y.node = Node(f"{what} of {self.name}", x.data, backward, nodes, held)
        return y


def _as_many(changed, given):
    """What a backward hook returns in place of ∂L/∂inputs: as many arrays as there are inputs."""
    changed = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    if len(changed) != len(given):
        raise GraphError(f"a backward hook returned {len(changed)} gradients, the module has {len(given)} inputs")
    return tuple(unwrap(dx) for dx in changed)
