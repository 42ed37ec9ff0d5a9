"""Winograd convolution F(4×4,3×3) [Lavin & Gray 2016]: a quarter of the products, for 3×3 layers without stride.

    y = Aᵀ [Σ_c (G w Gᵀ) ⊙ (Bᵀ x B)] A        dw = Gᵀ [Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ x B)] G

make 4×4 outputs from a tile of 6×6 pixels, with 36 products for every pair of channels where im2col has 144. What is
in brackets is 36 matrix products. The transforms are products too: with the 36 numbers of a tile as one column,
Bᵀ x B is (Bᵀ⊗Bᵀ)·x, a 36×36 matrix times all tiles and channels. The points ±1 and ±2 halve it: at p the even rows of
a tile and the odd ones give e + o, at −p e − o, so two 18×18 matrices are enough. That is still twice the arithmetic of
the sums that the paper takes it apart into, and less time, for in NumPy every sum is a way through memory.

The error, to first order (u = 2⁻²⁴ in float32): a number meets at most 12 roundings in Bᵀ⊗Bᵀ, 9 in A⊗A, 10 in G⊗G,
whose entries are rounded, 26 in their transposes and C in the sum over channels, and none of these sums has larger
coefficients on its way than its matrix has:

    |error| ≤ n·u·|Aᵀ| [Σ_c (|G||w||Gᵀ|) ⊙ (|Bᵀ||x||B|)] |A|,    n = 48 + C  (for dw alike, n = 48 + tiles),

and where roundings are independent n becomes √n, up to a small factor [Higham & Mary 2019]; the tests assert √n.
In numbers: output p of an axis takes Σ_k |A_kp|·Σ_r|G_kr|·Σ_q|B_qk| = 16, 17, 24 or 48 times max|w|·max|x| where im2col
takes 3, so on two axes the bound is up to 256 and on average 77 times im2col's; signs that vary leave 3 to 9 times.
"""

from functools import cache
from itertools import pairwise
from math import prod

import numpy as np

from minires.arrays import empty_map
from minires.kernels.blas import SMALL, matmul, matmul_wide
from minires.kernels.blocks import chunks
from minires.kernels.pixels import as_items, with_zeros
from minires.kernels.window import turned
from minires.kernels.workers import add_up, buffer, share, workers

BLOCK = 64  # output channels whose transformed weights are made, used and forgotten in the cache
TILES = 120  # that a chunk may have in any case, so that this pays
NUMBERS = 240 * BLOCK  # of one position of a chunk's tiles, tiles·channels: its products are small (blas.py)
LINE = 16  # numbers by which a row of a buffer is longer: rows a power of two apart fall on the same lines of the cache

# At the points 0, 1, 2, ∞, −1, −2, in this order.
BT = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, -2, -1, 2, 1, 0],
               [0, 4, 0, -5, 0, 1], [0, 4, -4, -1, 1, 0], [0, 2, -1, -2, 1, 0]])
G = np.array([[6, 0, 0], [-4, -4, -4], [1, 2, 4], [0, 0, 24], [-4, 4, -4], [1, -2, 4]]) / 24
AT = np.array([[1, 1, 1, 0, 1, 1], [0, 1, 2, 0, -1, -2], [0, 1, 4, 0, 1, 4], [0, 1, 8, 1, -1, -8]])


def fits(x, win):
    """Whether this is the fastest version, as measured: for float32 3×3 layers without stride, with enough to do.

    Few tiles do not repay the transform of the weights, nor few products the calls. Pixels that tiles have beyond the
    map are wasted (here: tiles·16 against OH·OW), which costs more where few channels share a pixel's transform.
    """
    tiles, narrow = prod(_tiles(win)), min(win.C, win.O)
    return (isinstance(x, np.ndarray) and x.dtype == np.float32
            and (win.KH, win.KW, win.SH, win.SW, win.DH, win.DW, win.groups) == (3, 3, 1, 1, 1, 1, 1)
            and max(win.PH, win.PW) <= 2 and narrow >= 16
            and win.N * tiles >= narrow / 32 and win.N * tiles * win.C * win.O >= 400_000
            and tiles * 16 * (0.7 + 2 / win.C + 2 / win.O) <= win.OH * win.OW)


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, w.transpose(2, 3, 1, 0), win)


def conv_dx(dy, w, win):
    """The convolution of dY with the weights turned by 180°: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, turned(w), win.back())


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""
    def work(chunk, part):
        V = _picture(x, win, chunk)
        return _weights(V, _gradient(dy, win, chunk), _blocks(win.O, part))
    return _whole(_share(work, win, add_up), win).transpose(3, 2, 0, 1)


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one transform of dY: in dX = dY ∗ turned W, dY is the picture, and X the gradient for dW."""
    dx, back, weights = empty_map(win.x_shape, like=dy, last=True), win.back(), turned(w)

    def work(chunk, part):
        V = _picture(dy, back, chunk)
        _map(V, weights, dx, back, chunk, _blocks(win.C, part))
        return _weights(_gradient(x, back, chunk), V, _blocks(win.O, part), turned=True)
    return dx, _whole(_share(work, back, add_up), win).transpose(3, 2, 0, 1)


def _conv(x, w, win):
    y = empty_map(win.y_shape, like=x, last=True)
    _share(lambda chunk, part: _map(_picture(x, win, chunk), w, y, win, chunk, _blocks(win.O, part)), win)
    return y


def _tiles(win):
    return -(-win.OH // 4), -(-win.OW // 4)


def _share(work, win, share=share):
    """work(chunk, part) for all chunks of tiles, (pictures, first row, last row), by share() or by add_up().

    Where there are few tiles and many channels workers share the channels instead, by parts (k,n), the k-th of n.
    """
    (TH, TW), n = _tiles(win), workers(win.products)
    most, narrow = max(TILES, NUMBERS // max(win.C, win.O)), min(win.C, win.O)
    if n > 1 and most >= win.N * TH * TW and narrow >= n * BLOCK:
        return share(lambda k: work((slice(0, win.N), 0, TH), (k, n)), range(n))
    return share(lambda chunk: work(chunk, (0, 1)), chunks(win.N, TH, TW, most, win.products))


def _blocks(channels, part):
    """Slices of at most BLOCK channels, equally large, of all or of a part of them."""
    k, n = part
    each = -(-channels // (n * BLOCK))
    bounds = [channels * i // (n * each) for i in range(k * each, (k + 1) * each + 1)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def _whole(parts, win):
    """Gradients (3,3,C,O) of parts of the tiles, or (3,3,C,O/n) of parts of the channels -> (3,3,C,O)"""
    if parts[0].shape[3] < win.O:
        return np.concatenate(parts, axis=3)
    first, *others = parts
    for other in others:
        first += other
    return first


# A tile of size × size numbers is a column, and so a map is a matrix (size²,T·C): of T tiles and C channels.

@cache
def _matrices(dtype):
    """Bᵀ⊗Bᵀ (2,18,18) and A⊗A (2,18,8), each for the even and for the odd rows, G⊗G (36,9) and Aᵀ⊗Aᵀ (16,36)"""
    halves = [np.array([np.kron(m[:3, ::2], m), np.kron(m[3:, 1::2], m)]) for m in (BT, AT.T)]
    return [m.astype(dtype) for m in (*halves, np.kron(G, G), np.kron(AT, AT))]


def _buffer(name, rows, columns, dtype):
    return buffer(("winograd", name), (rows, columns + LINE), dtype)[:, :columns]


def _cut(x, size, top, left, win, job):
    """The tiles of a chunk of x (N,C,H,W), 4 pixels apart, with top rows and left columns of zeros -> (size²,T·C)

    The even rows of a tile come first, then the odd ones.
    """
    (some, first, last), (TH, TW) = job, _tiles(win)
    pixels, more = x[some].transpose(0, 2, 3, 1), size - 4
    map_ = as_items(with_zeros(pixels, 4 * TH + more, 4 * TW + more, top, left, (4 * first, 4 * last + more)))
    n, C = len(pixels), pixels.shape[3]
    tiles = _buffer("tiles", size * size, n * (last - first) * TW * C, x.dtype)
    picture, row, pixel = map_.strides
    windows = np.ndarray((2, size // 2, size, n, last - first, TW), map_.dtype, map_, 4 * first * row,
                         (row, 2 * row, pixel, picture, 4 * row, 4 * pixel))
    as_items(tiles.reshape(*windows.shape, C))[...] = windows
    return tiles


def _picture(x, win, chunk):
    """V = Bᵀ x B of every tile -> (36,T,C)"""
    return _transform("V", _matrices(x.dtype)[0], x, 6, win.PH, win.PW, win, chunk)


def _gradient(dy, win, chunk):
    """A dy Aᵀ of every tile -> (36,T,O)"""
    return _transform("D", _matrices(dy.dtype)[1], dy, 4, 0, 0, win, chunk)


def _transform(name, halves, x, size, top, left, win, chunk):
    """The even rows of each tile times halves[0], the odd ones times halves[1], put together -> (36,T,C)"""
    (pictures, first, last), C = chunk, x.shape[1]
    picture = (last - first) * _tiles(win)[1] * C  # numbers of one position
    start, stop = pictures.start, min(pictures.stop, len(x))
    out = _buffer(name, 36, (stop - start) * picture, x.dtype)
    step = max(1, NUMBERS // picture)
    for n in range(start, stop, step):
        tiles = _cut(x, size, top, left, win, (slice(n, min(n + step, stop)), first, last))
        at, half = (n - start) * picture, len(tiles) // 2
        part = out[:, at:at + tiles.shape[1]]
        matmul_wide(halves[0], tiles[:half], part[:18])  # at 0, 1, 2
        matmul_wide(halves[1], tiles[half:], part[18:])  # at ∞, −1, −2
        even, odd = part[6:18], part[24:]
        difference = np.subtract(even, odd, out=tiles[:12])
        odd += even
        even[...] = difference
    return out.reshape(36, -1, C)


def _map(V, w, y, win, chunk, blocks):
    """y = Aᵀ (V·U) A of every tile, U = G w Gᵀ: V (36,T,C), w (3,3,C,O)"""
    (pictures, first, last), (TH, TW), T = chunk, _tiles(win), V.shape[1]
    *_, G2, A2 = _matrices(V.dtype)
    for block in blocks:
        O = block.stop - block.start
        U = _buffer("U", 36, V.shape[2] * O, V.dtype)
        matmul_wide(G2, _in_order(w[..., block]).reshape(9, -1), U)
        M = _buffer("M", 36, T * O, V.dtype)
        matmul(V, U.reshape(36, -1, O), M.reshape(36, T, O))
        tiles = _buffer("tiles", 16, T * O, V.dtype)
        matmul_wide(A2, M, tiles)
        pixels = y[pictures, block].transpose(0, 2, 3, 1)[:, 4 * first:4 * last]
        whole = pixels
        if (4 * TH, 4 * TW) != (win.OH, win.OW) or not pixels.flags.c_contiguous:
            whole = buffer("winograd map", (len(pixels), 4 * (last - first), 4 * TW, O), V.dtype)
        items = as_items(whole).reshape(len(pixels), last - first, 4, TW, 4).transpose(2, 4, 0, 1, 3)
        items[...] = as_items(tiles.reshape(*items.shape, O))
        if whole is not pixels:
            pixels[...] = whole[:, :pixels.shape[1], :win.OW]


def _in_order(w):
    """w (3,3,C,O) as one piece of memory."""
    if w.strides[3] != w.itemsize:  # transposed: by way of a copy whose rows are not a power of two apart
        rows = _buffer("rows", 9 * w.shape[3], w.shape[2], w.dtype).reshape(3, 3, w.shape[3], w.shape[2])
        rows[...] = w.swapaxes(2, 3)
        w = rows.swapaxes(2, 3)
    return np.ascontiguousarray(w)


def _weights(V, D, blocks, *, turned=False):
    """dw = Gᵀ (Σ V·D over the tiles) G: V (36,T,C), D (36,T,O) -> (3,3,C,O), or as many of O as the blocks have"""
    (_, T, C), first = V.shape, blocks[0].start
    GT = _matrices(V.dtype)[2][:, ::-1 if turned else 1].T
    dw = np.empty((9, C, blocks[-1].stop - first), V.dtype)
    size = 2 * BLOCK if 2 * BLOCK * BLOCK * T <= SMALL else BLOCK
    for some in (slice(c, min(c + size, C)) for c in range(0, C, size)):
        for block in blocks:
            part = dw[:, some, block.start - first:block.stop - first]
            dU, weights = (_buffer(name, rows, part[0].size, V.dtype) for name, rows in (("dU", 36), ("dw", 9)))
            np.matmul(V[..., some].swapaxes(1, 2), D[..., block], out=dU.reshape(36, *part.shape[1:]))
            matmul_wide(GT, dU, weights)
            part[...] = weights.reshape(part.shape)
    return dw.reshape(3, 3, C, -1)
