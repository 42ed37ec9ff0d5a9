"""Weak scaling over ranks: each has the same number of images, however many there are.

    mpiexec -n 2 python -m benchmarks.ranks --json two.json      what a step costs, part by part
    python -m benchmarks.ranks --draw one.json two.json          the picture, with a model for up to 1,024 ranks

The parts of a step, in seconds, in the fastest step of all, which other programs disturbed least:

    compute      forward, backward and the optimizer, as the mean over ranks
    wait         how much longer that takes the slowest rank
    norms        the exchanges of batch norm's sums, of the loss and of running statistics, in the slowest rank
    gradients    what it waits for the sums of gradients, because backward has not hidden them

The model says what more ranks would cost, each of them on a machine of its own:

    step(n)      = max(compute + norms(n) + gradients(n), a·b·n)
    norms(n)     = e·α·log₂n + (n − 1)·s/β          all-gather: e exchanges, in which each rank sends s bytes
    gradients(n) = 2·k·α·log₂n + 2·(n − 1)/n·g/β    all-reduce: k buckets with g bytes, as if backward hid nothing

    compute      of one rank, measured; it stays the same, because each rank has b images
    a            the time to augment one image, measured; each rank augments the whole batch, in a thread of its own
    α, β         latency and bandwidth of a message, stated: LINKS

[Thakur, Rabenseifner & Gropp 2005, §4.1 and §4.5]
"""

import json
import math
import os
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from minires import console, data, kernels, models, optim, parallel
from minires.errors import OptionError
from minires.parallel.ranks import first_rank_speaks
from minires.plots import check_plot
from minires.plots.files import finished, new_figure, tidy
from minires.plots.style import BLUE, GREEN, GUIDE, NOTE, VERMILION
from minires.storage import atomic_write
from minires.train.step import train_step

NAME = "benchmarks.ranks"
NETWORK = "resnet20"
IMAGES = 32  # of one rank
STEPS = 50
PARTS = ("compute", "wait", "norms", "gradients")
RANKS = [2**power for power in range(11)]
LINKS = {  # (latency α in seconds, bandwidth β in bytes a second): stated, not measured
    "Ethernet, 1 Gbit/s": (50e-6, 1.25e8),
    "Ethernet, 10 Gbit/s": (20e-6, 1.25e9),
    "InfiniBand, 100 Gbit/s": (2e-6, 1.25e10),
}


class Clocked:
    """The ranks of a run, with the seconds that this one has waited in each kind of exchange."""

    def __init__(self, ranks):
        self.ranks = ranks
        self.seconds = {"norms": 0.0, "gradients": 0.0}
        self.exchanges = 0
        self.bytes = 0

    def __getattr__(self, name):
        return getattr(self.ranks, name)

    def rows(self, values):
        self.exchanges += 1
        self.bytes += np.asarray(values).size * 8
        return self._timed("norms", self.ranks.rows, values)

    def sum(self, values):
        return self.rows(values).sum(axis=0)

    def wait(self, exchange):
        self._timed("gradients", self.ranks.wait, exchange)

    def _timed(self, kind, call, argument):
        began = time.perf_counter()
        found = call(argument)
        self.seconds[kind] += time.perf_counter() - began
        return found


def measure(ranks, steps):
    """The parts of a training step with IMAGES images a rank, as a dict; seconds are those of the fastest step."""
    kernels.set_num_threads(1)
    network = models.create(NETWORK, num_classes=10, rng=0)
    optimizer = optim.SGD(network.parameters(), 0.1, momentum=0.9)
    rng = np.random.default_rng(0)
    N = IMAGES * ranks.size
    images = rng.normal(size=(N, 3, 32, 32)).astype(np.float32)
    labels = rng.integers(0, 10, N)
    clocked = Clocked(ranks)
    rows = []
    with parallel.Distributed(network, clocked, sync_norm=True) as distributed:
        for _ in range(steps + 2):
            before = dict(clocked.seconds)
            exchanges = clocked.exchanges
            sent = clocked.bytes
            ranks.rows(0)  # all begin together
            began = time.perf_counter()
            train_step(network, optimizer, images, labels, distributed)
            step = time.perf_counter() - began
            waits = [clocked.seconds[kind] - before[kind] for kind in before]
            table = ranks.rows([step - sum(waits), *waits])
            slowest = table[table[:, 0].argmax()]
            compute = table[:, 0].mean()
            rows.append([slowest.sum(), compute, slowest[0] - compute, *slowest[1:]])
            exchanges = clocked.exchanges - exchanges
            sent = clocked.bytes - sent
    return {
        "ranks": ranks.size,
        "machine": describe(["minires", "numpy"]),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **dict(zip(("step", *PARTS), map(float, min(rows[2:], key=lambda row: row[0])))),
        "exchanges": exchanges,
        "norm_bytes": sent,
        "gradient_bytes": sum(p.data.nbytes for p in network.parameters()),
        "buckets": len(distributed.buckets.buckets),
        "augment": augmenting(),
    }


def augmenting():
    """The seconds that it takes to crop, flip and normalize one image."""
    train_set = data.TensorDataset(np.zeros((512, 3, 32, 32), np.uint8), np.zeros(512, np.int64))
    loader = data.ArrayLoader(
        train_set,
        512,
        transform=data.compose(data.random_crop(32, padding=4), data.random_horizontal_flip()),
        prefetch=0,
    )
    times = []
    for _ in range(5):
        began = time.perf_counter()
        next(loader.epoch(0))
        times.append(time.perf_counter() - began)
    return min(times) / 512


def norms(n, found, alpha, beta):
    """The model's seconds for the exchanges of batch norm, of n ranks."""
    return found["exchanges"] * alpha * math.log2(n) + (n - 1) * found["norm_bytes"] / beta


def gradients(n, found, alpha, beta):
    """The model's seconds for the sums of gradients, of n ranks."""
    return 2 * found["buckets"] * alpha * math.log2(n) + 2 * (n - 1) / n * found["gradient_bytes"] / beta


def step(n, found, alpha, beta):
    """The model's seconds for a step of n ranks. found: what measure() gave for one rank."""
    exchanged = norms(n, found, alpha, beta) + gradients(n, found, alpha, beta)
    return max(found["compute"] + exchanged, found["augment"] * IMAGES * n)


def draw(measured, path):
    """Draw what was measured, part by part, and the model of each of LINKS, into a file. -> Figure"""
    one = next(found for found in measured if found["ranks"] == 1)
    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    bottom = np.zeros(len(measured))
    places = np.arange(len(measured))
    for part, color in zip(PARTS, (BLUE, "0.7", VERMILION, GREEN)):
        heights = np.array([1000 * found[part] for found in measured])
        left.bar(places, heights, 0.5, bottom=bottom, color=color, label=part)
        bottom += heights
    left.set_xticks(places, [console.counted(found["ranks"], "rank") for found in measured])
    left.set_ylabel("milliseconds a step")
    load = max(found.get("load") or 0 for found in measured)
    busy = f", on {os.cpu_count()} cores with a load of {load:.0f}" if load > os.cpu_count() else ""
    left.set_title(f"measured: {NETWORK}, {IMAGES} images a rank{busy}", fontsize="medium")
    left.set_xlim(-0.6, len(measured) - 0.4)
    left.set_ylim(0, 1.5 * bottom.max())
    tidy(left, legend="upper left", ncols=1)
    for (link, (alpha, beta)), color in zip(LINKS.items(), (VERMILION, BLUE, GREEN)):
        efficiency = [step(1, one, alpha, beta) / step(n, one, alpha, beta) for n in RANKS]
        right.plot(RANKS, efficiency, color=color, label=link)
    for found in measured:
        right.plot(found["ranks"], one["step"] / found["step"], "o", color="0.2")
    limit = one["compute"] / one["augment"] / IMAGES
    right.axvline(limit, **GUIDE)
    right.annotate("augmentation limits", (limit, 0.03), (-3, 0), textcoords="offset points",
                   ha="right", rotation=90, **NOTE)  # fmt: skip
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter("{x:g}")
    right.set_ylim(0, 1.05)
    right.set_xlabel("ranks")
    right.set_ylabel("efficiency: step(1) / step(n)")
    right.set_title("points: measured; lines: the model", fontsize="medium")
    tidy(right, legend="lower left", ncols=1)
    return finished(figure, path)


def make_parser():
    parser = console.Parser(
        prog=f"mpiexec -n N python -m {NAME}",
        description="Measure what a training step of N ranks costs, or draw such measurements beside a model.",
    )
    parser.add_argument("--json", type=console.new_file, metavar="FILE", help="write the numbers")
    parser.add_argument("--steps", type=console.whole(1, 1000), default=STEPS, help="steps to time (default: 50)")
    parser.add_argument("--draw", nargs="+", metavar="FILE", help="draw these files of --json, one of them of one rank")
    parser.add_argument("--plot", type=console.new_file, default="ranks.png", help="the picture (default: ranks.png)")
    return parser


@console.command(NAME)
def main(argv=None):
    with first_rank_speaks():
        args = make_parser().parse_args(argv)
    if args.draw:
        check_plot(args.plot)
        measured = sorted((json.loads(Path(file).read_text()) for file in args.draw), key=lambda found: found["ranks"])
        if measured[0]["ranks"] != 1:
            raise OptionError("--draw: one of the files must be that of one rank, which the model starts from")
        draw(measured, args.plot)
        return 0
    ranks = parallel.connect()
    with ranks.together(), first_rank_speaks():
        found = measure(ranks, args.steps)
        for part in ("step", *PARTS):
            print(f"{part:<10}{1000 * found[part]:8.1f} ms")
        if args.json and ranks.rank == 0:
            atomic_write(args.json, (json.dumps(found, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    console.entry(main)
