"""What a training step cannot do without: floating-point operations and bytes, counted op by op; and where time goes.

Operations are those of matrix products (convolutions, linear layers): 2 for each multiplication and addition, once
forward, once for dx, once for dw. Bytes are what an unfused op must move if each array that it takes or makes crosses
the memory once: forward its inputs and y; backward dy, the arrays that the formula needs, and the gradients that
somebody wants. No op is faster than the slower of the two; the floor is the sum over all ops, one after another.
(A map that is still in the cache is read faster, and fused ops move less, so one can come in under this floor.)
"""

import statistics
import time
from collections import defaultdict, namedtuple

import numpy as np

from benchmarks.tap import listen
from minires import Tensor, ops
from minires.tensor import unwrap
from minires.train import train_step

Cost = namedtuple("Cost", "op direction flops nbytes")

KINDS = {
    "conv2d": {"forward": "conv forward", "backward": "conv dx + dw"},
    "batch_norm": "batch norm", "relu": "relu", "residual_add": "residual add", "max_pool2d": "pool",
    "avg_pool2d": "pool", "adaptive_avg_pool2d": "pool", "linear": "linear + loss", "flatten": "linear + loss",
    "cross_entropy": "linear + loss", "getitem": "option A (slice, pad)", "pad": "option A (slice, pad)",
    "optimiser": "optimiser",
}
REST = "the rest: engine, Python"


def kind(op, direction):
    """The line of the profile that an op belongs to; an op unknown here has one of its own."""
    found = KINDS.get(op, op)
    return found[direction] if isinstance(found, dict) else found


def costs(model, images, labels, *, training=True):
    """A Cost for each op of a forward pass on arrays, and, if training, for each of its backward and the optimiser."""
    found = []

    def on_op(name, inputs, y):
        found.extend(_costs(name, inputs, y, training))
    with listen(on_op=on_op):
        logits = model(Tensor(images))
        if training:
            ops.cross_entropy(logits, labels)
    if training:  # weight, gradient and velocity are read, weight and velocity written
        found.append(Cost("optimiser", "update", 0, 5 * sum(p.data.nbytes for p in model.parameters())))
    return found


def _costs(name, inputs, y, training):
    arrays = [unwrap(t) for t in inputs]
    floats = [a.nbytes for a in arrays if getattr(a, "dtype", None) is not None and a.dtype.kind == "f"]
    wanted = [isinstance(t, Tensor) and t.requires_grad for t in inputs]
    gradients = sum(a.nbytes for a, w in zip(arrays, wanted) if w)
    products = 0
    if name in ("conv2d", "linear"):
        x, w = arrays[:2]
        products = 2 * y.size * w[0].size
        needed = x.nbytes * wanted[1] + w.nbytes * wanted[0]
    else:
        needed = {"batch_norm": arrays[0].nbytes, "relu": y.nbytes}.get(name, 0)
    is_view = isinstance(arrays[0], np.ndarray) and np.may_share_memory(y, arrays[0])
    yield Cost(name, "forward", products, 0 if is_view else sum(floats) + y.nbytes)
    if training and any(wanted):
        # residual_add hands dy on as it is, and so does a reshape
        moves = name != "residual_add" and not (is_view and y.size == arrays[0].size)
        yield Cost(name, "backward", products * sum(wanted[:2]), moves * (y.nbytes + needed + gradients))


def seconds_by_kind(found, flops_per_second, bytes_per_second):
    """{kind: seconds} of the floor."""
    total = defaultdict(float)
    for cost in found:
        total[kind(cost.op, cost.direction)] += max(cost.flops / flops_per_second, cost.nbytes / bytes_per_second)
    return dict(total)


def profile(model, optimizer, images, labels, steps):
    """({kind: seconds}, seconds) of a training step, medians over some; their sum is the step, but for rounding."""
    spent, whole = [], []
    for _ in range(steps):
        one = defaultdict(float)

        def on_time(op, direction, seconds, one=one):
            one[kind(op, direction)] += seconds
        with listen(on_time=on_time):
            began = time.perf_counter()
            train_step(model, optimizer, images, labels)
            whole.append(time.perf_counter() - began)
        one[REST] = whole[-1] - sum(one.values())
        spent.append(one)
    return {k: statistics.median(one[k] for one in spent) for k in spent[0]}, statistics.median(whole)
