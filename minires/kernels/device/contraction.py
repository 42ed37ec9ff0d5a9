"""The sums of einsum as matrix products, as on a CPU; the other sums are the readable ones."""

from minires.kernels.cpu.contraction import contract_pairs
from minires.kernels.readable.sums import sums


def contract(factors, out):
    """The product of (letters, x) pairs as an array with the letters `out`, summed over all others."""
    return contract_pairs(factors, out, sums)
