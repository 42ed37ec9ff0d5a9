"""What a training step cannot do without, by kind of layer, and where its time goes.

The floor is the sum of what all ops need at least (minires.probes.costs), one after another.
"""

import statistics
import time
from collections import defaultdict

from minires.probes import costs, listen
from minires.train import train_step

CONVOLUTION = {"forward": "conv forward", "backward": "conv dx + dw"}
KINDS = {
    "conv2d": CONVOLUTION,
    "conv_norm": CONVOLUTION,
    "batch_norm": "batch norm, ReLU",
    "batch_norm_relu": "batch norm, ReLU",
    "relu": "ReLU",
    "residual_add": "add, ReLU",
    "residual_add_relu": "add, ReLU",
    "max_pool2d": "pool",
    "avg_pool2d": "pool",
    "adaptive_avg_pool2d": "pool",
    "linear": "linear + loss",
    "flatten": "linear + loss",
    "cross_entropy": "linear + loss",
    "getitem": "option A (slice, pad)",
    "pad": "option A (slice, pad)",
    "optimizer": "optimizer",
}
REST = "the rest: engine, Python"


def kind(op, direction):
    """The line of the profile that an op belongs to; an op unknown here has one of its own."""
    found = KINDS.get(op, op)
    return found[direction] if isinstance(found, dict) else found


def seconds_by_kind(found, flops_per_second, bytes_per_second):
    """{kind: seconds} of the floor."""
    total = defaultdict(float)
    for cost in found:
        total[kind(cost.op, cost.direction)] += cost.seconds(flops_per_second, bytes_per_second)
    return dict(total)


def analyse(step, steps):
    """A training step of in_minires -> the costs of its ops, and its profile."""
    model, optimizer, images, labels, *_ = step.args
    return costs(model, images, labels), profile(model, optimizer, images, labels, steps)


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
