"""Winograd convolution F(4×4,3×3) [Lavin & Gray 2016]: a quarter of the products, for 3×3 layers without stride.

    y = Aᵀ [Σ_c (G w Gᵀ) ⊙ (Bᵀ x B)] A        dw = Gᵀ [Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ x B)] G

make 4×4 outputs from a tile of 6×6 pixels, with 36 products for every pair of channels where im2col has 144. What is
in brackets is 36 matrix products. The transforms are products too: with the 36 numbers of a tile as one column,
Bᵀ x B is (Bᵀ⊗Bᵀ)·x, one 36×36 matrix times all tiles and channels. That is four times the arithmetic of the sums that
the paper takes it apart into, and half their time, for in NumPy every sum is a way through memory.

The error, to first order (u = 2⁻²⁴ in float32): a number meets at most 16 roundings in Bᵀ⊗Bᵀ or A⊗A, 10 in G⊗G, whose
entries are rounded, 26 in their transposes and C in the sum over channels, and none of these sums has larger
coefficients on its way than its matrix has:

    |error| ≤ n·u·|Aᵀ| [Σ_c (|G||w||Gᵀ|) ⊙ (|Bᵀ||x||B|)] |A|,    n = 58 + C  (for dw alike, n = 58 + tiles),

and where roundings are independent n becomes √n, up to a small factor [Higham & Mary 2019]; the tests assert √n.
In numbers: output p of an axis takes Σ_k |A_kp|·Σ_r|G_kr|·Σ_q|B_qk| = 16, 17, 24 or 48 times max|w|·max|x| where im2col
takes 3, so on two axes the bound is up to 256 and on average 77 times im2col's; signs that vary leave 3 to 9 times.
"""

from functools import cache
from math import prod

import numpy as np

from minires.arrays import empty, empty_map
from minires.kernels.pixels import as_items, with_zeros
from minires.kernels.window import Window
from minires.kernels.workers import buffer, chunks, share

NUMBERS = 1 << 14  # of one position of all tiles of a chunk, tiles·channels
LINE = 16  # numbers by which a row of a buffer is longer: rows a power of two apart fall on the same lines of the cache

BT = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
               [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
AT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


def fits(x, win):
    """Whether this is the fastest version, as measured: for float32 3×3 layers without stride, with enough to do.

    Few tiles do not repay the transform of the weights, nor few products the calls. Pixels that tiles have beyond the
    map are wasted (here: tiles·16 against OH·OW), which costs more where few channels share a pixel's transform.
    """
    tiles, narrow = prod(_tiles(win)), min(win.C, win.O)
    return (isinstance(x, np.ndarray) and x.dtype == np.float32
            and (win.KH, win.KW, win.SH, win.SW, win.DH, win.DW, win.groups) == (3, 3, 1, 1, 1, 1, 1)
            and max(win.PH, win.PW) <= 2 and narrow >= 16
            and win.N * tiles >= narrow / 8 and win.N * tiles * win.C * win.O >= 400_000
            and tiles * 16 * (0.7 + 2 / win.C + 2 / win.O) <= win.OH * win.OW)


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, _filters(w), win)


def conv_dx(dy, w, win):
    """The convolution of dY with the weights turned by 180°: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, _filters(w, turned=True).swapaxes(1, 2), _back(win))


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""
    def chunk(job):
        return _picture(x, win, job).swapaxes(1, 2) @ _gradient(dy, win, job)
    return _filters_back(share(chunk, _chunks(win)), win)


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one transform of dY: in dX = dY ∗ turned W, dY is the picture, and X the gradient for dW."""
    dx, back = empty_map((win.N, win.C, win.H, win.W), like=dy), _back(win)
    U = _filters(w, turned=True).swapaxes(1, 2)

    def chunk(job):
        V = _picture(dy, back, job)
        _map(V, U, dx, back, job)
        return _gradient(x, back, job).swapaxes(1, 2) @ V
    return dx, _filters_back(share(chunk, _chunks(back)), win, turned=True)


def _conv(x, U, win):
    y = empty_map(win.y_shape, like=x)
    share(lambda job: _map(_picture(x, win, job), U, y, win, job), _chunks(win))
    return y


def _back(win):
    return Window.of(win.y_shape, (win.C, win.O, 3, 3), 1, (2 - win.PH, 2 - win.PW))


def _tiles(win):
    return -(-win.OH // 4), -(-win.OW // 4)


def _chunks(win):
    return chunks(win.N, *_tiles(win), NUMBERS // max(win.C, win.O, 64))


# A tile of size × size numbers is a column, and so a map is a matrix (size²,T·C): of T tiles and C channels.

@cache
def _matrices(dtype):
    """Bᵀ⊗Bᵀ (36,36), G⊗G (36,9) and Aᵀ⊗Aᵀ (16,36)"""
    return [np.kron(m, m).astype(dtype) for m in (BT, G, AT)]


def _buffer(name, rows, columns, dtype):
    return buffer(("winograd", name), (rows, columns + LINE), dtype)[:, :columns]


def _cut(x, size, top, left, win, job):
    """The tiles of a chunk of x (N,C,H,W), 4 pixels apart, with top rows and left columns of zeros -> (size²,T·C)"""
    (some, first, last), (TH, TW) = job, _tiles(win)
    pixels, more = x[some].transpose(0, 2, 3, 1), size - 4
    map_ = as_items(with_zeros(pixels, 4 * TH + more, 4 * TW + more, top, left, (4 * first, 4 * last + more)))
    n, C = len(pixels), pixels.shape[3]
    tiles = _buffer("tiles", size * size, n * (last - first) * TW * C, x.dtype)
    picture, row, pixel = map_.strides
    windows = np.ndarray((size, size, n, last - first, TW), map_.dtype, map_, 4 * first * row,
                         (row, pixel, picture, 4 * row, 4 * pixel))
    as_items(tiles.reshape(*windows.shape, C))[...] = windows
    return tiles


def _picture(x, win, job):
    """V = Bᵀ x B of every tile -> (36,T,C)"""
    tiles = _cut(x, 6, win.PH, win.PW, win, job)
    V = np.matmul(_matrices(x.dtype)[0], tiles, out=_buffer("V", *tiles.shape, x.dtype))
    return V.reshape(36, -1, x.shape[1])


def _gradient(dy, win, job):
    """A dy Aᵀ of every tile -> (36,T,O)"""
    tiles = _cut(dy, 4, 0, 0, win, job)
    D = np.matmul(_matrices(dy.dtype)[2].T, tiles, out=_buffer("M", 36, tiles.shape[1], dy.dtype))
    return D.reshape(36, -1, dy.shape[1])


def _map(V, U, y, win, job):
    """y = Aᵀ (V·U) A of every tile: V (36,T,C), U (36,C,O)"""
    (some, first, last), (TH, TW) = job, _tiles(win)
    T, O = V.shape[1], U.shape[2]
    M = _buffer("M", 36, T * O, V.dtype)
    np.matmul(V, U, out=M.reshape(36, T, O))
    tiles = np.matmul(_matrices(V.dtype)[2], M, out=_buffer("tiles", 16, T * O, V.dtype))
    pixels = y[some].transpose(0, 2, 3, 1)[:, 4 * first:4 * last]
    whole = pixels
    if (4 * TH, 4 * TW) != (win.OH, win.OW) or not pixels.flags.c_contiguous:
        whole = buffer("winograd map", (len(pixels), 4 * (last - first), 4 * TW, O), V.dtype)
    items = as_items(whole).reshape(len(pixels), last - first, 4, TW, 4).transpose(2, 4, 0, 1, 3)
    items[...] = as_items(tiles.reshape(*items.shape, O))
    if whole is not pixels:
        pixels[...] = whole[:, :pixels.shape[1], :win.OW]


def _filters(w, *, turned=False):
    """U = G w Gᵀ: w (O,C,3,3) -> (36,C,O)"""
    O, C = w.shape[:2]
    weights = w.transpose(2, 3, 1, 0).reshape(9, C * O)  # a copy if it does not lie in memory so
    G2 = _matrices(w.dtype)[1][:, ::-1 if turned else 1]
    U = np.empty((36, C * O + LINE), w.dtype)[:, :C * O]

    def block(some):
        np.matmul(G2, weights[:, some], out=U[:, some])
    share(block, _blocks(C * O))
    return U.reshape(36, C, O)


def _filters_back(parts, win, *, turned=False):
    """dw = Gᵀ dU G, where dU is the sum of the parts (36,C,O) -> dw (O,C,3,3)"""
    dw = empty((win.O, win.C, 3, 3), parts[0].dtype, (2, 3, 1, 0))
    weights = dw.transpose(2, 3, 1, 0).reshape(9, -1)
    GT = _matrices(dw.dtype)[1][:, ::-1 if turned else 1].T
    first, *others = (part.reshape(36, -1) for part in parts)

    def block(some):
        np.matmul(GT, sum((part[:, some] for part in others), start=first[:, some]), out=weights[:, some])
    share(block, _blocks(win.C * win.O))
    return dw


def _blocks(size):
    """Slices of the pairs of channels; what few of them take is not worth waking a worker."""
    return [slice(a, a + NUMBERS) for a in range(0, size, NUMBERS)]
