"""Winograd convolution F(2,3) along one axis, for 3×3 layers of few channels on wide maps: rows in pairs.

Two rows of y come from four rows p of the padded picture with four products, where im2col has six  [Winograd 1980]:

    y0 = (p0 − p2)·u0 + (p1 + p2)·u1 + (p2 − p1)·u2                 u0 = w0    u1 = (w0 + w1 + w2)/2
    y1 =                (p1 + p2)·u1 − (p2 − p1)·u2 + (p3 − p1)·u3   u3 = w2    u2 = (w0 − w1 + w2)/2

w0, w1, w2 are the rows of the kernel, and a product is that of a row of pixels with the three taps in it. winograd.py
saves more products but transforms every pixel 36-fold, which does not pay where only 16 channels share a transform.
Here nothing but whole rows is added, and im2col is not needed either:

- the even rows of all padded pictures of a chunk lie in memory as one long line of pixels, and so do the odd ones, so
  that each sum above is one addition of two lines;
- three pixels side by side, 3C numbers, are a window. Windows that start at pixels 0, 3, 6, … of a line do not overlap:
  they are the rows of a matrix, and so are those from 1, 4, 7, … and from 2, 5, 8, …; three products make a row of y.

What windows give that reach over the end of a row, 2 of W + 2, and pairs of rows of two pictures, is not fetched.

The error, to first order (u = 2⁻²⁴): V = p0 − p2, … meets one rounding, U three, the sum over 3C numbers 3C, and y two:

    |error| ≤ n·u·|A| [Σ (|G||w|) ⊙ (|B||p|)],    n = 3C + 6    (n = pixels + 7 for dw),

with A, B, G the coefficients above; √n, up to a small factor, where roundings are independent [Higham & Mary 2019].
"""

from math import prod

import numpy as np

from minires.arrays import empty, empty_map
from minires.kernels.blas import SMALL
from minires.kernels.blocks import chunks
from minires.kernels.window import turned
from minires.kernels.workers import add_up, buffer, scratch, share

PRODUCTS = SMALL  # that a call of the BLAS makes at most

G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def fits(x, win):
    """Whether this is the fastest version, as measured: for float32 3×3 layers without stride, with enough to do.

    Narrow maps waste too much of a line, lines of large maps do not stay in a core's cache.
    """
    return (isinstance(x, np.ndarray) and x.dtype == np.float32
            and (win.KH, win.KW, win.SH, win.SW, win.DH, win.DW, win.groups) == (3, 3, 1, 1, 1, 1, 1)
            and max(win.PH, win.PW) <= 2 and max(win.C, win.O) <= 24
            and win.OW >= 8 and win.OH * win.OW <= 1 << 14 and win.N * win.OH * win.OW >= 1 << 11)


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, _filters(w.transpose(2, 3, 1, 0)), win)


def conv_dx(dy, w, win):
    """The convolution of dY with the weights turned by 180°: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, _filters(turned(w)), win.back())


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""
    parts = add_up(lambda some: _products(_gradient(dy[some], win), _windows(x[some], win)), _chunks(win))
    dw = empty((win.O, win.C, 3, 3), x.dtype, (2, 3, 1, 0))
    dw.transpose(2, 0, 3, 1)[...] = _filters_back(parts, (win.O, 3, win.C))
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one V of dY: in dX = dY ∗ turned W, dY is the picture, and X the gradient for dW."""
    U, back = _filters(turned(w)), win.back()
    dx, dw = empty_map(win.x_shape, like=dy, last=True), empty((win.O, win.C, 3, 3), x.dtype, (2, 3, 1, 0))

    def chunk(some):
        V = _windows(dy[some], back)
        _map(V, U, dx[some], back)
        return _products(_gradient(x[some], back), V)
    parts = add_up(chunk, _chunks(back))
    turned(dw).transpose(0, 3, 1, 2)[...] = _filters_back(parts, (win.C, 3, win.O))
    return dx, dw


def _conv(x, U, win):
    y = empty_map(win.y_shape, like=x, last=True)
    share(lambda some: _map(_windows(x[some], win), U, y[some], win), _chunks(win))
    return y


def _chunks(win):
    return [some for some, _, _ in chunks(win.N, 1, prod(_line(win)), PRODUCTS // (win.C * win.O), win.products)]


def _line(win):
    """Rows and columns that a picture has in a line: a row of each pair and one more for the last window, and each row
    after its zeros on the left. Those on its right are the next row's.
    """
    return -(-win.OH // 2) + 1, win.W + win.PW


def _fill(lines, x, win, top, left):
    """The even rows of x (n,C,H,W) into lines[0], the odd ones into lines[1], after `top` rows and `left` columns.

    lines are (2,≥ n·rows·columns,C), of which nothing else is touched.
    """
    (rows, columns), pixels = _line(win), x.transpose(0, 2, 3, 1)
    n, _, W, C = pixels.shape
    for parity, line in enumerate(lines):
        first = (parity - top) % 2  # of x, the row that is the first here
        mine, at = pixels[:, first::2], (first + top) // 2
        maps = line[:n * rows * columns].reshape(n, rows, columns, C)
        maps[:, at:at + mine.shape[1], left:left + W] = mine


def _windows(x, win):
    """V, four sums of rows of x (n,C,H,W) -> (4,3,P,3C): in each line 3·P pixels, its windows from 0, from 1, from 2"""
    (n, C), (rows, columns) = x.shape[:2], _line(win)
    pixels, row = n * rows * columns, columns * C
    P = -(-pixels // 3)
    lines = scratch(("pairs", win.H, win.W, win.PH, win.PW), (2, pixels + columns, C), x.dtype)
    _fill(lines, x, win, win.PH, win.PW)
    V = scratch(("sums of pairs", pixels), (4, (3 * P + 2) * C), x.dtype)
    (p0, p2), (p1, p3) = ((line[:-row], line[row:]) for line in lines.reshape(2, -1))
    v0, v1, v2, v3 = V[:, :pixels * C]
    np.subtract(p0, p2, out=v0)
    np.add(p1, p2, out=v1)
    np.subtract(p2, p1, out=v2)
    np.subtract(p3, p1, out=v3)
    size = V.itemsize
    return np.ndarray((4, 3, P, 3 * C), V.dtype, V, 0, (V.strides[0], C * size, 3 * C * size, size))


def _gradient(dy, win):
    """The sums of rows of dy (n,O,OH,OW) that belong to V -> (4,3,P,O)"""
    (n, O), (rows, columns) = dy.shape[:2], _line(win)
    pixels = n * rows * columns
    P = -(-pixels // 3)
    D = scratch(("gradient of pairs", win.OH, win.OW), (4, 3 * P, O), dy.dtype)
    _fill(D[::3], dy, win, 0, 0)
    np.add(D[0], D[3], out=D[1])
    np.subtract(D[0], D[3], out=D[2])
    return _thirds(D)


def _thirds(lines):
    """Lines (4,3·P,O) as (4,3,P,O): the pixels 0, 3, 6, …, those from 1 and those from 2."""
    return lines.reshape(4, -1, 3, lines.shape[-1]).swapaxes(1, 2)


def _map(V, U, y, win):
    """V (4,3,P,3C), U (4,1,3C,O) -> y (n,O,OH,OW), which is filled."""
    (rows, columns), O = _line(win), U.shape[-1]
    M = buffer("products of pairs", (4, 3 * V.shape[2], O), V.dtype)
    np.matmul(V, U, out=_thirds(M))
    y0, y1, m2, m3 = M  # y0 = m0 + m1 + m2 and y1 = m1 − m2 + m3 in their places
    y0 += y1
    y0 += m2
    y1 -= m2
    y1 += m3
    pixels = y.transpose(0, 2, 3, 1)
    for parity, line in enumerate((y0, y1)):
        mine = pixels[:, parity::2]
        maps = line[:len(y) * rows * columns].reshape(len(y), rows, columns, O)
        mine[...] = maps[:, :mine.shape[1], :win.OW]


def _products(D, V):
    """dU = Σ D·V over the pixels: D (4,3,P,O), V (4,3,P,3C) -> (4,O,3C)"""
    return (D.swapaxes(2, 3) @ V).sum(axis=1)


def _filters(w):
    """U = G w: w (3,3,C,O), its rows first -> (4,1,3C,O)"""
    _, _, C, O = w.shape
    return (G.astype(w.dtype) @ w.reshape(3, -1)).reshape(4, 1, 3 * C, O)


def _filters_back(parts, shape):
    """dw = Gᵀ dU, where dU is the sum of the parts (4,O,3C) -> (3,O,3,C) for shape (O,3,C)"""
    dU = sum(parts[1:], start=parts[0]).reshape(4, -1)
    return (G.astype(dU.dtype).T @ dU).reshape(3, *shape)
