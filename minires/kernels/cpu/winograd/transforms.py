"""Winograd's convolution along one axis: six products for four outputs of a kernel of three, instead of twelve.

    y = Aᵀ [(G w) ⊙ (Bᵀ x)]        dw = Gᵀ [(A dy) ⊙ (Bᵀ x)]                                     [Winograd 1980]

with four outputs y, three weights w and a window x of six inputs; the next window begins four inputs later. (⊙ is the
product element by element; between feature maps it also sums over channels.)

Every step is a matrix product, and the BLAS reads x in place: six rows of a channels-last x are a matrix (6,W·C).
A window that reaches over the edge of the image has fewer rows, and Bᵀ fewer columns, so nothing is padded.

The error: an element is rounded at most 4 times in Bᵀ, 4 in A, 4 in G, whose entries are rounded, 5 in Aᵀ and 7 in Gᵀ.
No partial sum has larger coefficients than its matrix.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

STEP = 4  # outputs of a window, and inputs from one to the next
POINTS = [0, 1, -1, 2, -2]


@cache
def matrices(dtype, outputs=STEP):
    """Bᵀ (m,m), A (m,outputs), G (m,3) and Aᵀ (outputs,m) for m = outputs + 2 positions: ∞, 0, 1, −1, 2, −2.

    A window with fewer outputs uses only the first positions. One G w serves all windows, because G keeps the divisors
    of four outputs and Bᵀ multiplies by the surplus: the differences to the unused points.
    """
    points, others = POINTS[: outputs + 1], POINTS[outputs + 1 :]
    BT, _, AT = toom_cook(outputs, 3, points)
    BT[:-1] *= np.prod(np.subtract.outer(points, others), axis=1, keepdims=True)
    G = toom_cook(STEP, 3, POINTS)[1]
    BT = np.roll(BT, 1, axis=0)
    G = np.roll(G, 1, axis=0)[: outputs + 2]
    AT = np.roll(AT, 1, axis=1)
    return [np.ascontiguousarray(m, dtype) for m in (BT, AT.T, G, AT)]


def toom_cook(outputs, kernel, points):
    """Bᵀ (m,m), G (m,kernel) and Aᵀ (outputs,m), m = outputs + kernel − 1, from m − 1 points and infinity.

    This is the transpose of multiplying polynomials: their product, with m coefficients, is interpolated from the
    products of their values at the points (and at ∞ of their highest coefficients)  [Toom 1963, Cook 1966].
    """
    points = np.array(points, np.float64)
    m = outputs + kernel - 1
    BT = np.zeros((m, m))
    G = np.zeros((m, kernel))
    AT = np.zeros((outputs, m))
    for j, p in enumerate(points):
        others = np.delete(points, j)
        BT[j, :-1] = np.poly(others)[::-1]
        G[j] = p ** np.arange(kernel) / np.prod(p - others)
        AT[:, j] = p ** np.arange(outputs)
    BT[-1] = np.poly(points)[::-1]
    G[-1, -1] = 1
    AT[-1, -1] = 1
    return BT, G, AT


def rows_of(x, chunk, top, k):
    """The rows of x (N,C,H,W) in a chunk's windows, as (n,rows,W·C), and at which of them the first window begins.

    A chunk is (images, first window, last). Windows have k rows, and the first of an image begins `top` rows above it.
    Nothing is copied if x is channels-last.
    """
    images, first, last = chunk
    start = STEP * first - top
    begin = max(start, 0)
    pixels = x[images, :, begin : STEP * (last - 1) - top + k].transpose(0, 2, 3, 1)
    n, rows, W, C = pixels.shape
    return np.ascontiguousarray(pixels).reshape(n, rows, W * C), start - begin


def as_windows(lines, n, Q, columns, left, size):
    """Of lines (m,n·Q·columns), for Q windows in n images, `size` elements of each row after `left` -> (n,Q,m,size)"""
    return lines.reshape(len(lines), n, Q, columns)[..., left : left + size].transpose(1, 2, 0, 3)


def transform(matrix, rows, start, out):
    """out[:, q] = matrix · the k rows from start + 4·q on, where rows outside the image are zeros.

    matrix (m,k), rows (n,H,L) -> out (n,Q,m,L)
    """
    k, (n, H, L), Q = matrix.shape[1], rows.shape, out.shape[1]
    begin = int(start < 0)  # the first q whose k rows are all in the image, and the first after them
    end = max(min((H - k - start) // STEP + 1, Q), begin)
    if n and begin < end:
        image, row, item = rows.strides
        inside = np.ndarray(
            (n, end - begin, k, L), rows.dtype, rows, (start + STEP * begin) * row, (image, STEP * row, row, item)
        )
        np.matmul(matrix, inside, out=out[:, begin:end])
    for q in (*range(begin), *range(end, Q)):
        first = start + STEP * q
        a = max(first, 0)
        b = min(first + k, H)
        np.matmul(matrix[:, a - first : b - first], rows[:, a:b], out=out[:, q])


class Windows(NamedTuple):
    """Neighbouring windows of an axis with equally many outputs."""

    first: int
    number: int
    each: int  # outputs of a window in the image
    full: int  # outputs of the matrices

    which = property(lambda self: slice(self.first, self.first + self.number))
    outputs = property(lambda self: slice(STEP * self.first, STEP * self.first + self.number * self.each))
    positions = property(lambda self: slice(0, self.full + 2))


def windows(size):
    """The Windows of an axis of `size` outputs: whole ones and the rest. A rest alone counts as a whole one."""
    whole, rest = divmod(size, STEP)
    if not whole:
        return [Windows(0, 1, rest, STEP)]
    return [Windows(0, whole, STEP, STEP), Windows(whole, 1, rest, rest)][: 1 + bool(rest)]


def is_3x3(dtype, win):
    """Whether this is a float32 convolution of 3×3 pixels without stride, dilation or groups."""
    return (
        dtype == np.float32
        and max(win.PH, win.PW) <= 2
        and (win.KH, win.KW, win.SH, win.SW, win.DH, win.DW, win.groups) == (3, 3, 1, 1, 1, 1, 1)
    )


def mean_channels(win):
    """The harmonic mean of C and O, because transforms cost 1/C and 1/O of a product of C·O elements."""
    return 2 * win.C * win.O / (win.C + win.O)
