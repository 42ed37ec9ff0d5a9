"""The exercises of lesson 9: a residual network is a sum over paths."""

import itertools
import math

import numpy as np

from minires.lessons.exercise import exercise

BLOCKS = 54  # of a ResNet-110


@exercise(
    "9.1",
    gives="counts",
    exact=True,
    too_slow="all 2ⁿ paths are too many to walk: "
    "C(n, k) = n!/(k!·(n − k)!) of them have the length k, so count without walking",
)
def path_lengths(n):
    """How many of the 2ⁿ paths through n blocks have each length 0, 1, …, n: a list of n + 1 whole numbers."""
    return [math.comb(n, k) for k in range(n + 1)]


@path_lengths.draw
def _(rng):
    yield "the three blocks of the example", (3,)
    yield "more blocks", (int(rng.integers(5, 12)),)
    yield "one block", (1,)
    yield "no block", (0,)
    yield "the blocks of a ResNet-110", (BLOCKS,)
    yield "more paths than 64 bits can count", (int(rng.integers(70, 81)),)


@path_lengths.mistake
def _(n):
    """your list has no paths of length 0: one path takes all shortcuts, so begin with k = 0"""
    return [math.comb(n, k) for k in range(1, n + 1)]


@path_lengths.mistake
def _(n):
    """your list has no paths of length n: one path takes all branches, so end with k = n"""
    return [math.comb(n, k) for k in range(n)]


@path_lengths.mistake
def _(n):
    """your numbers are shares of all paths: do not divide by 2ⁿ"""
    return [math.comb(n, k) / 2**n for k in range(n + 1)]


@path_lengths.mistake
def _(n):
    """you count in which order branches are chosen, n!/(n − k)!: divide by k!, because a path has one order only"""
    return [math.perm(n, k) for k in range(n + 1)]


@path_lengths.mistake
def _(n):
    """your numbers double from one length to the next: 2ᵏ is the number of all paths through k blocks"""
    return [2**k for k in range(n + 1)]


@path_lengths.mistake
def _(n):
    """your numbers are added up from length 0 on: count each length alone"""
    return list(itertools.accumulate(math.comb(n, k) for k in range(n + 1)))


@path_lengths.mistake
def _(n):
    """your numbers are those of n + 1 blocks: each path chooses once in each of n blocks"""
    return [math.comb(n + 1, k) for k in range(n + 2)]


@path_lengths.mistake
def _(n):
    """your numbers are those of n + 1 blocks, without the longest path: each path chooses once in each of n blocks"""
    return [math.comb(n + 1, k) for k in range(n + 1)]


@path_lengths.sign
def _(counts, n):
    """your numbers are rounded floats: beyond 2⁵³ only whole numbers of Python are exact, so use // and int"""
    return len(counts) == n + 1 and n >= BLOCKS and not _wrapped(counts, n)


@path_lengths.sign
def _(counts, n):
    """your integers overflow: they have 32 or 64 bits in NumPy, and as many as needed in Python"""
    return len(counts) == n + 1 and n > 12 and 1 in counts and _wrapped(counts, n)


def _wrapped(counts, n):
    """Whether a count is further off than rounding takes it, and int() of each of n small counts."""
    return any(abs(float(a) - b) > 1e-6 * b + n for a, b in zip(counts, path_lengths(n)))


# ---- the effective length


@exercise("9.2", gives="the effective length")
def effective_length(norms):
    """The mean length of the paths, with C(n, k)·norms[k] as the weight of length k; norms (n+1,). -> one number"""
    return _mean_length(norms, _numbers(len(norms) - 1))


def _numbers(n):
    return np.array([float(math.comb(n, k)) for k in range(n + 1)])


def _mean_length(norms, numbers, first=0):
    weights = numbers * norms
    return np.sum((np.arange(len(norms)) + first) * weights) / np.sum(weights)


@effective_length.draw
def _(rng):
    def norms(n, factor):
        return factor ** np.arange(n + 1) * rng.uniform(0.5, 1.5, n + 1)

    n = int(rng.integers(5, 12))
    yield "two blocks", (np.array([4.0, 2.0, 1.0]),)
    yield "norms that shrink", (norms(n, 0.4),)
    yield "norms that are all the same", (np.full(n + 2, 0.7),)
    yield "norms that grow", (norms(n, 1.3),)
    yield "paths that carry nothing", (norms(n, 0.5) * (np.arange(n + 1) != 2),)
    yield "the blocks of a ResNet-110", (norms(BLOCKS, 0.3),)


@effective_length.mistake
def _(norms):
    """your weights are the norms alone: there are C(n, k) paths of length k, so multiply by their number"""
    return _mean_length(norms, 1.0)


@effective_length.mistake
def _(norms):
    """your weights are the numbers of paths alone, which gives n/2: multiply each by its norm"""
    n = len(norms) - 1
    return _mean_length(np.ones(n + 1), _numbers(n))


@effective_length.mistake
def _(norms):
    """your n is the number of norms: there is a norm for k = 0, too, so n is one less"""
    return _mean_length(norms, _numbers(len(norms))[:-1])


@effective_length.mistake
def _(norms):
    """your lengths begin with 1: the first norm is that of length 0, the path through all shortcuts"""
    return _mean_length(norms, _numbers(len(norms) - 1), first=1)


@effective_length.mistake
def _(norms):
    """your sum is not divided by the sum of the weights: only then it is a mean"""
    return np.sum(np.arange(len(norms)) * _numbers(len(norms) - 1) * norms)


@effective_length.mistake
def _(norms):
    """your sum is divided by the number of paths, 2ⁿ: divide by the sum of the weights"""
    n = len(norms) - 1
    return np.sum(np.arange(n + 1) * _numbers(n) * norms) / 2.0**n


@effective_length.mistake
def _(norms):
    """your sum is divided by the number of lengths: divide by the sum of the weights"""
    return np.mean(np.arange(len(norms)) * _numbers(len(norms) - 1) * norms)


@effective_length.mistake
def _(norms):
    """your sum is divided by the sum of the norms: divide by that of the weights, C(n, k)·norms[k]"""
    return np.sum(np.arange(len(norms)) * _numbers(len(norms) - 1) * norms) / np.sum(norms)


@effective_length.mistake
def _(norms):
    """your answer is the length with the largest weight: the mean of all lengths is asked for"""
    return int(np.argmax(_numbers(len(norms) - 1) * norms))


@effective_length.mistake
def _(norms):
    """your norms are squared: the weight is C(n, k)·norms[k]"""
    return _mean_length(norms**2, _numbers(len(norms) - 1))


@effective_length.mistake
def _(norms):
    """you raise norms[k] to the power k: norms[k] is the norm of a whole path of length k already"""
    return _mean_length(norms ** np.arange(len(norms)), _numbers(len(norms) - 1))


@effective_length.sign
def _(length, norms):
    """your answer is a list: add up k·weight over all k, and divide once, which gives one number"""
    return np.ndim(length) == 1 and len(length) > 1


# ---- what survives


@exercise("9.3", gives="shares")
def surviving(n, d):
    """The share of the paths of each length k = 0, …, n that survive if d of n blocks are deleted. -> n + 1 numbers"""
    return [math.comb(n - d, k) / math.comb(n, k) for k in range(n + 1)]


@surviving.draw
def _(rng):
    n = int(rng.integers(6, 12))
    yield "the three blocks of the example", (3, 1)
    yield "more blocks", (n, int(rng.integers(2, 4)))
    yield "one of many blocks", (n + 4, 1)
    yield "no block is deleted", (n, 0)
    yield "all but one are deleted", (n, n - 1)
    yield "all blocks are deleted", (n, n)
    yield "the blocks of a ResNet-110", (BLOCKS, 10)


@surviving.mistake
def _(n, d):
    """your branches have the chance d/n each: a branch that is left makes the next one more likely to go"""
    return [(1 - d / n) ** k for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your shares are all 2⁻ᵈ, that of all paths together: a short path meets a deleted block more seldom"""
    return [0.5**d] * (n + 1)


@surviving.mistake
def _(n, d):
    """your numbers are shares of all paths: divide by C(n, k), the number of paths of this length"""
    return [math.comb(n - d, k) / 2**n for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your numbers are shares of the paths that are left: divide by C(n, k), their number before"""
    return [math.comb(n - d, k) / 2 ** (n - d) for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your numbers count the paths that survive: divide by C(n, k), their number before"""
    return [math.comb(n - d, k) for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your shares are those of the paths that are lost: the others survive, 1 − share"""
    return [1 - math.comb(n - d, k) / math.comb(n, k) for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your shares fall by d/n with each branch: after one branch that is left, the next is one of n − 1"""
    return [max(0.0, 1 - k * d / n) for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your shares fall by d/n with each branch, and below 0: after one branch that is left, the next is one of n − 1"""
    return [1 - k * d / n for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your list ends with the longest path that is left: of longer ones the share is 0, up to k = n"""
    return [math.comb(n - d, k) / math.comb(n, k) for k in range(n - d + 1)]


@surviving.mistake
def _(n, d):
    """your shares begin with length 1: the path through all shortcuts has the length 0, and it always survives"""
    return [math.comb(n - d, k) / math.comb(n, k) for k in range(1, n + 1)]


@surviving.mistake
def _(n, d):
    """your C(d, k)/C(n, k) is the share of the paths that take deleted blocks only: take the n − d that are left"""
    return [math.comb(d, k) / math.comb(n, k) for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your shares are those of one deleted block, (n − k)/n: d blocks are deleted, one after another"""
    return [(n - k) / n for k in range(n + 1)]


@surviving.mistake
def _(n, d):
    """your d blocks are chosen from all n each time: a block is deleted once, so the next is one of n − 1"""
    return [(1 - k / n) ** d for k in range(n + 1)]


@effective_length.mistake
def _(norms):
    """your answer is rounded: a mean of whole numbers need not be one"""
    return round(_mean_length(norms, _numbers(len(norms) - 1)))


@effective_length.mistake
def _(norms):
    """you count in which order branches are chosen, n!/(n − k)!: divide by k!, because a path has one order only"""
    n = len(norms) - 1
    return _mean_length(norms, np.array([float(math.perm(n, k)) for k in range(n + 1)]))
