"""Wrong answers to the exercises of lesson 9."""

import math

import numpy as np
from planted_answers import wrong


@wrong("9.1", "length 0")
def path_lengths(n):
    return [math.comb(n, length) for length in range(1, n + 1)]


@wrong("9.1", "length n")
def path_lengths(n):  # noqa: F811 - the name is what the exercise asks for
    return [math.comb(n, length) for length in range(n)]


@wrong("9.1", "2ⁿ")
def path_lengths(n):  # noqa: F811 - as above
    return [math.comb(n, length) * 0.5**n for length in range(n + 1)]


@wrong("9.1", "n!/(n − k)!")
def path_lengths(n):  # noqa: F811 - as above
    counts = [1]
    for length in range(1, n + 1):
        counts.append(counts[-1] * (n - length + 1))
    return counts


@wrong("9.1", "rounded floats")
def path_lengths(n):  # noqa: F811 - as above
    counts = [1.0]
    for length in range(1, n + 1):
        counts.append(counts[-1] * (n - length + 1) / length)
    return counts


@wrong("9.1", "overflow")
def path_lengths(n):  # noqa: F811 - as above
    counts = np.zeros(n + 1, dtype=np.int32)
    counts[0] = 1
    for _ in range(n):
        counts[1:] += counts[:-1].copy()
    return counts


@wrong("9.1", "2ᵏ")
def path_lengths(n):  # noqa: F811 - as above
    return [2**length for length in range(n + 1)]
