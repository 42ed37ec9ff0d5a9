"""The sums of einsum as matrix products, so that they are fast, and float32 keeps its digits.

Arrays are multiplied two at a time, from the left. Two are matrices, which the BLAS multiplies, if each has a letter of
its own, and they share one to sum over.
"""

import math

from minires.kernels.cpu.sums import sums
from minires.kernels.readable.contraction import in_order


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
