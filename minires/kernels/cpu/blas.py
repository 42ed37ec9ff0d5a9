"""Matrix products in the sizes that a BLAS multiplies fastest.

OpenBLAS copies both matrices into an order of its own before it multiplies. For a long matrix with few columns the
copy takes from a third of the products' time to all of it. CPUs with AVX-512 need no copy if there are at most SMALL
products. So long matrices are cut here: np.matmul gets a stack of short ones and calls the BLAS for each. GFLOP/s of a
core, whole and cut (other BLAS kernels would lose 5–10 %), of Zen 5

    im2col:        (6144,27)·(27,16)  150  177     (6144,147)·(147,64)  225  263     (3072,576)·(576,64)  227  267
    its gradient:  (144,P)·(P,32)     140  250     (147,P)·(P,64)       181  239     (288,P)·(P,64)       173  244
    1×1:           (6144,64)·(64,64)  214  259     (6144,256)·(256,64)  220  260     (64,P)·(P,64)        171  242

and of Zen 4, whose peak is 100. There the second matrix is cut, too, into blocks of columns, which are copied once:

    1×1:           (12544,256)·(256,128)  84  94   (3136,128)·(128,512)  83  91      (3136,512)·(512,128)  81  95
    its gradient:  (64,P)·(P,256)         62  80   (256,P)·(P,128)       80  90

If pieces would become too short, whole matrices are faster.
"""

from functools import cache

import numpy as np

WITHOUT_COPIES = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # OpenBLAS's kernels, as threadpoolctl names them
SMALL = 1_000_000  # multiplications M·K·N of a product
WIDTH, HALF = 64, 32  # columns of a block of the second matrix, and of aᵀ·b's first
LEAST = 30  # rows that a piece must have if b is cut into blocks,
MANY = 500  # and all pieces together, because the blocks are copied
SUMS = 40_000  # elements of aᵀ·b beyond which whole matrices are faster


def matmul(a, b, out):
    """a·b into out: a (…,M,K) with many rows, b (…,K,N), out (…,M,N)."""
    (*stack, M, K), N = a.shape, b.shape[-1]
    n = _width(N, WIDTH)
    rows = _piece(M, K * n, least=16 if n == N else LEAST)
    if rows == M or (n < N and M < MANY):
        np.matmul(a, b, out=out)
        return
    blocks = np.ascontiguousarray(b.reshape(*stack, 1, K, N // n, n).swapaxes(-3, -2))
    whole = M - M % rows
    for part, r in ((slice(0, whole), rows), (slice(whole, M), M - whole)):
        if r:  # pieces (…,M/r,1,r,K) · blocks of columns (…,1,N/n,K,n) -> (…,M/r,N/n,r,n)
            np.matmul(
                a[..., part, :].reshape(*stack, -1, 1, r, K),
                blocks,
                out=out[..., part, :].reshape(*stack, -1, r, N // n, n).swapaxes(-3, -2),
            )


def matmul_long(a, b):
    """aᵀ·b, sums over many rows: a (P,M), b (P,N) -> (M,N)."""
    (P, M), N = a.shape, b.shape[1]
    if M * N > SUMS or not cuts():
        return a.T @ b
    if M < N:  # the wider matrix comes first
        return matmul_long(b, a).T
    m = _width(M, HALF)
    n = _width(N, WIDTH)
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
    """Whether this machine's BLAS multiplies small matrices without copies, so that cutting saves time."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return False
    return any(library.get("architecture") in WITHOUT_COPIES for library in threadpool_info())


def _piece(length, products, least):
    """The length of a piece if each row takes so many products; all rows if pieces would be shorter than least."""
    most = SMALL // max(products, 1)
    if length <= most or most < least or not cuts():
        return max(length, 1)
    pieces = -(-length // most)
    return -(-length // pieces)


@cache
def _width(columns, most):
    """The largest divisor of the number of columns up to `most`."""
    return next(d for d in range(min(columns, most), 0, -1) if columns % d == 0)
