"""The sums of einsum as matrix products, so that they are fast, and float32 keeps its digits.

Arrays are multiplied two at a time, from the left. Two are matrices, which the BLAS multiplies, if each has a letter of
its own, and they share one to sum over.
"""

import math

import numpy as np

from minires.kernels.cpu.sums import sums
from minires.kernels.cpu.threads import parallel_for, workers
from minires.kernels.readable.contraction import in_order


def matmul(a, b):
    """A·B over the last two axes. Of large matrices each worker computes some rows of the product, or some columns."""
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype:
        return a @ b
    (M, K), N = a.shape, b.shape[1]
    n = min(workers(M * K * N), max(M, N))
    if n < 2:
        return a @ b
    y = np.empty((M, N), a.dtype)
    step = -(-max(M, N) // n)

    def part(first):
        own = slice(first, first + step)
        if M >= N:
            np.matmul(a[own], b, out=y[own])
        else:
            np.matmul(a, b[:, own], out=y[:, own])

    parallel_for(part, range(0, max(M, N), step))
    return y


def contract(factors, out):
    """The product of (letters, x) pairs as an array with the letters `out`, summed over all others."""
    return contract_pairs(factors, out, sums)


def contract_pairs(factors, out, sums):
    """contract(), on a CPU or a GPU. sums(x, axes) adds up where there is no matrix product."""
    (term, y), *rest = factors
    for i, (t, x) in enumerate(rest, 1):
        later = out + "".join(letters for letters, _ in rest[i:])
        left = _summed(term, y, t + later, sums)
        right = _summed(t, x, term + later, sums)
        term, y = _product_of_two(*left, *right, later, sums)
    term, y = _summed(term, y, out, sums)
    return y.transpose([term.index(letter) for letter in out])


def _summed(term, x, letters, sums):
    """(letters, array) of x summed over all its letters but these."""
    axes = tuple(i for i, letter in enumerate(term) if letter not in letters)
    return "".join(letter for letter in term if letter in letters), sums(x, axes) if axes else x


def _product_of_two(s, a, t, b, kept, sums):
    """(letters, array) of a·b, where a has the letters s and b has t, summed over what they share and is not kept."""
    both = "".join(letter for letter in s if letter in t and letter in kept)
    over = "".join(letter for letter in s if letter in t and letter not in kept)
    rows = "".join(letter for letter in s if letter not in t)
    columns = "".join(letter for letter in t if letter not in s)
    if over and rows and columns:
        A = in_order(s, a, both + rows + over)  # (…,rows…,over…)
        B = in_order(t, b, both + over + columns)  # (…,over…,columns…)
        batch = A.shape[: len(both)]
        shape = A.shape[: -len(over)] + B.shape[-len(columns) :]
        K = math.prod(A.shape[-len(over) :])
        N = math.prod(B.shape[-len(columns) :])
        Y = A.reshape(*batch, math.prod(shape[len(both) : -len(columns)]), K) @ B.reshape(*batch, K, N)
        return both + rows + columns, Y.reshape(shape)
    letters = both + rows + columns + over
    return _summed(letters, in_order(s, a, letters) * in_order(t, b, letters), kept, sums)
