"""The gradients of processes added up: of each parameter by the process that owns it.

A process keeps what arrives at its own parameters, and sends what arrives at another's into memory that all see, as
soon as it does. When all have sent, each adds up its own: n processes copy and add at a time, an n-th each (reduce-
scatter [Rabenseifner 2004]). The first process, whose optimiser makes the step, finds the sums of the others in the
place where it has sent its own gradients.

A hook on a parameter is for the sum, and called in the first process when it is there. Any other hook on a gradient
would get that of a part of the batch, and is refused.
"""

from contextlib import contextmanager
from functools import partial

import numpy as np

from minires.errors import GraphError
from minires.parallel.memory import shared, shared_copy

SEND = "send"  # the key of our own hook


class Exchange:
    """A batch is `with sending(rank):` backward; when all have done so, add(rank); when all have, collect().

    The first process's .grad is then the sum. What it has of other processes is overwritten in the next batch.
    """

    def __init__(self, parameters, n):
        self.parameters = parameters
        self.owners = _owners([p.data.size for p in parameters], n)
        self.slots = [
            [
                shared_copy(p.data) if p.requires_grad and owner != rank else None
                for p, owner in zip(parameters, self.owners)
            ]
            for rank in range(n)
        ]
        self.sent = shared((n, len(parameters)), bool)  # which slots hold a gradient of this batch

    @contextmanager
    def sending(self, rank):
        """In this block gradients of others' parameters go into the slots of process `rank`; these keep no .grad.

        Hooks on parameters are not called.
        """
        slots, sent = self.slots[rank], self.sent[rank]
        sent[...] = False

        def send(i, p):
            slots[i][...] = p.grad
            sent[i], p.grad = True, None

        nodes = {i: p.node for i, p in enumerate(self.parameters) if p.requires_grad}
        before = [(node, node.hooks, node.post_grad_hooks) for node in nodes.values()]
        for i, node in nodes.items():
            node.hooks = {}
            node.post_grad_hooks = {} if slots[i] is None else {SEND: partial(send, i)}
        try:
            yield
        finally:
            for node, hooks, post_grad_hooks in before:
                node.hooks, node.post_grad_hooks = hooks, post_grad_hooks

    def add(self, rank):
        """Add up what all have brought for the parameters of process `rank`, in the order of processes."""
        for i, p in enumerate(self.parameters):
            if self.owners[i] != rank:
                continue
            total, *others = (
                p.grad if r == rank else slots[i] if sent[i] else None
                for r, (slots, sent) in enumerate(zip(self.slots, self.sent))
            )
            for dw in others:
                if dw is None:
                    continue
                if total is None:  # the first process has none
                    total = self.slots[0][i] if rank else np.empty_like(p.data)
                    total[...] = dw
                else:
                    total += dw
            if rank:
                self.sent[0, i] = total is not None
            else:
                p.grad = total

    def collect(self):
        """In the first process: the sums of the others in .grad, and the hooks on parameters called with them."""
        for p, slot, sent in zip(self.parameters, self.slots[0], self.sent[0]):
            if slot is not None:
                p.grad = slot if sent else None
        for p in reversed(self.parameters):
            if p.grad is not None:
                for hook in tuple(p.node.hooks.values()):
                    changed = hook(p.grad)
                    p.grad = p.grad if changed is None else p.node.checked(changed, "gradient hook")
                for hook in tuple(p.node.post_grad_hooks.values()):
                    hook(p)


def check_listeners(loss, parameters):
    """Raise GraphError where a hook, or a tensor that is no parameter, would get a gradient of a part of the batch."""
    own = {p.node for p in parameters}
    found, waiting = {loss.node}, [loss.node] if loss.node else []
    while waiting:
        node = waiting.pop()
        kept = node.target is not None and node.target() is not None
        if node.hooks or node.post_grad_hooks.keys() - {SEND} or (kept and node not in own):
            raise GraphError(
                f"Replicas: the gradient at {node.name} is asked for (by a hook, by retain_grad(), or by a tensor that "
                "requires a gradient and is no parameter), and each process has that of its part of the batch only; "
                "use one process, or a hook that a parameter has before the batch"
            )
        for parent in node.inputs:
            if parent is not None and parent not in found:
                found.add(parent)
                waiting.append(parent)


def _owners(sizes, n):
    """The process that owns each parameter: in their order the one that has the fewest numbers so far."""
    loads, owners = [0] * n, []
    for size in sizes:
        owner = loads.index(min(loads))
        loads[owner] += size
        owners.append(owner)
    return owners
