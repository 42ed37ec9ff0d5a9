"""Timing in turn: A B A B …, so that both meet the same changes of the machine's speed.

This does not help against other programs on the same cores: threads that wait for each other lose far more time than
threads that do not, and the ratio changes. So the use of other programs is measured, too (machine.OtherPrograms).
"""

import math
import statistics
import time
from collections import namedtuple

LEAST = 0.05  # seconds of each measurement: a shorter step is repeated within it
SETTLE = 0.05  # seconds before each, because the threads of the previous one wait that long for more work

Ratio = namedtuple("Ratio", "median low high")


def seconds_a_step(step, repeats):
    """Seconds of a step: the mean of `repeats` in a row."""
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
            if repeats[name] > 1:  # because the others have filled the cache with their arrays
                seconds(1)
            values[name].append(seconds(repeats[name]))
    return values


def _warm_up(seconds):
    """How often to repeat a step in one measurement."""
    first = seconds(1)
    if first > 10 * LEAST:
        return 1
    second = seconds(1)  # the first one made buffers and compiled kernels
    return max(1, math.ceil(LEAST / max(second, 1e-6)))


def ratio(theirs, ours):
    """The median, the minimum and the maximum of the ratios theirs/ours of all pairs."""
    ratios = [b / a for b, a in zip(theirs, ours, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
