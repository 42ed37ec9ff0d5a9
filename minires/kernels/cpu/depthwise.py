"""Depthwise convolution: each channel has one filter of its own, so there is no product of matrices in it.

    y[oh,ow,c] = Σ_{kh,kw} x[oh·SH + kh, ow·SW + kw, c]·w[kh,kw,c]

einsum multiplies and adds along the channels. They are neighbours in memory, but its inner loop is short if they are
few. So the loop runs over several pixels at once: j counts the channels of q neighbouring pixels, and w is repeated q
times. Some rows are copied at a time into a buffer with zeros around them, which stays in a cache. There all windows
are views, and no columns are laid out.

With a stride, the columns of the buffer are sorted: first 0, S, 2S, …, then 1, S + 1, … (a phase each). Pixels that a
filter element meets are neighbours again, and each phase has an einsum of its own.

dX without stride is such a convolution of dY with the flipped filter. With stride S, every S-th pixel of dX in each
direction meets the same S-th part of the filter, as in im2col_tiled.py. dW adds up over whole rows, j = (ow,c):

    dw[kh,kw,j] = Σ_oh dy[oh,j]·x[oh·SH + kh, j + kw]        then Σ over ow.

It is about as many multiply-adds a second as a loop without fused multiply-add can do, six times fewer than a BLAS.
"""

from itertools import product

import numpy as np

from minires.arrays import empty, empty_feature_map
from minires.kernels.cpu.im2col_copy import copy_pixels
from minires.kernels.cpu.im2col_tiled import phases_of
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum
from minires.kernels.window import Window

BUFFER_BYTES = 1 << 20  # of the rows with zeros around them
LOOP = 4096  # elements of the inner loop at most
SLOWER = 8  # than a product of matrices, for as many multiplications


def fits(dtype, win):
    """Whether this version can compute it: real elements, one filter a channel, without dilation."""
    return dtype.kind == "f" and win.groups == win.C == win.O and win.DH == win.DW == 1


def conv(x, w, win, after=None):
    """y (N,C,OH,OW) of x (N,C,H,W) and w (C,1,KH,KW)."""
    y = empty_feature_map(win.y_shape, like=x, last=True)
    _conv(x, _filters(w), win, y, after)
    return y


def conv_dx(dy, w, win):
    """dx (N,C,H,W) of dy (N,C,OH,OW): phase by phase a convolution of dy with the flipped filter."""
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    rows = phases_of(win.H, win.KH, win.SH, win.PH)
    columns = phases_of(win.W, win.KW, win.SW, win.PW)
    for (a, kh, KH, PH), (b, kw, KW, PW) in product(rows, columns):
        pixels = dx[:, :, a :: win.SH, b :: win.SW]
        if KH and KW:
            flipped = _filters(w)[kh :: win.SH, kw :: win.SW][::-1, ::-1]
            _conv(dy, flipped, _without_stride(win, (KH, KW), (PH, PW), pixels.shape[2:]), pixels)
        else:
            pixels[...] = 0
    return dx


def conv_dw(dy, x, win):
    """dw (C,1,KH,KW) of dy (N,C,OH,OW) and x (N,C,H,W)."""
    x = x.transpose(0, 2, 3, 1)
    dy = dy.transpose(0, 2, 3, 1)

    def tile(job):
        images, first, last = job
        total = 0
        for image, gradient in zip(x[images], dy[images, first:last]):
            total = total + _products(_padded(image, win, first, last), gradient, win)
        return total

    return _as_weight(_sum(tile, win, x.itemsize), x.dtype, win)


def conv_dx_dw(dy, x, w, win):
    """Both gradients. Without stride the padded rows of dy, which give dx, also give dw, flipped."""
    if (win.SH, win.SW) != (1, 1):
        return conv_dx(dy, w, win), conv_dw(dy, x, win)
    back = _without_stride(win, (win.KH, win.KW), (win.KH - 1 - win.PH, win.KW - 1 - win.PW), (win.H, win.W))
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    out = dx.transpose(0, 2, 3, 1)
    x = x.transpose(0, 2, 3, 1)
    dy = dy.transpose(0, 2, 3, 1)
    repeated = _repeated(_filters(w)[::-1, ::-1], back)

    def tile(job):
        images, first, last = job
        total = 0
        for image, gradient, pixels in zip(x[images, first:last], dy[images], out[images, first:last]):
            padded = _padded(gradient, back, first, last)
            _convolve(padded, repeated, back, pixels)
            total = total + _products(padded, image, back)
        return total

    return dx, _as_weight(_sum(tile, back, x.itemsize)[::-1, ::-1], x.dtype, win)


def _without_stride(win, kernel, padding, size):
    """The window of a convolution of dy (N,C,OH,OW) without stride, with an output of this size."""
    return Window(win.N, win.C, win.OH, win.OW, win.C, *kernel, 1, 1, *padding, 1, 1, win.C, *size)


def _filters(w):
    """w (C,1,KH,KW) -> (KH,KW,C)"""
    return w[:, 0].transpose(1, 2, 0)


def _as_weight(dw, dtype, win):
    """dw (KH,KW,C) -> (C,1,KH,KW), in memory (KH,KW,1,C) as a weight lies"""
    weight = empty((win.C, 1, win.KH, win.KW), dtype, (2, 3, 1, 0))
    weight[:, 0] = dw.transpose(2, 0, 1)
    return weight


def _conv(x, filters, win, y, after=None):
    """y = w ⋆ x, for filters (KH,KW,C); the pixels of y may be every S-th of an image."""
    x = x.transpose(0, 2, 3, 1)
    out = y.transpose(0, 2, 3, 1)
    repeated = _repeated(filters, win)

    def tile(job):
        images, first, last = job
        for image, pixels in zip(x[images], out[images, first:last]):
            _convolve(_padded(image, win, first, last), repeated, win, pixels)
        if after:
            after(y[images, :, first:last])

    parallel_for(tile, _tiles(win, x.itemsize), SLOWER * win.products)


def _tiles(win, itemsize):
    """(images, first row, last row) of each tile: output rows whose inputs fill the buffer, or several images."""
    padded_row = ((win.OW - 1) * win.SW + win.KW) * win.C * itemsize
    rows = max(1, (BUFFER_BYTES // padded_row - win.KH) // win.SH + 1)
    images = max(1, rows // win.OH)
    return chunks(win.N, win.OH, win.OW, min(rows, win.OH) * images * win.OW, SLOWER * win.products)


def _sum(tile, win, itemsize):
    """The sum of tile(job) over all tiles, in double precision -> (KH,KW,C)"""
    jobs = _tiles(win, itemsize) if win.N else []
    first, *others = parallel_sum(tile, jobs) if jobs else [np.zeros((win.KH, win.KW, win.C))]
    for other in others:
        first += other
    return first


def _padded(image, win, first, last):
    """The pixels (H,W,C) under the output rows first … last − 1, with zeros around -> (rows,SW,Wq,C), by phases."""
    H, W, C = image.shape
    top = first * win.SH - win.PH
    rows = (last - 1 - first) * win.SH + win.KH
    length = win.OW + (win.KW - 1) // win.SW  # of a phase
    padded = buffer("depthwise", (rows, min(win.SW, win.KW), length, C), image.dtype)
    start = max(-top, 0)
    stop = max(min(H - top, rows), start)
    padded[:start] = 0
    padded[stop:] = 0
    source = image[top + start : top + stop]
    for b in range(padded.shape[1]):
        left = max(0, -(-(win.PW - b) // win.SW))  # the first pixel of the phase that is in the image
        w = left * win.SW + b - win.PW  # its column there
        count = max(0, min(length - left, -(-(W - w) // win.SW)))
        target = padded[start:stop, b]
        target[:, :left] = 0
        target[:, left + count :] = 0
        if count and stop > start:
            copy_pixels(source[:, w : w + count * win.SW : win.SW], target[:, left : left + count])
    return padded


def _repeated(filters, win):
    """For each phase its filters (KH,L,C), repeated for q neighbouring pixels -> (KH,L,q·C)"""
    most = max(1, LOOP // win.C)
    q = next(d for d in range(min(most, win.OW), 0, -1) if win.OW % d == 0)
    return [np.tile(filters[:, b :: win.SW], (1, 1, q)) for b in range(min(win.SW, win.KW))]


def _convolve(padded, repeated, win, pixels):
    """Σ over the filter for the rows of `padded`, into pixels (rows,OW,C)"""
    rows, W, C = pixels.shape
    row, phase, pixel, element = padded.strides
    y = pixels if pixels.flags.c_contiguous else buffer("depthwise y", (rows, W, C), pixels.dtype)
    for b, filters in enumerate(repeated):
        KH, L, J = filters.shape
        q = J // C
        strides = (win.SH * row, q * pixel, row, pixel, element)
        windows = np.ndarray((rows, W // q, KH, L, J), padded.dtype, padded, b * phase, strides)
        if b == 0:
            np.einsum("hwklj,klj->hwj", windows, filters, out=y.reshape(rows, W // q, J))
        else:
            more = buffer("depthwise phase", (rows, W // q, J), pixels.dtype)
            y += np.einsum("hwklj,klj->hwj", windows, filters, out=more).reshape(y.shape)
    if y is not pixels:
        copy_pixels(y, pixels)


def _products(padded, dy, win):
    """Σ over the rows of dy (rows,OW,C) times what each filter element meets -> (KH,KW,C), in double precision"""
    rows, W, C = dy.shape
    dy = np.ascontiguousarray(dy).reshape(rows, W * C)
    dw = np.empty((win.KH, win.KW, C))
    row, phase, pixel, element = padded.strides
    for b in range(min(win.SW, win.KW)):
        L = len(range(b, win.KW, win.SW))
        strides = (win.SH * row, row, pixel, element)
        windows = np.ndarray((rows, win.KH, L, W * C), padded.dtype, padded, b * phase, strides)
        sums = np.einsum("hj,hklj->klj", dy, windows)
        dw[:, b :: win.SW] = sums.reshape(win.KH, L, W, C).sum(axis=2, dtype=dw.dtype)
    return dw
