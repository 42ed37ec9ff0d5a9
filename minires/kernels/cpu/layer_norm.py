"""Layer normalization, some rows at a time on all workers, so that they are read from memory once.

Sums over the features are NumPy's pairwise ones. Sums over the samples are added up in float64 from block to block.
x̂ is not kept, because computing it again is cheaper than reading it from memory.
"""

import numpy as np

from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum
from minires.kernels.readable.layer_norm import layer_norm as readable_layer_norm

BLOCK = 1 << 17  # elements of a block: longer calls of NumPy cost less, and this still fits a cache
ROWS = 128  # in a block at most, because their sums are added in x's own precision
WORK = 60  # multiplications of a matrix product that take as long as the formula for one element


def layer_norm(x, weight, bias, eps):
    """y, μ and s: x (M,C), γ and β (C,) or None -> (M,C), (M,1), (M,1)."""
    if x.dtype.kind != "f":  # complex elements of a complex step
        return readable_layer_norm(x, weight, bias, eps)
    M, C = x.shape
    y = np.empty((M, C), x.dtype)
    mean = np.empty((M, 1), x.dtype)
    inv_std = np.empty((M, 1), x.dtype)

    def block(rows):
        out = y[rows]
        mu = np.divide(x[rows].sum(axis=1, keepdims=True), C, out=mean[rows])
        np.subtract(x[rows], mu, out=out)
        var = np.einsum("ij,ij->i", out, out)[:, None] / C
        out *= np.divide(1, np.sqrt(var + eps), out=inv_std[rows])
        if weight is not None:
            out *= weight
        if bias is not None:
            out += bias

    parallel_for(block, _blocks(M, C), WORK * x.size)
    return y, mean, inv_std


def layer_norm_gradients(dy, x, mean, inv_std, weight):
    """(dx, dγ, dβ): dy and x (M,C), μ and s (M,1), γ (C,) or None for 1 -> (M,C), (C,), (C,)."""
    M, C = x.shape
    dx = np.empty((M, C), dy.dtype)
    gamma = np.ones(C, x.dtype) if weight is None else weight
    ones = np.ones(ROWS, x.dtype)

    def block(rows):
        g = dy[rows]
        out = dx[rows]
        x_hat = np.subtract(x[rows], mean[rows], out=buffer("x_hat", g.shape, x.dtype))
        x_hat *= inv_std[rows]
        product = np.multiply(g, x_hat, out=buffer("product", g.shape, x.dtype))
        sums = np.array([ones[: len(g)] @ product, ones[: len(g)] @ g], np.float64)
        mean_g = (g @ gamma)[:, None] / C
        x_hat *= (product @ gamma)[:, None] / C
        np.multiply(g, gamma, out=out)
        out -= mean_g
        out -= x_hat
        out *= inv_std[rows]
        return sums

    found = parallel_sum(block, _blocks(M, C))
    dw, db = sum(part for part in found if part is not None) if M else np.zeros((2, C))
    return dx, dw.astype(dy.dtype), db.astype(dy.dtype)


def _blocks(M, C):
    """Slices of the rows."""
    step = max(1, min(ROWS, BLOCK // C))
    return [slice(m, m + step) for m in range(0, M, step)]
