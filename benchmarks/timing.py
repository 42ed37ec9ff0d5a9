"""Timing in turn: A B A B …, so that a machine that changes its speed does so for both.

That helps against drift, not against company: where other programs want the same cores, threads that meet at barriers
lose far more than threads that do not, and the ratio moves. So what others took is measured with it (machine.Company).
"""

import math
import statistics
import time
from collections import namedtuple

LEAST = 0.05  # seconds of each measurement: a shorter step is repeated within it
SETTLE = 0.05  # seconds before each: the threads of the one before spin that long, waiting for more work

Ratio = namedtuple("Ratio", "median low high")


def seconds_a_step(step, repeats):
    """The mean of so many, one after the other."""
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - began) / repeats


def interleave(timers, pairs, *, quick=False):
    """{name: [seconds a step, one for each pair]} of {name: seconds(repeats)}; a warm-up pair comes before.

    quick: no warm-up, repeats or pauses.
    """
    values = {name: [] for name in timers}
    repeats = {name: 1 if quick else _warm_up(seconds) for name, seconds in timers.items()}
    for _ in range(pairs):
        for name, seconds in timers.items():
            if not quick:
                time.sleep(SETTLE)
            if repeats[name] > 1:  # fetches what the others have driven out of the cache
                seconds(1)
            values[name].append(seconds(repeats[name]))
    return values


def _warm_up(seconds):
    """-> how often to repeat a step in one measurement."""
    first = seconds(1)
    if first > 10 * LEAST:
        return 1
    second = seconds(1)  # the first one has made buffers and compiled kernels
    return max(1, math.ceil(LEAST / max(second, 1e-6)))


def ratio(theirs, ours):
    """Of the ratios theirs/ours of all pairs, the median, the least and the greatest."""
    ratios = [b / a for b, a in zip(theirs, ours, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
