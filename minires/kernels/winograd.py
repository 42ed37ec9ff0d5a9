"""Winograd convolution F(4×4,3×3) [Lavin & Gray 2016]: a quarter of the products, for wide 3×3 layers without stride.

    y = Aᵀ [Σ_c (G w Gᵀ) ⊙ (Bᵀ x B)] A        dw = Gᵀ [Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ x B)] G

make 4×4 outputs from a tile of 6×6 pixels, with 36 products for every pair of channels where im2col has 144. What is
in brackets is 36 matrix products; the transforms are additions, one for all tiles and channels of a chunk.

The error, to first order (u = 2⁻²⁴ in float32): no sum below has larger coefficients on its way than its matrix has,
so each of the n roundings between an input and an output adds at most u times the formula in absolute values,

    |error| ≤ n·u·|Aᵀ| [Σ_c (|G||w||Gᵀ|) ⊙ (|Bᵀ||x||B|)] |A|,    n = 20 + C  (for dw alike, n = 20 + tiles),

and where roundings are independent n becomes √n, up to a small factor [Higham & Mary 2019]; the tests assert √n.
In numbers: output p of an axis takes Σ_k |A_kp|·Σ_r|G_kr|·Σ_q|B_qk| = 16, 17, 24 or 48 times max|w|·max|x| where im2col
takes 3, so on two axes the bound is up to 256 and on average 77 times im2col's; signs that vary leave 3 to 9 times.
"""

from dataclasses import replace
from math import prod

import numpy as np

from minires.arrays import empty, empty_map
from minires.kernels.window import Window
from minires.kernels.workers import get_num_threads, scratch, share

TILES = 256  # of a chunk: with fewer, ufuncs are so short that threads wait for the GIL, and products have few rows
WEIGHTS = 1 << 15  # pairs of channels whose weights are transformed at a time: many, again, but still in the cache


def fits(x, win):
    """Whether this is the fastest version, as measured: for wide float32 3×3 layers without stride, with enough tiles.

    Few tiles do not repay the transform of the weights, nor few numbers the calls. Pixels that tiles have beyond the
    map are wasted (here: tiles·16 against OH·OW), which costs more where few channels share a pixel's transform.
    """
    tiles, narrow = prod(_tiles(win)), min(win.C, win.O)
    return (isinstance(x, np.ndarray) and x.dtype == np.float32
            and (win.KH, win.KW, win.SH, win.SW, win.DH, win.DW, win.groups) == (3, 3, 1, 1, 1, 1, 1)
            and max(win.PH, win.PW) <= 2 and narrow >= 64 and win.N * tiles >= max(64, (1 << 15) / narrow)
            and tiles * 8 * (1 + 24 / win.C + 24 / win.O) <= win.OH * win.OW)


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, _filters(w), win)


def conv_dx(dy, w, win):
    """The convolution of dY with the weights turned by 180°: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, _filters(w[:, :, ::-1, ::-1]).swapaxes(1, 2), _back(win))


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""
    def chunk(job):
        return _image(x, win, job).swapaxes(1, 2) @ _gradient(dy, win, job)
    return _filters_back(share(chunk, _chunks(win)), win)


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one transform of dY: in dX = dY ∗ turned W, dY is the picture, and X the gradient for dW."""
    dx, back = empty_map((win.N, win.C, win.H, win.W), like=dy), _back(win)
    U = _filters(w[:, :, ::-1, ::-1]).swapaxes(1, 2)

    def chunk(job):
        V = _image(dy, back, job)
        _map(V, U, dx, back, job)
        return _gradient(x, back, job).swapaxes(1, 2) @ V
    return dx, _filters_back(share(chunk, _chunks(back)), win)[:, :, ::-1, ::-1]


def _conv(x, U, win):
    y = empty_map(win.y_shape, like=x)
    share(lambda job: _map(_image(x, win, job), U, y, win, job), _chunks(win))
    return y


def _back(win):
    return Window.of(win.y_shape, (win.C, win.O, 3, 3), 1, (2 - win.PH, 2 - win.PW))


def _tiles(win):
    return -(-win.OH // 4), -(-win.OW // 4)


def _chunks(win):
    """(pictures, first row of tiles, last row) of each chunk: several whole pictures, or some rows of one."""
    N, threads, (TH, TW) = max(win.N, 1), get_num_threads(), _tiles(win)
    rounds = -(-N // (threads * max(1, TILES // (TH * TW))))
    step = -(-N // (threads * rounds))  # as many chunks for each worker
    rows = -(-TH // max(-(-TH * TW // TILES), -(-threads // N)))
    return [(slice(n, n + step), r, min(r + rows, TH)) for n in range(0, N, step) for r in range(0, TH, rows)]


def _buffer(name, shape, dtype):
    """A part of a buffer that the worker keeps, of a size that many layers can use."""
    size = prod(shape)
    return scratch(("winograd", name), (1 << size.bit_length(),), dtype)[:size].reshape(shape)


def _cut(name, x, win, job, halo=0, copy=True):
    """P[b,n,h,w] = x[n, :, h − PH, 4·w + b − PW], b = 0 … 3: tiles start four columns apart and lie side by side here.

    Gives a view of P with row i of every tile in front, (4,4,n,th,TW,C), or (6,4,n,th,TW + 1,C) with the halo, without
    which there is no padding; and pairs (part of P, part of x), the im2col of a 1×4 kernel.
    """
    (some, first, last), (TH, TW) = job, _tiles(win)
    pixels = x[some].transpose(0, 2, 3, 1)  # (N,C,H,W) -> (N,H,W,C)
    n, H, W, C = pixels.shape
    P = _buffer(name, (4, n, 4 * (last - first) + 2 * halo, TW + halo, C), x.dtype)
    s = P.strides
    rows = np.ndarray((4 + 2 * halo, 4, n, last - first, TW + halo, C), P.dtype, P, 0, (s[2], *s[:2], 4 * s[2], *s[3:]))
    window = replace(win, H=H, W=W, KH=1, KW=4, SW=4, PH=halo and win.PH, PW=halo and win.PW,
                     OH=4 * TH + 2 * halo, OW=TW + halo)
    pairs = [(P[b, :, oh, ow], pixels[:, h, w])
             for _, b, (oh, ow), (h, w) in window.taps(4 * first, 4 * last + 2 * halo)]
    if copy:
        P[...] = 0
        for part, pixels in pairs:
            part[...] = pixels
    return rows, pairs


def _image(x, win, job):
    """V = Bᵀ x B of every tile -> (36,T,C)"""
    rows, _ = _cut("R", x, win, job, halo=1)
    half = _buffer("M", (6, *rows.shape[1:]), x.dtype)
    _BT(rows[0:2], rows[1:3], rows[2:4], rows[4:6], half)
    columns = half.swapaxes(0, 1)
    left, right = columns[..., :-1, :], columns[..., 1:, :]
    V = _buffer("V", (6, *left.shape[1:]), x.dtype)  # its columns in front, and so in U and M
    _BT(left[0:2], left[1:3], left[2:4], right[0:2], V)
    return V.reshape(36, prod(V.shape[2:5]), V.shape[5])


def _gradient(dy, win, job):
    """A dy Aᵀ of every tile -> (36,T,O)"""
    rows, _ = _cut("M", dy, win, job)
    D = _both(_A, rows, _buffer("M", (6, 6, *rows.shape[2:]), dy.dtype).swapaxes(0, 1))
    return D.swapaxes(0, 1).reshape(36, prod(D.shape[2:5]), D.shape[5])


def _map(V, U, y, win, job):
    """y = Aᵀ (V·U) A of every tile: V (36,T,C), U (36,C,O)"""
    rows, pairs = _cut("M", y, win, job, copy=False)
    M = np.matmul(V, U, out=_buffer("M", (36, V.shape[1], U.shape[2]), V.dtype))
    _both(_AT, M.reshape(6, 6, *rows.shape[2:]).swapaxes(0, 1), rows)
    for part, pixels in pairs:
        pixels[...] = part


def _filters(w):
    """U = G w Gᵀ: w (O,C,3,3) -> (36,C,O)"""
    weights = w.transpose(2, 3, 1, 0)  # (O,C,3,3) -> (3,3,C,O)
    U = np.empty((6, 6, *weights.shape[2:]), w.dtype)

    def block(c):
        _both(_G, np.ascontiguousarray(weights[:, :, c]), U[:, :, c].swapaxes(0, 1))
    share(block, _blocks(*weights.shape[2:]))
    return U.reshape(36, *U.shape[2:])


def _filters_back(parts, win):
    """dw = Gᵀ dU G, where dU is the sum of the parts (36,C,O) -> dw (O,C,3,3)"""
    first, *others = (part.reshape(6, 6, win.C, win.O).swapaxes(0, 1) for part in parts)
    dw = empty((win.O, win.C, 3, 3), first.dtype, (2, 3, 1, 0))

    def block(c):
        dU = sum((part[:, :, c] for part in others), start=first[:, :, c])
        _both(_GT, dU, dw[:, c].transpose(2, 3, 1, 0))
    share(block, _blocks(win.C, win.O))
    return dw


def _blocks(C, O):
    step = max(1, WEIGHTS // O)
    return [slice(c, c + step) for c in range(0, C, step)]


def _both(transform, tiles, out):
    """Both axes of a tile, which lie in front: the columns, then the rows."""
    half = _buffer("R", (len(tiles), len(out), *tiles.shape[2:]), tiles.dtype)
    transform(tiles.swapaxes(0, 1), half.swapaxes(0, 1))
    transform(half, out)
    return out


# The transforms of one axis, which lies in front; two planes a call where they do the same. b holds what rows share.

def _butterfly(b, out):
    np.add(b[0:4:2], b[1:4:2], out[1:4:2])
    np.subtract(b[0:4:2], b[1:4:2], out[2:5:2])


def _BT(x01, x12, x23, x45, v):
    """Bᵀ = [4 0 −5 0 1 0 | 0 −4 −4 1 1 0 | 0 4 −4 −1 1 0 | 0 −2 −1 2 1 0 | 0 2 −1 −2 1 0 | 0 4 0 −5 0 1]"""
    b = _buffer("B", (6, *v.shape[1:]), v.dtype)
    np.subtract(x23, x01, b[4:2:-1])  # x2 − x0, x3 − x1
    np.subtract(x45, x23, b[2::3])  # x4 − x2, x5 − x3
    np.multiply(b[4:2:-1], 4, v[0::5])
    np.subtract(b[2::3], v[0::5], v[0::5])
    np.multiply(x12, 3, b[1::-1])
    np.subtract(b[3:1:-1], b[1::-1], b[1::-1])  # x3 − 4x1, x4 − 4x2
    b[3] *= 2
    _butterfly(b, v)


def _AT(m, y):
    """Aᵀ = [1 1 1 1 1 0 | 0 1 −1 2 −2 0 | 0 1 1 4 4 0 | 0 1 −1 8 −8 1]"""
    b = _buffer("B", (4, *m.shape[1:]), m.dtype)
    np.add(m[1:4:2], m[2:5:2], b[0:2])
    np.subtract(m[1:4:2], m[2:5:2], b[2:4])
    np.add(m[0::5], b[0::2], y[0::3])
    b[3] *= 8
    y[0::3] += b[1::2]
    b[1] *= 4
    b[3] *= 1 / 4
    np.add(b[0::2], b[1::2], y[2:0:-1])


def _A(y, m):
    b = _buffer("B", (4, *y.shape[1:]), y.dtype)
    np.add(y[0:2], y[2:4], b[0:2])
    np.multiply(y[2:4], 4, b[2:4])
    b[2:4] += y[0:2]
    b[3] *= 2
    _butterfly(b, m)
    m[0::5] = y[0::3]


def _G(g, u):
    """G = [1/4 0 0 | −1/6 −1/6 −1/6 | −1/6 1/6 −1/6 | 1/24 1/12 1/6 | 1/24 −1/12 1/6 | 0 0 1]"""
    b = _buffer("B", (4, *g.shape[1:]), g.dtype)
    np.add(g[0], g[2], b[0])
    b[0] *= -1 / 6
    np.multiply(g[1], -1 / 6, b[1])
    np.multiply(g[2], 4, b[2])
    b[2] += g[0]
    b[2] *= 1 / 24
    np.multiply(g[1], 1 / 12, b[3])
    _butterfly(b, u)
    np.multiply(g[0], 1 / 4, u[0])
    u[5] = g[2]


def _GT(u, g):
    b = _buffer("B", (4, *u.shape[1:]), u.dtype)
    np.add(u[1:4:2], u[2:5:2], b[0::2])
    np.subtract(u[1:4:2], u[2:5:2], b[1::2])
    b *= 1 / 6
    np.subtract(b[2], b[0], g[2])
    g[2] += u[5]
    b[3] *= 1 / 2
    np.subtract(b[3], b[1], g[1])
    b[2] *= 1 / 4
    np.multiply(u[0], 1 / 4, g[0])
    g[0] -= b[0]
    g[0] += b[2]
