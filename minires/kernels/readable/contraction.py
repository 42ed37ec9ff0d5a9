"""The sums of einsum: a product of arrays whose axes have letters, summed over some of them."""

from minires.kernels.readable.sums import sums


def contract(factors, out):
    """y = Σ Π x: the product of (letters, x) pairs as an array with the letters `out`, summed over all others.

    The product has an axis for every letter, so "ij,jk->ik" makes I·K·J numbers before it adds them up.
    """
    over = "".join(dict.fromkeys(letter for term, _ in factors for letter in term if letter not in out))
    product = 1
    for term, x in factors:
        product = product * in_order(term, x, out + over)
    return sums(product, tuple(range(len(out), product.ndim)))


def matmul(a, b):
    """Y = A·B over the last two axes, Y_mn = Σ_k A_mk·B_kn."""
    return a @ b


def in_order(term, x, letters):
    """x, whose axes have the letters `term`, with an axis for each of `letters`, of length 1 where x has none."""
    x = x.transpose([term.index(letter) for letter in letters if letter in term])
    return x[tuple([slice(None) if letter in term else None for letter in letters])]
