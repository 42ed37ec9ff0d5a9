"""The sum of the processes' gradients, by reduce-scatter  [Rabenseifner 2004].

Each parameter is owned by one process, which adds up its gradients. A process keeps the gradients of parameters that it
owns. It writes each of the others into shared memory as soon as backward has computed it. When all processes have done
so, each adds up the gradients that it owns. So n processes copy and add in parallel, each an n-th. The first process
makes the optimizer's step. It finds the sums of the other processes where it has written its own gradients.

A hook on a parameter needs the sum, so the first process calls it when the sum is there. Any other hook would get the
gradient of a part of the batch, and is refused.
"""

from contextlib import contextmanager
from functools import partial

import numpy as np

from minires.errors import GraphError
from minires.parallel.memory import shared_copy, shared_zeros

SEND = "send"  # the key of our own hook


class ReduceScatter:
    """The gradients of one batch: `with sending(rank):` backward, then reduce(rank), then gather().

    Between two of these steps each process waits for all others. After gather() the first process's .grad is the sum.
    Its gradients that other processes own are overwritten in the next batch.
    """

    def __init__(self, parameters, n):
        self.parameters = parameters
        self.owners = _owners([p.data.size for p in parameters], n)
        self.buckets = [
            [
                shared_copy(p.data) if p.requires_grad and owner != rank else None
                for p, owner in zip(parameters, self.owners)
            ]
            for rank in range(n)
        ]
        self.sent = shared_zeros((n, len(parameters)), bool)  # which buckets hold a gradient of this batch

    @contextmanager
    def sending(self, rank):
        """In this block, gradients that other processes own go into the buckets of process `rank`, and not into .grad.

        Hooks on parameters are not called.
        """
        buckets, sent = self.buckets[rank], self.sent[rank]
        sent[...] = False

        def send(i, p):
            buckets[i][...] = p.grad
            sent[i], p.grad = True, None

        trained = [(i, p.node) for i, p in enumerate(self.parameters) if p.requires_grad]
        with only_own_hooks({node: None if buckets[i] is None else partial(send, i) for i, node in trained}):
            yield

    def reduce(self, rank):
        """Add up the gradients of the parameters that process `rank` owns, in the order of processes."""
        for i, p in enumerate(self.parameters):
            if self.owners[i] != rank:
                continue
            total, *rest = (
                p.grad if r == rank else buckets[i] if sent[i] else None
                for r, (buckets, sent) in enumerate(zip(self.buckets, self.sent))
            )
            for dw in rest:
                if dw is None:
                    continue
                if total is None:  # the first process has no gradient
                    total = self.buckets[0][i] if rank else np.empty_like(p.data)
                    total[...] = dw
                else:
                    total += dw
            if rank:
                self.sent[0, i] = total is not None
            else:
                p.grad = total

    def gather(self):
        """In the first process: put the sums of the others into .grad, and call the hooks on parameters."""
        for p, bucket, sent in zip(self.parameters, self.buckets[0], self.sent[0]):
            if bucket is not None:
                p.grad = bucket if sent else None
        call_hooks(self.parameters)


@contextmanager
def only_own_hooks(owns):
    """In this block each of these nodes has only our own hook, called when .grad has been set: {node: hook or None}."""
    before = [(node, node.hooks, node.post_grad_hooks) for node in owns]
    for node, hook in owns.items():
        node.hooks = {}
        node.post_grad_hooks = {SEND: hook} if hook else {}
    try:
        yield
    finally:
        for node, hooks, post_grad_hooks in before:
            node.hooks, node.post_grad_hooks = hooks, post_grad_hooks


def call_hooks(parameters):
    """Call the hooks on parameters with .grad, in the order in which backward would."""
    for p in reversed(parameters):
        if p.grad is not None:
            for hook in tuple(p.node.hooks.values()):
                changed = hook(p.grad)
                p.grad = p.grad if changed is None else p.node.checked(changed, "gradient hook")
            for hook in tuple(p.node.post_grad_hooks.values()):
                hook(p)


def check_hooks(loss, parameters):
    """Raise GraphError if a hook, or a tensor that is no parameter, would get the gradient of a part of the batch."""
    own = {p.node for p in parameters}
    visited, waiting = {loss.node}, [loss.node] if loss.node else []
    while waiting:
        node = waiting.pop()
        is_kept = node.target is not None and node.target() is not None
        if node.hooks or node.post_grad_hooks.keys() - {SEND} or (is_kept and node not in own):
            raise GraphError(
                f"Replicas: the gradient at {node.name} is asked for (by a hook, by retain_grad(), or by a tensor that "
                "requires a gradient and is no parameter), and each process has that of its part of the batch only; "
                "use one process, or a hook that a parameter has before the batch"
            )
        for parent in node.inputs:
            if parent is not None and parent not in visited:
                visited.add(parent)
                waiting.append(parent)


def _owners(sizes, n):
    """The process that owns each parameter: in their order, the one with the fewest elements so far."""
    loads, owners = [0] * n, []
    for size in sizes:
        owner = loads.index(min(loads))
        loads[owner] += size
        owners.append(owner)
    return owners
