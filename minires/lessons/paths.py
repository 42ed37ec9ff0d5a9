"""The exercises of lesson 9: a residual network is a sum over paths."""

import itertools
import math

import numpy as np

from minires.lessons.exercise import exercise

BLOCKS = 54  # of a ResNet-110


@exercise("9.1", gives="counts", exact=True)
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
    yield "more paths than a float can count", (int(rng.integers(60, 67)),)


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
    """your numbers are those of n + 1 blocks: each path chooses once in each of n blocks"""
    return [math.comb(n + 1, k) for k in range(n + 1)]


@path_lengths.sign
def _(counts, n):
    """your numbers are rounded floats: beyond 2⁵³ only whole numbers of Python are exact, so use // and int"""
    right = path_lengths(n)
    return (
        len(counts) == len(right) and n >= BLOCKS and np.allclose(np.asarray(counts, float), right, rtol=1e-12, atol=0)
    )


@path_lengths.sign
def _(counts, n):
    """your integers overflow: they have 32 or 64 bits in NumPy, and as many as needed in Python"""
    wrong = [a != b for a, b in zip(counts, path_lengths(n))]
    return len(counts) == n + 1 and n > 12 and any(wrong) and not all(wrong)
