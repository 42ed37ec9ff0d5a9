"""Training steps: launches, memory, time, and what the GPU could do at best."""

import statistics
import time
from collections import Counter

import numpy as np

from minires import cuda, models, optim
from minires.arrays import channels_last, to_device
from minires.probes import costs, listen
from minires.train import train_step


def make_step(name, size, count):
    """(model, optimizer, images, labels) on the GPU."""
    model = models.create(name, rng=0).to("cuda")
    rng = np.random.default_rng(0)
    images = channels_last(rng.standard_normal((count, 3, size, size), dtype=np.float32))
    return (model, optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4), to_device(images, "cuda"),
            to_device(rng.integers(0, 10, count), "cuda"))


def launches(parts):
    """{kind of layer and direction: launches of minires' kernels and matrix products} of a step, and all of them."""
    from minires.kernels.device.launch import launched
    train_step(*parts)  # compiles what is missing
    found, seen = Counter(), 0

    def on_time(op, direction, _):
        nonlocal seen
        now = launched.total()
        found[f"{op} {direction}"] += now - seen
        seen = now
    launched.clear()
    with listen(on_time=on_time):
        counted = counters()
        train_step(*parts)
        after = counters()
    by_kind = {kind: n for kind, n in found.items() if n}
    return by_kind, {name: after[name] - counted[name] for name in after}


def counters():
    """What the stand-in counts of all that CuPy does; a real GPU's driver tells nobody."""
    stand_in = cuda.stand_in()
    return {} if stand_in is None else stand_in.snapshot()


def seconds(do, rounds):
    """The median times of do() until the GPU is done, and until the host is: the GPU can be no faster than its host."""
    do()
    cuda.synchronize()
    whole, host = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        do()
        host.append(time.perf_counter() - began)
        cuda.synchronize()
        whole.append(time.perf_counter() - began)
    return statistics.median(whole), statistics.median(host)


def roofline(nbytes, n, rounds):
    """(bytes a second of a copy, operations a second of a product of float32 matrices n×n)."""
    cupy = cuda.module()
    a, b = cupy.ones(nbytes // 4, "float32"), cupy.empty(nbytes // 4, "float32")
    copy, _ = seconds(lambda: cupy.copyto(b, a), rounds)
    a, b = cupy.ones((n, n), "float32"), cupy.ones((n, n), "float32")
    product, _ = seconds(lambda: a @ b, rounds)
    return 2 * nbytes / copy, 2 * n**3 / product


def floor(parts, bandwidth, rate):
    """The seconds that a step's operations and bytes need at these rates, one op after the other."""
    return sum(max(cost.flops / rate, cost.nbytes / bandwidth) for cost in costs(parts[0], *parts[2:]))
