"""Convolution in groups of channels: im2col for each group, and one call for the products of all groups.

x is copied group by group, so that a group's channels are neighbours, into a buffer with zeros around them. There its
im2col is that of im2col_tiled.py, and np.matmul multiplies a stack of matrices, one a group:

    Y (G,P,O/G) = cols (G,P,K) · W (G,K,O/G)        K = KH·KW·C/G

BLAS is slow at very few columns. So groups of less than LEAST channels are put together into blocks: the matrix of a
block has the filters of its groups along the diagonal, and zeros beside them. For 4 channels a group these are as many
zeros as filters, and still faster.

A tile is some rows of one image. dX and dW are made as in im2col_tiled.py.
"""

from itertools import product

import numpy as np

from minires.arrays import empty, empty_feature_map
from minires.kernels.cpu.im2col_copy import columns, copy_pixels
from minires.kernels.cpu.im2col_tiled import phases_of
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum
from minires.kernels.readable import convolution as readable
from minires.kernels.window import Window

LEAST = 8  # input channels of a block
COLUMN_BYTES = 2 << 20


def fits(dtype, win):
    """Whether this version can compute it: real elements, several groups, some images, no dilation."""
    return dtype.kind == "f" and win.groups > 1 and win.N > 0 and win.DH == win.DW == 1


def conv(x, w, win, after=None):
    """y (N,O,OH,OW) of x (N,C,H,W) and w (O,C/G,KH,KW)."""
    y = empty_feature_map(win.y_shape, like=x, last=True)
    _conv(x, w, win, y, after)
    return y


def conv_dx(dy, w, win):
    """dx (N,C,H,W) of dy (N,O,OH,OW): phase by phase a convolution of dy with the flipped filters of its group."""
    phases = [phases_of(win.H, win.KH, win.SH, win.PH), phases_of(win.W, win.KW, win.SW, win.PW)]
    if any(padding < 0 for axis in phases for *_, padding in axis):
        return readable.conv_dx(dy, w, win)
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    for (a, kh, KH, PH), (b, kw, KW, PW) in product(*phases):
        pixels = dx[:, :, a :: win.SH, b :: win.SW]
        if KH and KW:
            back = _back(win, (KH, KW), (PH, PW), pixels.shape[2:])
            _conv(dy, _flipped(w[:, :, kh :: win.SH, kw :: win.SW], win), back, pixels)
        else:
            pixels[...] = 0
    return dx


def conv_dw(dy, x, win):
    """dw (O,C/G,KH,KW) of dy (N,O,OH,OW) and x (N,C,H,W)."""
    B, inner = _blocks(win)
    x = x.transpose(0, 2, 3, 1)
    dy = dy.transpose(0, 2, 3, 1)

    def tile(job):
        images, first, last = job
        total = 0
        for image, gradient in zip(x[images], dy[images, first:last]):
            cols = _columns(image, B, inner, first, last)
            total = total + cols.swapaxes(1, 2) @ _pixels(gradient, B)  # (B,K,P)·(B,P,O/B)
        return total

    total = _total(parallel_sum(tile, _tiles(win, x.itemsize)))
    return _as_weight(total.reshape(B, win.KH, win.KW, inner.C, inner.O), x.dtype, win)


def conv_dx_dw(dy, x, w, win):
    """Both gradients. Without stride the columns of dy, which give dx, also give dw, flipped."""
    back = win.transposed()
    if back is None:
        return conv_dx(dy, w, win), conv_dw(dy, x, win)
    B, inner = _blocks(back)
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    out = dx.transpose(0, 2, 3, 1)
    x = x.transpose(0, 2, 3, 1)
    dy = dy.transpose(0, 2, 3, 1)
    weights = _weights(_flipped(w, win), back)

    def tile(job):
        images, first, last = job
        total = 0
        for image, gradient, pixels in zip(x[images, first:last], dy[images], out[images, first:last]):
            cols = _columns(gradient, B, inner, first, last)
            _multiply(cols, weights, pixels)
            total = total + _pixels(image, B).swapaxes(1, 2) @ cols  # (B,C/B,P)·(B,P,K)
        return total

    total = _total(parallel_sum(tile, _tiles(back, x.itemsize)))
    total = total.reshape(B, inner.O, win.KH, win.KW, inner.C)[:, :, ::-1, ::-1]
    return dx, _as_weight(total.transpose(0, 2, 3, 1, 4), x.dtype, win)  # (B,C/B,KH,KW,O/B) -> (B,KH,KW,C/B,O/B)


def _blocks(win):
    """(how many blocks, the window of one): groups put together until a block has LEAST channels of x and of y."""
    G = win.groups
    least = -(-LEAST * G // min(win.C, win.O))
    together = next(d for d in range(min(least, G), G + 1) if G % d == 0)
    B = G // together
    return B, win._replace(N=B, C=win.C // B, O=win.O // B, groups=1)


def _back(win, kernel, padding, size):
    """The window of a convolution of dy (N,O,OH,OW) without stride, with an output (N,C,*size)."""
    return Window(win.N, win.O, win.OH, win.OW, win.C, *kernel, 1, 1, *padding, 1, 1, win.groups, *size)


def _flipped(w, win):
    """w (O,C/G,KH,KW) -> the filters of dx, (C,O/G,KH,KW): flipped, and its channels exchanged in each group."""
    G = win.groups
    w = w[:, :, ::-1, ::-1].reshape(G, win.O // G, win.C // G, *w.shape[2:])
    return w.swapaxes(1, 2).reshape(win.C, win.O // G, *w.shape[3:])


def _weights(w, win):
    """w (O,C/G,KH,KW) -> the matrices of the blocks, (B,KH·KW·C/B,O/B), with the filters of a group on the diagonal"""
    B, inner = _blocks(win)
    matrices = np.zeros((B, win.KH, win.KW, inner.C, inner.O), w.dtype)
    filters = w.reshape(B, -1, win.O // win.groups, *w.shape[1:])  # (B, groups of a block, O/G, C/G, KH, KW)
    for part, group in _diagonals(matrices, win):
        part[...] = filters[:, group].transpose(0, 3, 4, 2, 1)
    return matrices.reshape(B, -1, inner.O)


def _as_weight(matrices, dtype, win):
    """(B,KH,KW,C/B,O/B) -> dw (O,C/G,KH,KW), in memory (KH,KW,C/G,O)"""
    dw = empty((win.O, win.C // win.groups, win.KH, win.KW), dtype, (2, 3, 1, 0))
    by_block = dw.transpose(2, 3, 1, 0).reshape(win.KH, win.KW, -1, len(matrices), win.O // len(matrices))
    o = win.O // win.groups
    for part, group in _diagonals(matrices, win):
        by_block[..., group * o : (group + 1) * o] = part.transpose(1, 2, 3, 0, 4)
    return dw


def _diagonals(matrices, win):
    """(matrices[:, :, :, the channels of a group, its outputs], the group's number in its block) for each group."""
    c = win.C // win.groups
    o = win.O // win.groups
    for k in range(matrices.shape[-1] // o):
        yield matrices[..., k * c : (k + 1) * c, k * o : (k + 1) * o], k


def _columns(image, B, inner, first, last):
    """im2col of an image (H,W,C) for some output rows, block by block -> (B,P,K)"""
    H, W, C = image.shape
    blocks = image.reshape(H, W, B, C // B).transpose(2, 0, 1, 3)  # each block as an image of its own
    return columns(blocks, inner, first, last).reshape(B, -1, inner.KH * inner.KW * inner.C)


def _pixels(pixels, B):
    """(rows,W,C) -> (B,P,C/B)"""
    return pixels.reshape(-1, B, pixels.shape[-1] // B).swapaxes(0, 1)


def _conv(x, w, win, y, after=None):
    """y = w ⋆ x; the pixels of y may be every S-th of an image."""
    B, inner = _blocks(win)
    x = x.transpose(0, 2, 3, 1)
    out = y.transpose(0, 2, 3, 1)
    weights = _weights(w, win)

    def tile(job):
        images, first, last = job
        for image, pixels in zip(x[images], out[images, first:last]):
            _multiply(_columns(image, B, inner, first, last), weights, pixels)
        if after:
            after(y[images, :, first:last])

    parallel_for(tile, _tiles(win, x.itemsize), win.products)


def _multiply(cols, weights, pixels):
    """cols (B,P,K) · weights (B,K,O/B) into pixels (rows,W,O)"""
    y = pixels if pixels.flags.c_contiguous else buffer("grouped y", pixels.shape, pixels.dtype)
    np.matmul(cols, weights, out=_pixels(y, len(cols)))
    if y is not pixels:
        copy_pixels(y, pixels)


def _tiles(win, itemsize):
    """(images, first row, last row) of each tile: as many rows as have COLUMN_BYTES of columns, or several images."""
    return chunks(win.N, win.OH, win.OW, COLUMN_BYTES // (win.KH * win.KW * win.C * itemsize), win.products)


def _total(parts):
    first, *others = parts
    for part in others:
        first += part
    return first
