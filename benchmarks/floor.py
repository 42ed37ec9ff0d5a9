"""The least time that a training step needs, by kind of layer, and where its time goes.

This floor is the sum of the least times of all ops (minires.probes.costs), one after another.
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
    """The row of the profile that an op belongs to; an op that is not in KINDS has a row of its own."""
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
    """({kind: seconds}, seconds of the whole) of a training step: medians over several steps."""
    profiles = []
    whole = []
    for _ in range(steps):
        spent = defaultdict(float)

        def on_time(op, direction, seconds, spent=spent):
            spent[kind(op, direction)] += seconds

        with listen(on_time=on_time):
            began = time.perf_counter()
            train_step(model, optimizer, images, labels)
            whole.append(time.perf_counter() - began)
        spent[REST] = whole[-1] - sum(spent.values())
        profiles.append(spent)
    return {k: statistics.median(spent[k] for spent in profiles) for k in profiles[0]}, statistics.median(whole)
