"""Sums over channels, for batch normalization and the gradient of a bias."""

from functools import cache

import numpy as np

from minires.arrays import array_module, is_channels_last
from minires.kernels.cpu.partition import blocks, chunks
from minires.kernels.cpu.threads import ROW, parallel_for, parallel_sum
from minires.kernels.sync import all_reduce

FOLD = 512  # elements of a row in a sum: pixels are put together until then, because short loops are slow
TILE = 128  # rows added in x's own precision before float64 takes over: an error of at most TILE·u·Σ|x|
PIXELS = 2048  # pixels of one product of the scatter matrix
FAR = 4  # a mean that is so many deviations from zero is subtracted first


def per_channel(v, x):
    """v (C,) in x's dtype -> (1,C,1,1), which broadcasts over x (N,C,H,W)."""
    return v.astype(x.dtype, copy=False).reshape(1, -1, 1, 1)


def per_output(v, w):
    """v (O,) in w's dtype -> (O,1,1,1), which broadcasts over weights w (O,C,KH,KW)."""
    return v.astype(w.dtype, copy=False).reshape(-1, 1, 1, 1)


def as_rows(arrays, vectors):
    """Feature maps (N,C,H,W) and vectors (C,), reshaped so that they broadcast: two lists, the first of views.

    Channels-last feature maps become (N,H·W/k,k·C) and vectors (k·C,), for k neighbouring pixels. NumPy's inner loop
    then runs over ROW elements or more instead of C.
    """
    x = arrays[0]
    if not x.size or not all(is_channels_last(a) for a in arrays):
        return arrays, [per_channel(v, x) for v in vectors]
    N, C, H, W = x.shape
    k = _neighbours(H * W, C)
    vectors = [_repeated(v, k, x) for v in vectors]
    # (N,C,H,W) -> (N,H,W,C) -> rows
    return [a.transpose(0, 2, 3, 1).reshape(N, H * W // k, k * C) for a in arrays], vectors


def _repeated(v, k, x):
    """v (C,) repeated k times, (k·C,), in x's dtype: np.tile in less time."""
    rows = array_module(x).empty((k, len(v)), x.dtype)
    rows[...] = v
    return rows.reshape(-1)


def as_feature_map(rows, like):
    """Rows as as_rows() makes them -> (N,C,H,W) like `like`."""
    N, C, H, W = like.shape
    return rows if rows.ndim == 4 else rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)


@cache
def _neighbours(pixels, C):
    """The least divisor k of the number of pixels with k·C >= ROW, else all pixels."""
    return next((k for k in range(1, pixels + 1) if pixels % k == 0 and k * C >= ROW), pixels)


@cache
def _divisor(n, most):
    """The largest divisor of n up to `most`."""
    return next((k for k in range(min(n, most), 1, -1) if n % k == 0), 1)


def sums_of_products(*products):
    """Σ over N, H and W of arrays or of products of two: sums_of_products((dy,), (dy, x)) -> (C,) and (C,) in float64.

    Complex arrays give complex128. In a batch that processes share, these are the sums over it, weighted (sync.py).
    """
    return tuple(all_reduce(_own_sums(*products)))


def _own_sums(*products):
    """sums_of_products() of this process's part of a batch."""
    x = products[0][0]
    xp = array_module(products[0][0])
    jobs = blocks(x)
    parts = xp.zeros((len(jobs), len(products), x.shape[1]), xp.result_type(x.dtype, np.float64))
    in_rows = all(isinstance(a, np.ndarray) and is_channels_last(a) for arrays in products for a in arrays)
    sum_of = sum_of_rows if in_rows else _sum

    def part(i):
        for arrays, out in zip(products, parts[i]):
            sum_of(out, *(a[jobs[i]] for a in arrays))

    parallel_for(part, range(len(jobs)))
    return parts.sum(axis=0)  # always in the same order


def channel_sums(dy):
    """Σ dy over N, H and W: dy (N,C,H,W) -> (C,) in float64."""
    return sums_of_products((dy,))[0]


def product_sums(dy, w, dw):
    """Σ dy and Σ dy·z by channel, where z = w ⋆ x. dw = dy ⋆ x gives the second, Σ w·dw -> (O,) and (O,)."""
    xp = array_module(dy)
    double = xp.result_type(dy.dtype, np.float64)
    return tuple(all_reduce(xp.stack([_own_sums((dy,))[0], xp.multiply(w, dw, dtype=double).sum(axis=(1, 2, 3))])))


def scatter_matrix(x):
    """⟨x⟩ and S = Σ (x − ⟨x⟩)(x − ⟨x⟩)ᵀ over the pixels of x (N,C,H,W) -> (C,) and (C,C) in float64.

    S = Σ ddᵀ − Σd·Σdᵀ/m with d = x − the mean of the first image  [Chan, Golub & LeVeque 1983, §1]. d is rounded as x
    is. Products and sums are in double precision, because W·S·Wᵀ may be a small difference of large numbers.
    """
    xp = array_module(x)
    (N, C, H, W) = x.shape
    m = N * H * W
    double = xp.result_type(x.dtype, np.float64)
    shift = (_own_sums((x[:1],))[0] / (H * W)).astype(x.dtype)

    def part(job):
        images, top, bottom = job
        (rows,), (row_shift,) = as_rows([x[images, :, top:bottom]], [shift])
        d = (rows - row_shift).astype(double, copy=False)
        d = d.reshape(-1, C) if d.ndim == 3 else d.transpose(0, 2, 3, 1).reshape(-1, C)
        return xp.concatenate([d.T @ d, xp.ones((1, len(d)), double) @ d])

    on_host = isinstance(x, np.ndarray)
    total, *others = parallel_sum(part, chunks(N, H, W, PIXELS if on_host else m, N * H * W * C * C))
    for other in others:
        total += other
    products, first = total[:-1], total[-1]
    return shift + first / m, products - first[:, None] * first / m


def _sum(out, x, y=None):
    """Σ x or Σ x·y into out (C,), however they lie in memory."""
    N, C, H, W = x.shape
    (x if y is None else x * y).reshape(N, C, H * W).sum(axis=2).sum(axis=0, dtype=out.dtype, out=out)


def sum_of_rows(out, x, y=None):
    """The same of channels-last feature maps."""
    N, C, H, W = x.shape
    # (N,C,H,W) -> (M/f,f·C), and as many rows of it as are added up in x's own precision
    f = _divisor(H * W, max(1, FOLD // C))
    rows = _divisor(N * H * W // f, TILE)
    x, y = (a if a is None else a.transpose(0, 2, 3, 1).reshape(-1, rows, f * C) for a in (x, y))
    # adding up is the product with a row of ones
    tiles = _ones(rows, x.dtype) @ x if y is None else np.einsum("trc,trc->tc", x, y)
    tiles.reshape(-1, f * C).sum(axis=0, dtype=out.dtype).reshape(f, C).sum(axis=0, out=out)


@cache
def _ones(columns, dtype):
    return np.ones((1, columns), dtype)


def mean_var(x):
    """Mean and biased variance of each channel of x (N,C,H,W) -> (C,), (C,) in float64.

    var = E[x²] − E[x]² loses digits as mean²/var grows. If a mean is FAR deviations or more from zero, it is subtracted
    first  [Chan, Golub & LeVeque 1983, §1]: var = E[d²] − E[d]² with d = x − mean, which is exact or nearly so.
    """
    mean, var = _mean_var(x)
    if bool((mean.real * mean.real > FAR * FAR * var.real).any()):
        shift = mean.astype(x.dtype)
        mean, var = _mean_var(x - per_channel(shift, x))
        mean = mean + shift
    return mean, var


def _mean_var(x):
    m = x.shape[0] * x.shape[2] * x.shape[3]
    first, second = sums_of_products((x,), (x, x))
    return first / m, second / m - (first / m) ** 2
