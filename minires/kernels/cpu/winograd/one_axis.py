"""Winograd convolution F(4,3) along one axis, for 3×3 layers with few channels: four rows at a time.

    y = Aᵀ [Σ (G w) ⊙ (Bᵀ x)]        dw = Gᵀ [Σ (A dy) ⊙ (Bᵀ x)]        (transforms.py)

make four rows of y from six rows of x with six products, where im2col has twelve. A product is that of a row of pixels
with the three elements of a row of the kernel. two_axes.py does the same on both axes with half as many products. But
it transforms 36 elements for every 16, which takes more time if only 16 or 32 channels share a transform.

The rows of V = Bᵀ x lie one after another in a line, each after the zeros on its left. Those on its right are the zeros
of the next row. Three neighbouring pixels, 3C elements, are a window. The windows that start at pixels 0, 3, 6, … do
not overlap, so they are the rows of a matrix, and so are those from 1, 4, 7, … and from 2, 5, 8, … Therefore im2col is
not needed. Results of windows that reach over the end of a row are left out.

The error, to first order (u = 2⁻²⁴), with the roundings that transforms.py counts and 3C terms in the sum:

    |error| ≤ n·u·|Aᵀ| [Σ (|G||w|) ⊙ (|Bᵀ||x|)],    n = 3C + 13    (n = pixels + 15 for dw);

√n, up to a small factor, if roundings are independent  [Higham & Mary 2019]. For elements of both signs the root mean
square error is 1.2 to 3.3 times that of im2col.
"""

import numpy as np

from minires.arrays import empty, empty_feature_map
from minires.kernels.cpu.blas import SMALL
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum, scratch
from minires.kernels.cpu.winograd.transforms import (
    as_windows,
    is_3x3,
    matrices,
    mean_channels,
    rows_of,
    transform,
    windows,
)
from minires.kernels.window import flip_kernel

PRODUCTS = SMALL  # multiplications of a call of the BLAS at most
NUMBERS = 160_000  # elements of a line of V or of products at most, so that they stay in a cache


def fits(dtype, win):
    """Whether this is the fastest version, as measured: for 3×3 layers with few channels."""
    return (
        is_3x3(dtype, win)
        and min(win.C, win.O) <= 64
        and max(win.C, win.O) <= 128
        and win.N * win.OH * win.OW >= 32
        and cost(win) < 1 + 10 / mean_channels(win)
    )


def cost(win):
    """The time, as measured (Zen 4), relative to im2col's products at the BLAS's peak."""
    whole = -(-win.OH // 4) * 4 * _columns(win)  # pixels, with those outside the image
    return whole / (win.OH * win.OW) * (1 / 2 + 7 / mean_channels(win))


def conv(x, w, win, after=None):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, _filters(w.transpose(2, 3, 1, 0)), win, after)


def conv_dx(dy, w, win):
    """The convolution of dY with the flipped weights: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, _filters(flip_kernel(w)), win.transposed())


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""
    parts = parallel_sum(lambda chunk: _products(_gradient(dy, win, chunk), _windows(x, win, chunk)), _chunks(win))
    dw = empty((win.O, win.C, 3, 3), x.dtype, (2, 3, 1, 0))
    dw.transpose(2, 0, 3, 1)[...] = _filters_dw(parts, (win.O, 3, win.C))
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one V of dY. dX = dY ∗ flipped W, so dY takes the role of x, and X that of dy for dW."""
    U = _filters(flip_kernel(w))
    back = win.transposed()
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    dw = empty((win.O, win.C, 3, 3), x.dtype, (2, 3, 1, 0))

    def work(chunk):
        V = _windows(dy, back, chunk)
        _map(V, U, dx, back, chunk)
        return _products(_gradient(x, back, chunk), V)

    parts = parallel_sum(work, _chunks(back))
    flip_kernel(dw).transpose(0, 3, 1, 2)[...] = _filters_dw(parts, (win.C, 3, win.O))
    return dx, dw


def _conv(x, U, win, after=None):
    y = empty_feature_map(win.y_shape, like=x, last=True)

    def work(chunk):
        images, first, last = chunk
        _map(_windows(x, win, chunk), U, y, win, chunk)
        if after:
            after(y[images, :, 4 * first : 4 * last])

    parallel_for(work, _chunks(win))
    return y


def _chunks(win):
    """(images, first group of four rows, last) of each chunk."""
    pixels = min(PRODUCTS // (win.C * win.O), NUMBERS // max(win.C, win.O))
    return chunks(win.N, -(-win.OH // 4), _columns(win), pixels, win.products)


def _columns(win):
    """Pixels of a row in a line: the zeros on its left, and the row."""
    return win.PW + win.W


def _windows(x, win, chunk):
    """V = Bᵀ x -> (6,3,P,3C): in each line the P windows from pixel 0, from 1 and from 2"""
    (_, first, last) = chunk
    C = x.shape[1]
    columns = _columns(win)
    (BT, *_) = matrices(x.dtype)
    rows, start = rows_of(x, chunk, win.PH, 6)
    n = len(rows)
    Q = last - first
    pixels = n * Q * columns
    P = -(-pixels // 3)
    V = scratch(("V", win.W, win.PW, C, pixels), (6, (3 * P + 2) * C), x.dtype)
    out = as_windows(V[:, : pixels * C], n, Q, columns * C, win.PW * C, win.W * C)
    transform(BT, rows, start, out)
    size = V.itemsize
    return np.ndarray((6, 3, P, 3 * C), V.dtype, V, 0, (V.strides[0], C * size, 3 * C * size, size))


def _gradient(dy, win, chunk):
    """D = A dy, in the order of V -> (6,3,P,O)"""
    (_, first, last) = chunk
    O = dy.shape[1]
    columns = _columns(win)
    (_, A, *_) = matrices(dy.dtype)
    rows, start = rows_of(dy, chunk, 0, 4)
    n = len(rows)
    Q = last - first
    pixels = n * Q * columns
    P = -(-pixels // 3)
    D = scratch(("D", win.OW, columns, pixels), (6, 3 * P, O), dy.dtype)
    out = as_windows(D.reshape(6, -1)[:, : pixels * O], n, Q, columns * O, 0, win.OW * O)
    transform(A, rows, start, out)
    return _thirds(D)


def _thirds(lines):
    """Lines (6,3·P,O) as (6,3,P,O): the pixels 0, 3, 6, …, those from 1 and those from 2."""
    return lines.reshape(6, -1, 3, lines.shape[-1]).swapaxes(1, 2)


def _map(V, U, y, win, chunk):
    """Fill the chunk of y (N,O,OH,OW) with Aᵀ (V·U): V (6,3,P,3C), U (6,1,3C,O)."""
    (_, first, last) = chunk
    O = win.O
    columns = _columns(win)
    AT = matrices(V.dtype)[3]
    M = buffer("M", (6, 3 * V.shape[2], O), V.dtype)
    np.matmul(V, U, out=_thirds(M))
    rows, _ = rows_of(y, chunk, 0, 4)  # no copy, because y is channels-last
    n = len(rows)
    Q = last - first
    M = as_windows(M.reshape(6, -1)[:, : n * Q * columns * O], n, Q, columns * O, 0, win.OW * O)
    for kind in windows(rows.shape[1]):
        out = rows[:, kind.outputs].reshape(n, kind.number, kind.each, win.OW * O)
        np.matmul(AT[: kind.each], M[:, kind.which], out=out)


def _products(D, V):
    """dU = Σ D·V over the pixels: D (6,3,P,O), V (6,3,P,3C) -> (6,O,3C)"""
    return (D.swapaxes(2, 3) @ V).sum(axis=1)


def _filters(w):
    """U = G w: w (3,3,C,O), its rows first -> (6,1,3C,O)"""
    _, _, C, O = w.shape
    return (matrices(w.dtype)[2] @ w.reshape(3, -1)).reshape(6, 1, 3 * C, O)


def _filters_dw(parts, shape):
    """dw = Gᵀ dU, where dU is the sum of the parts (6,O,3C) -> (3,O,3,C) for shape (O,3,C)"""
    dU = sum(parts[1:], start=parts[0]).reshape(6, -1)
    return (matrices(dU.dtype)[2].T @ dU).reshape(3, *shape)
