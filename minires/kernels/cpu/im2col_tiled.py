"""im2col for speed on a CPU: one tile of columns at a time, on all workers.

A tile is as many output pixels as have COLUMN_BYTES of columns. Its columns lie in a buffer that the worker keeps, and
are multiplied directly into y. Differences from the readable version:
- a 1×1 convolution without stride multiplies x itself and needs no columns;
- dX of a convolution without stride is the convolution of dY with the flipped weights, padded to the full overlap,
  because a copy (im2col) is cheaper than an addition (col2im). With stride S, every S-th pixel of dX in each direction
  (a phase) meets the same S-th part of the weights. Each phase is such a convolution, with 1/S² of the products;
- the pixels under a row of the kernel are copied as one item of KW·C elements, and all windows by one call;
- large images are cut by rows, and small ones are taken several at a time.
Weights are used as (K,O) matrices. A weight that lies in memory as (KH,KW,C,O) is one already.
"""

from itertools import product

import numpy as np

from minires.arrays import empty, empty_feature_map
from minires.kernels.cpu.blas import matmul, matmul_long
from minires.kernels.cpu.im2col_copy import as_items, columns
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum
from minires.kernels.readable import im2col as readable
from minires.kernels.window import Window, flip_kernel

COLUMN_BYTES = 2 << 20
FEW = 8  # with fewer channels of x dX of a strided convolution uses col2im: products with few columns are slow


def fits(dtype, win):
    """Whether this version can compute it: real elements, one group."""
    return dtype.kind == "f" and win.groups == 1


def conv(x, w, win, after=None):
    """Y = im2col(X) · Wᵀ: x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW)."""
    return _conv(x, w.transpose(2, 3, 1, 0).reshape(-1, win.O), win, after=after)


def _conv(x, weights, win, y=None, after=None):
    y = empty_feature_map(win.y_shape, like=x, last=True) if y is None else y
    pixels = x.transpose(0, 2, 3, 1)
    out = y.transpose(0, 2, 3, 1)  # (N,H,W,C), (N,OH,OW,O)
    weights = _matrix(weights)

    def tile(job):
        images, first, last = job
        _product(columns(pixels[images], win, first, last), weights, out[images, first:last])
        if after:
            after(y[images, :, first:last])

    parallel_for(tile, _tiles(win, x.itemsize, in_cache=after is not None))
    return y


def phases_of(size, K, S, P):
    """(first pixel a, first kernel index, how many, padding) of each phase of an axis: the pixels a, a + S, a + 2S, …

    Pixel a + S·i meets the kernel indices k = (a + P) mod S, k + S, … at outputs i + (a + P − k)/S and before.
    """
    phases = []
    for a in range(min(S, size)):
        first = (a + P) % S
        count = len(range(first, K, S))
        phases.append((a, first, count, count - 1 - (a + P - first) // S if count else 0))
    return phases


def conv_dx(dy, w, win):
    """dX = im2col(dY) · flipped W, or where that does not fit dX = col2im(dY · W): dy (N,O,OH,OW) -> dx (N,C,H,W)."""
    back = win.transposed()
    if back is not None:
        return _conv(dy, flip_kernel(w).reshape(-1, win.C), back)
    phases = [phases_of(win.H, win.KH, win.SH, win.PH), phases_of(win.W, win.KW, win.SW, win.PW)]
    if win.DH > 1 or win.DW > 1 or win.C < FEW or any(padding < 0 for axis in phases for *_, padding in axis):
        return _dx_by_sums(dy, w, win)

    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    for (a, kh, KH, PH), (b, kw, KW, PW) in product(*phases):
        pixels = dx[:, :, a :: win.SH, b :: win.SW]
        if KH and KW:
            back = Window(win.N, win.O, win.OH, win.OW, win.C, KH, KW, 1, 1, PH, PW, 1, 1, 1, *pixels.shape[2:])
            _conv(dy, flip_kernel(w[:, :, kh :: win.SH, kw :: win.SW]).reshape(-1, win.C), back, pixels)
        else:
            pixels[...] = 0
    return dx


def _dx_by_sums(dy, w, win):
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    weights = _matrix(w.transpose(0, 2, 3, 1).reshape(win.O, -1))  # (O,K)
    pixels = dy.transpose(0, 2, 3, 1)

    def images(part):
        rows = pixels[part].reshape(-1, win.O)
        cols = np.empty((len(rows), weights.shape[1]), dy.dtype)
        matmul(rows, weights, cols)
        dx[part] = readable.col2im(cols.reshape(-1, win.OH, win.OW, win.KH, win.KW, win.C), win)

    step = max(1, COLUMN_BYTES // (win.OH * win.OW * win.KH * win.KW * win.C * dy.itemsize))
    parallel_for(images, [slice(n, n + step) for n in range(0, win.N, step)])
    return dx


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one im2col: without stride the columns of dY, which give dX, also give dW.

    A row of im2col(dY) holds all dY that depend on one pixel of x, so flipped dW = Xᵀ · im2col(dY).
    """
    back = win.transposed()
    if back is None or (win.KH, win.KW) == (1, 1):
        return conv_dx(dy, w, win), conv_dw(dy, x, win)
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    dy = dy.transpose(0, 2, 3, 1)
    x = x.transpose(0, 2, 3, 1)
    out = dx.transpose(0, 2, 3, 1)
    weights = _matrix(flip_kernel(w).reshape(-1, win.C))

    def tile(job):
        images, first, last = job
        rows = columns(dy[images], back, first, last)
        _product(rows, weights, out[images, first:last])
        return matmul_long(x[images, first:last].reshape(-1, win.C), rows)

    parts = parallel_sum(tile, _tiles(back, x.itemsize, least_pixels=4 * win.C, in_cache=False))
    dw = empty((win.O, win.C, win.KH, win.KW), x.dtype, (2, 3, 1, 0))
    flipped = _total(parts, np.empty_like(parts[0])).reshape(win.C, win.KH, win.KW, win.O)
    dw.transpose(2, 3, 1, 0)[...] = flipped[:, ::-1, ::-1].transpose(1, 2, 0, 3)  # (C,KH,KW,O) -> (KH,KW,C,O)
    return dx, dw


def conv_dw(dy, x, win):
    """dW = im2col(X)ᵀ · dY: dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW), in memory (KH,KW,C,O)."""
    dw = empty((win.O, win.C, win.KH, win.KW), x.dtype, (2, 3, 1, 0))
    pixels = x.transpose(0, 2, 3, 1)
    dy = dy.transpose(0, 2, 3, 1)

    def tile(job):
        images, first, last = job
        rows = columns(pixels[images], win, first, last)
        return matmul_long(rows, dy[images, first:last].reshape(-1, win.O))

    # each tile adds a whole dW, so it has several times as many pixels as there are output channels
    parts = parallel_sum(tile, _tiles(win, x.itemsize, least_pixels=4 * win.O, in_cache=False))
    _total(parts, dw.transpose(2, 3, 1, 0).reshape(-1, win.O))
    return dw


def _product(rows, weights, out):
    """rows (P,K) · weights (K,O) into the pixels out (n,rows,W,O), directly if they are one piece of memory."""
    if out.flags.c_contiguous:
        matmul(rows, weights, out.reshape(-1, out.shape[-1]))
    else:
        temporary = buffer("product", (len(rows), weights.shape[1]), out.dtype)
        matmul(rows, weights, temporary)
        temporary = temporary.reshape(out.shape)
        if out.strides[-1] == out.itemsize:
            out = as_items(out)
            temporary = as_items(temporary)
        out[...] = temporary


def _total(parts, out):
    first, *others = parts
    for part in others[:-1]:
        first += part
    return np.add(first, others[-1] if others else 0, out=out)


def _matrix(weights):
    """The matrix as BLAS takes it: itself if its rows or its columns are one piece of memory, else a copy."""
    flags = weights.flags
    return weights if flags.c_contiguous or flags.f_contiguous else np.ascontiguousarray(weights)


def _tiles(win, itemsize, *, least_pixels=0, in_cache=True):
    """(images, first row, last row) of each tile. in_cache: a tile fits a cache even if it needs no columns."""
    K = win.KH * win.KW * win.C
    most = max(COLUMN_BYTES // (K * itemsize), least_pixels)
    if win.is_pointwise:  # no columns are laid out
        most = COLUMN_BYTES // (win.O * itemsize) if in_cache else win.N * win.OH * win.OW
    return chunks(win.N, win.OH, win.OW, most, win.products)
