"""Training steps: launches, memory, time, and the best time possible on the GPU."""

import statistics
import time
from collections import Counter

from minires import cuda
from minires.probes import costs, listen, machine
from minires.train import train_step


def launches(parts):
    """{kind of layer and direction: launches of minires' kernels and matrix products} of a step, and all of them."""
    from minires.kernels.device.launch import launched

    train_step(*parts)  # compiles what is missing
    found = Counter()
    seen = 0

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
    """What the stand-in counts of all that CuPy does. A real GPU's driver does not count: {}."""
    stand_in = cuda.stand_in()
    return {} if stand_in is None else stand_in.snapshot()


def seconds(do, rounds):
    """The median times of do() until the GPU is done, and until the host is: the GPU is no faster than its host."""
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


def rates(nbytes, n, rounds):
    """(bytes a second of a copy, operations a second of a product of float32 matrices n×n)."""
    copy, moved = machine.copy(nbytes, "cuda")
    product, flops = machine.product(n, "cuda")
    return moved / seconds(copy, rounds)[0], flops / seconds(product, rounds)[0]


def floor(parts, bandwidth, rate):
    """The seconds that a step's operations and bytes need at these rates, one op after the other."""
    return sum(cost.seconds(rate, bandwidth) for cost in costs(parts[0], *parts[2:]))
