"""im2col for layers with more output channels than output pixels, whose weights are larger than their columns.

If each worker took a part of the pixels, each would read all the weights. Therefore each takes a part of the channels:
a part of the columns of the second matrix of a product. im2col and col2im are divided by images.
dX is col2im, because flipping the weights would cost more than its additions.
"""

import numpy as np

from minires.arrays import empty
from minires.kernels.cpu.im2col_copy import columns
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import parallel_for, workers
from minires.kernels.readable import im2col as readable


def fits(dtype, win):
    """Whether this is the fastest version: real elements, one group, and few pixels for the channels."""
    return dtype.kind == "f" and win.groups == 1 and 0 < win.N * win.OH * win.OW <= win.O


def conv(x, w, win, after=None):
    """Y = im2col(X) · Wᵀ: x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW)."""
    y = _product(_columns(x, win), w.transpose(2, 3, 1, 0).reshape(-1, win.O))  # (P,K)·(K,O)
    y = y.reshape(win.N, win.OH, win.OW, win.O).transpose(0, 3, 1, 2)
    if after:
        after(y)
    return y


def conv_dx(dy, w, win):
    """dX = col2im(dY · W): dy (N,O,OH,OW) -> dx (N,C,H,W)."""
    cols = _product(_pixels(dy), w.transpose(0, 2, 3, 1).reshape(win.O, -1))  # (P,O)·(O,K)
    if win.is_pointwise:
        return cols.reshape(win.N, win.H, win.W, win.C).transpose(0, 3, 1, 2)
    cols = cols.reshape(win.N, win.OH, win.OW, win.KH, win.KW, win.C)
    dx = np.empty((win.N, win.H, win.W, win.C), dy.dtype).transpose(0, 3, 1, 2)

    def images(part):
        dx[part] = readable.col2im(cols[part], win)

    parallel_for(images, [slice(n, n + 1) for n in range(win.N)], win.products)
    return dx


def conv_dw(dy, x, win):
    """dW = im2col(X)ᵀ · dY: dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW), in memory (KH,KW,C,O)."""
    dw = empty((win.O, win.C, win.KH, win.KW), x.dtype, (2, 3, 1, 0))
    _product(_columns(x, win).T, _pixels(dy), out=dw.transpose(2, 3, 1, 0).reshape(-1, win.O))  # (K,P)·(P,O)
    return dw


def conv_dx_dw(dy, x, w, win):
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def _pixels(x):
    # (N,C,H,W) -> (N,H,W,C) -> (P,C), without a copy if x is channels-last
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _columns(x, win):
    """im2col(X), (P,K)"""
    if win.is_pointwise:
        return _pixels(x)
    pixels = x.transpose(0, 2, 3, 1)
    cols = np.empty((win.N, win.OH, win.OW, win.KH * win.KW * win.C), x.dtype)

    def chunk(job):
        images, first, last = job
        part = cols[images, first:last]
        part[...] = columns(pixels[images], win, first, last).reshape(part.shape)

    parallel_for(chunk, chunks(win.N, win.OH, win.OW, win.N * win.OH * win.OW, win.products))
    return cols.reshape(-1, win.KH * win.KW * win.C)


def _product(a, b, out=None):
    """a·b, for each worker a part of the columns of b."""
    out = np.empty((len(a), b.shape[1]), a.dtype) if out is None else out
    step = max(1, -(-b.shape[1] // workers(a.size * b.shape[1])))

    def multiply(part):
        np.matmul(a, b[:, part], out=out[:, part])

    parallel_for(multiply, [slice(k, k + step) for k in range(0, b.shape[1], step)])
    return out
