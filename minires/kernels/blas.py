"""Matrix products in the sizes that a BLAS multiplies fastest.

Before OpenBLAS multiplies it copies both matrices, in pieces, into an order of its own. For a long matrix with few
columns that takes as long as a third to all of the products, and on CPUs with AVX-512 it leaves it out where there are
no more than SMALL products. So long matrices are cut here, and np.matmul is given a stack of short ones, for which it
calls the BLAS in a loop of its own. GFLOP/s of a core (Zen 5), whole and cut (other kernels would lose 5–10 %):

    im2col:        (6144,27)·(27,16)  150  177     (6144,147)·(147,64)  225  263     (3072,576)·(576,64)  227  267
    its gradient:  (144,P)·(P,32)     140  250     (147,P)·(P,64)       181  239     (288,P)·(P,64)       173  244
    1×1:           (6144,64)·(64,64)  214  259     (6144,256)·(256,64)  220  260     (64,P)·(P,64)        171  242

Where pieces would become too short whole matrices are faster.
"""

from functools import cache

import numpy as np

WITHOUT_COPIES = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # OpenBLAS's kernels, as threadpoolctl names them
SMALL = 1_000_000  # numbers that a product multiplies, M·K·N
NARROW = 64  # columns of a narrow result
LEAST = 96  # rows that a piece must have where the result is not narrow
SUMS = 40_000  # numbers of aᵀ·b beyond which whole matrices are faster


def matmul(a, b, out):
    """a·b into out: a (…,M,K) with many rows, b (…,K,N), out (…,M,N)."""
    (*_, M, K), N = a.shape, b.shape[-1]
    rows = _piece(M, K * N, least=LEAST if N > NARROW else 16)
    if rows < M:
        b = np.ascontiguousarray(b)  # transposed it would be copied all the same
    whole = M - M % rows
    a_pieces, out_pieces = (m[..., :whole, :].reshape(*m.shape[:-2], -1, rows, m.shape[-1]) for m in (a, out))
    np.matmul(a_pieces, b[..., None, :, :], out=out_pieces)
    if whole < M:
        np.matmul(a[..., whole:, :], b, out=out[..., whole:, :])


def matmul_long(a, b):
    """aᵀ·b, sums over many rows: a (P,M), b (P,N) -> (M,N)."""
    (P, M), N = a.shape, b.shape[1]
    if M * N > SUMS or not cuts():
        return a.T @ b
    m, n = _width(M), _width(N)
    rows = _piece(P, m * n, least=1)
    whole = P - P % rows
    a_pieces = a[:whole].reshape(-1, rows, M // m, m).transpose(0, 2, 3, 1)[:, :, None]  # (P/rows,M/m,1,m,rows)
    b_pieces = b[:whole].reshape(-1, rows, N // n, n).transpose(0, 2, 1, 3)[:, None]  # (P/rows,1,N/n,rows,n)
    sums = np.matmul(a_pieces, b_pieces).sum(axis=0).swapaxes(1, 2).reshape(M, N)  # (M/m,N/n,m,n) -> (M,N)
    if whole < P:
        sums += a[whole:].T @ b[whole:]
    return sums


@cache
def cuts():
    """Whether this machine's BLAS multiplies small matrices without copies, so that cutting pays."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return False
    return any(library.get("architecture") in WITHOUT_COPIES for library in threadpool_info())


def _piece(length, products, least):
    """The length of pieces of which each row takes so many products; all if they would be shorter than least."""
    most = SMALL // max(products, 1)
    if length <= most or most < least or not cuts():
        return max(length, 1)
    pieces = -(-length // most)
    return -(-length // pieces)


def _width(columns):
    """The greatest divisor up to NARROW."""
    return next(d for d in range(min(columns, NARROW), 0, -1) if columns % d == 0)
