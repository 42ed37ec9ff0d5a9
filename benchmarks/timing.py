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


def interleave(steps, pairs, *, timed=True, quick=False):
    """{name: [seconds a step, one for each pair]} of steps {name: function}; a warm-up pair comes before.

    timed=False: the steps measure something themselves, and return it; quick: no warm-up, repeats or pauses.
    """
    values = {name: [] for name in steps}
    repeats = {name: _warm_up(step) if timed and not quick else 1 for name, step in steps.items()}
    for _ in range(pairs):
        for name, step in steps.items():
            if not quick:
                time.sleep(SETTLE)
            if repeats[name] > 1:  # fetches what the others have driven out of the cache
                step()
            value, seconds = _time(step, repeats[name])
            values[name].append(seconds if timed else value)
    return values


def _time(step, repeats):
    began = time.perf_counter()
    for _ in range(repeats):
        value = step()
    return value, (time.perf_counter() - began) / repeats


def _warm_up(step):
    """Run a step -> how often to repeat it in one measurement."""
    _, seconds = _time(step, 1)
    if seconds > 10 * LEAST:
        return 1
    _, seconds = _time(step, 1)  # the first one has made buffers and compiled kernels
    return max(1, math.ceil(LEAST / max(seconds, 1e-6)))


def ratio(theirs, ours):
    """Of the ratios theirs/ours of all pairs, the median, the least and the greatest."""
    ratios = [b / a for b, a in zip(theirs, ours, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
