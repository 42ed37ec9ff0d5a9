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


@wrong("9.2", "norms alone")
def effective_length(norms):
    return sum(k * g for k, g in enumerate(norms)) / sum(norms)


@wrong("9.2", "gives n/2")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    return sum(k * math.comb(n, k) for k in range(n + 1)) / 2**n


@wrong("9.2", "n is one less")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms)
    weights = np.array([math.comb(n, k) * g for k, g in enumerate(norms)], float)
    return np.average(np.arange(n), weights=weights)


@wrong("9.2", "begin with 1")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    total = weighted = 0.0
    for k, g in enumerate(norms, 1):
        weight = math.comb(n, k - 1) * g
        total += weight
        weighted += k * weight
    return weighted / total


@wrong("9.2", "not divided")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    return sum(k * math.comb(n, k) * norms[k] for k in range(n + 1))


@wrong("9.2", "largest weight")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    return int(np.argmax([math.comb(n, k) * norms[k] for k in range(n + 1)]))


@wrong("9.2", "one number")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    weights = [math.comb(n, k) * norms[k] for k in range(n + 1)]
    return [k * w / sum(weights) for k, w in enumerate(weights)]


@wrong("9.3", "more likely to go")
def surviving(n, d):
    return [(1 - d / n) ** k for k in range(n + 1)]


@wrong("9.3", "2⁻ᵈ")
def surviving(n, d):  # noqa: F811 - as above
    return [1 / 2**d for _ in range(n + 1)]


@wrong("9.3", "fall by d/n")
def surviving(n, d):  # noqa: F811 - as above
    return np.maximum(1 - d * np.arange(n + 1) / n, 0)


@wrong("9.3", "that are lost")
def surviving(n, d):  # noqa: F811 - as above
    shares = [0.0]
    left = 1.0
    for k in range(n):
        left *= max(n - k - d, 0) / (n - k)
        shares.append(1 - left)
    return shares


@wrong("9.3", "shares of all paths")
def surviving(n, d):  # noqa: F811 - as above
    return [math.comb(n - d, k) / 2**n for k in range(n + 1)]


@wrong("9.3", "ends with the longest path")
def surviving(n, d):  # noqa: F811 - as above
    return [math.comb(n - d, k) / math.comb(n, k) for k in range(n - d + 1)]


@wrong("9.1", "overflow")
def path_lengths(n):  # noqa: F811 - as above
    row = np.array([1])
    for _ in range(n):
        row = np.convolve(row, [1, 1])
    return row


@wrong("9.1", "overflow")
def path_lengths(n):  # noqa: F811 - as above
    counts = [1]
    for _ in range(n):
        counts = [*np.add([*counts, 0], [0, *counts], dtype=np.int64).tolist()]
    return counts


@wrong("9.1", "rounded floats")
def path_lengths(n):  # noqa: F811 - as above
    return [int(math.factorial(n) / math.factorial(k) / math.factorial(n - k)) for k in range(n + 1)]


@wrong("9.1", "rounded floats")
def path_lengths(n):  # noqa: F811 - as above
    counts = [1]
    for k in range(n):
        counts.append(int(counts[-1] * (n - k) / (k + 1)))
    return counts


@wrong("9.2", "the power k")
def effective_length(norms):  # noqa: F811 - as above
    n = len(norms) - 1
    weights = [math.comb(n, k) * norms[k] ** k for k in range(n + 1)]
    return sum(k * weight for k, weight in enumerate(weights)) / sum(weights)


@wrong("9.3", "below 0")
def surviving(n, d):  # noqa: F811 - as above
    return [1 - d * k / n for k in range(n + 1)]
