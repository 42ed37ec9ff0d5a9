"""Winograd convolution on both axes [Lavin & Gray 2016]: a quarter of the products, for 3×3 layers without stride.

    y = Aᵀ [Σ_c (G w Gᵀ) ⊙ (Bᵀ x B)] A        dw = Gᵀ [Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ x B)] G        (transforms.py)

make 4×4 outputs from a tile of 6×6 pixels, with 36 products for every pair of channels where im2col has 144. The
brackets are 36 matrix products. The transforms are products too, one axis after the other. The BLAS reads the rows of x
for the first one, and writes the last one into y. This is four times the arithmetic of the sums in the paper, but takes
less time, because in NumPy every sum goes through memory.

If the size of an image is no multiple of 4, its last tiles have fewer outputs, and so fewer positions (transforms.py,
tiles.py). All tiles of 14×14 pixels have 484 positions together, not 576, and those of 7×7 pixels 121, not 144.

The error, to first order (u = 2⁻²⁴ in float32), with the roundings that transforms.py counts, on two axes, and C terms
in the sum over channels:

    |error| ≤ n·u·|Aᵀ| [Σ_c (|G||w||Gᵀ|) ⊙ (|Bᵀ||x||B|)] |A|,    n = 26 + C  (for dw alike, n = 30 + tiles),

and if roundings are independent n becomes √n, up to a small factor  [Higham & Mary 2019]; the tests assert √n.
For output p of an axis Σ_k |A_kp|·Σ_r|G_kr|·Σ_q|B_qk| is 16, 17, 24 or 48 times max|w|·max|x|, where im2col has 3. (In
a window with fewer outputs it is 7 to 24 times.) So on two axes the bound is up to 256 times im2col's, on average 77.
For elements of both signs the root mean square error is 3 to 10 times im2col's.
"""

from itertools import pairwise
from math import prod

import numpy as np

from minires.arrays import empty_feature_map
from minires.kernels.cpu.blas import SMALL, matmul
from minires.kernels.cpu.partition import chunks
from minires.kernels.cpu.threads import buffer, parallel_for, parallel_sum, workers
from minires.kernels.cpu.winograd import one_axis
from minires.kernels.cpu.winograd.tiles import tiling
from minires.kernels.cpu.winograd.transforms import as_windows, is_3x3, matrices, mean_channels, rows_of, transform
from minires.kernels.window import flip_kernel

BLOCK = 64  # output channels whose transformed weights are made and used in the cache,
INPUTS = 256  # for so many input channels at a time
FEW, WIDE = 32, 512  # input and output channels whose gradients are made in the cache: few long rows
TILES = 120  # tiles that a chunk may always have, because fewer take more time
NUMBERS = 240 * BLOCK  # tiles·channels of a chunk at most, so that its products are small (blas.py)
LINE = 16  # elements added to a row of a buffer: rows a power of two apart would fall on the same lines of the cache


def fits(dtype, win):
    """Whether this is the fastest version, as measured: for float32 3×3 layers without stride, with enough to do.

    With few tiles the transform of the weights takes too long, and with few products the calls do.
    """
    return (
        is_3x3(dtype, win)
        and win.products >= 8_000_000
        and win.N * prod(_tiles(win)) >= max(4, min(win.C, win.O) / 64)
        and cost(win) < min(0.9, one_axis.cost(win))
    )


def cost(win):
    """As in one_axis.py. Pixels of tiles beyond the image count in full, although they have fewer positions."""
    return prod(_tiles(win)) * 16 / (win.OH * win.OW) * (0.3 + 13 / mean_channels(win))


def conv(x, w, win, after=None):
    """x (N,C,H,W), w (O,C,3,3) -> y (N,O,OH,OW)."""
    return _conv(x, w.transpose(2, 3, 1, 0), win, after)


def conv_dx(dy, w, win):
    """The convolution of dY with the flipped weights: dy (N,O,OH,OW), w (O,C,3,3) -> dx (N,C,H,W)."""
    return _conv(dy, flip_kernel(w), win.transposed())


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,3,3), in memory (3,3,C,O)."""

    def work(chunk, part):
        V = _input(x, win, chunk)
        return _weights(V, _gradient(dy, win, chunk), win, chunk, part)

    return _whole(_run(work, win, parallel_sum), win).transpose(3, 2, 0, 1)


def conv_dx_dw(dy, x, w, win):
    """Both gradients from one transform of dY. dX = dY ∗ flipped W: dY has the role of x, and X that of dy for dW."""
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    back = win.transposed()
    weights = flip_kernel(w)

    def work(chunk, part):
        V = _input(dy, back, chunk)
        _map(V, weights, dx, back, chunk, _blocks(win.C, part))
        return _weights(_gradient(x, back, chunk), V, back, chunk, part, flipped=True)

    return dx, _whole(_run(work, back, parallel_sum), win).transpose(3, 2, 0, 1)


def _conv(x, w, win, after=None):
    y = empty_feature_map(win.y_shape, like=x, last=True)

    def work(chunk, part):
        (images, first, last) = chunk
        blocks = _blocks(win.O, part)
        _map(_input(x, win, chunk), w, y, win, chunk, blocks)
        if after:
            channels = slice(blocks[0].start, blocks[-1].stop)
            after(y[images, channels, 4 * first : 4 * last], channels)

    _run(work, win)
    return y


def _tiles(win):
    return -(-win.OH // 4), -(-win.OW // 4)


def _run(work, win, run=parallel_for):
    """work(chunk, part) for all chunks of tiles, (images, first row, last row), by parallel_for or parallel_sum.

    If there are few tiles and many channels the workers divide the channels instead, by parts (k,n), the k-th of n.
    """
    (TH, TW) = _tiles(win)
    n = workers(win.products)
    most = max(TILES, NUMBERS // max(win.C, win.O))
    narrow = min(win.C, win.O)
    if n > 1 and most >= win.N * TH * TW and narrow >= n * BLOCK:
        return run(lambda k: work((slice(0, win.N), 0, TH), (k, n)), range(n))
    return run(lambda chunk: work(chunk, (0, 1)), chunks(win.N, TH, TW, most, win.products))


def _blocks(channels, part, most=None):
    """Slices of at most `most` channels (BLOCK), equally large, of the channels of this part."""
    k, n = part
    each = -(-channels // (n * (most or BLOCK)))
    bounds = [channels * i // (n * each) for i in range(k * each, (k + 1) * each + 1)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def _whole(parts, win):
    """Gradients (3,3,C,O) for parts of the tiles, or (3,3,C,O/n) for parts of the channels -> (3,3,C,O)"""
    if parts[0].shape[3] < win.O:
        return np.concatenate(parts, axis=3)
    first, *others = parts
    for other in others:
        first += other
    return first


# Positions of a tile are numbered along both axes, and so V, D, U, M and dU are (6,6,…).


def _buffer(name, rows, columns, dtype):
    return buffer(("winograd", name), (rows, columns + LINE), dtype)[:, :columns]


def _input(x, win, chunk):
    """V = Bᵀ x B of every tile -> (6,6,T,C)"""
    return _transform("V", 0, x, win.PH, win.PW, win, chunk)


def _gradient(dy, win, chunk):
    """D = A dy Aᵀ of every tile -> (6,6,T,O)"""
    return _transform("D", 1, dy, 0, 0, win, chunk)


def _transform(name, kind, x, top, left, win, chunk):
    """matrix · tile · matrixᵀ of the tiles of x (N,C,H,W), 4 pixels apart, after top rows and left columns of zeros.

    First six rows of the image (or four) are a matrix (6,W·C), then six pixels of each result are a matrix (6,C).
    """
    (_, first, last) = chunk
    TW = _tiles(win)[1]
    (_, C, _, W) = x.shape
    kinds = tiling(win, chunk).kinds
    k = matrices(x.dtype)[kind].shape[1]
    rows, start = rows_of(x, chunk, top, k)
    n = len(rows)
    Q = last - first
    columns = 4 * TW + k - 4
    lines = buffer(("winograd", "lines"), (6, n * Q, columns, C), x.dtype)
    lines[:, :, :left] = lines[:, :, left + W :] = 0
    made = as_windows(lines.reshape(6, -1), n, Q, columns * C, left * C, W * C)
    for a in dict.fromkeys(a for a, _, _ in kinds):
        transform(matrices(x.dtype, a.full)[kind], rows, start + 4 * a.first, made[:, a.which, a.positions])
    line, row, pixel, item = lines.strides
    tiles = np.ndarray((6, n, Q, TW, k, C), x.dtype, lines, 0, (line, Q * row, row, 4 * pixel, pixel, item))
    out = _buffer(name, 36, n * Q * TW * C, x.dtype).reshape(6, 6, n * Q * TW, C)
    for a, b, place in kinds:
        matrix = matrices(x.dtype, b.full)[kind]
        pixels = tiles[a.positions, :, a.which, b.which, : matrix.shape[1]]
        made = out[a.positions, b.positions, place]
        made = made.reshape(*made.shape[:2], n, a.number, b.number, C)  # (6,6,n,Q,TW,C)
        np.matmul(matrix, pixels, out=made.transpose(0, 2, 3, 4, 1, 5))
    return out


def _map(V, w, y, win, chunk, blocks):
    """y = Aᵀ (V·U) A of every tile, U = G w Gᵀ: V (6,6,T,C), w (3,3,C,O)"""
    (images, top, bottom) = chunk
    (_, _, T, C) = V.shape
    (kinds, shared) = tiling(win, chunk)
    pixels = y.transpose(0, 2, 3, 1)[images, 4 * top : 4 * bottom]

    def products(name, inputs, block):
        U = _filters(w[:, :, inputs, block])
        M = _buffer(name, 36, T * U.shape[3], V.dtype).reshape(6, 6, T, U.shape[3])
        for a, b, place in shared:
            matmul(V[a, b, place, inputs], U[a, b], M[a, b, place])
        return M

    for block in blocks:
        first, *others = _blocks(C, (0, 1), INPUTS)
        M = products("M", first, block)
        for inputs in others:
            more = products("more of M", inputs, block)
            for index in shared:
                M[index] += more[index]
        _untransform(M, pixels[..., block], kinds)


def _filters(w):
    """U = G w Gᵀ: w (3,3,C,O) -> (6,6,C,O)"""
    (_, _, C, O) = w.shape
    G = matrices(w.dtype)[2]
    w = _in_order(w)
    half, U = (_buffer(name, rows, C * O, w.dtype) for name, rows in (("half U", 18), ("U", 36)))
    np.matmul(G, w.transpose(1, 2, 0, 3), out=half.reshape(6, 3, C, O).transpose(1, 2, 0, 3))
    np.matmul(G, half.reshape(6, 3, -1), out=U.reshape(6, 6, -1))
    return U.reshape(6, 6, C, O)


def _untransform(M, pixels, kinds):
    """pixels = Aᵀ M A: M (6,6,T,O) -> pixels (n,rows,OW,O)"""
    (n, _, _, O), T = pixels.shape, M.shape[2]
    half = _buffer("half M", 24, T * O, M.dtype).reshape(4, 6, T, O)
    for rows, columns, place in kinds:
        first, second = (matrices(M.dtype, kind.full)[3][: kind.each] for kind in (rows, columns))
        (i, a), (j, b), (q, t) = first.shape, second.shape, (rows.number, columns.number)
        sums = half[:i, :b, place]
        np.matmul(first, M[:a, :b, place].swapaxes(0, 1).reshape(b, a, -1), out=sums.swapaxes(0, 1).reshape(b, i, -1))
        tiles = sums.reshape(i, b, n, q, t, O).transpose(2, 3, 0, 4, 1, 5)  # (n,q,i,t,6,O)
        np.matmul(second, tiles, out=pixels[:, rows.outputs, columns.outputs].reshape(n, q, i, t, j, O))


def _in_order(w):
    """w (3,3,C,O) as one piece of memory."""
    if w.strides[3] != w.itemsize:  # transposed: first into a copy whose rows are not a power of two apart
        rows = _buffer("rows", 9 * w.shape[3], w.shape[2], w.dtype).reshape(3, 3, w.shape[3], w.shape[2])
        rows[...] = w.swapaxes(2, 3)
        w = rows.swapaxes(2, 3)
    return np.ascontiguousarray(w)


def _weights(V, D, win, chunk, part, *, flipped=False):
    """dw = Gᵀ (Σ V·D over the tiles) G: V (6,6,T,C), D (6,6,T,O) -> (3,3,C,O), or this part of O"""
    T, C = V.shape[2:]
    blocks = _blocks(D.shape[3], part, max(1, min(WIDE, SMALL // (FEW * max(T, 1)))))
    GT = matrices(V.dtype)[2][:, :: -1 if flipped else 1].T
    first = blocks[0].start
    dw = np.empty((3, 3, C, blocks[-1].stop - first), V.dtype)
    for inputs in _blocks(C, (0, 1), FEW):
        for block in blocks:
            out = dw[:, :, inputs, block.start - first : block.stop - first]
            dU, half = (_buffer(name, rows, out[0, 0].size, V.dtype) for name, rows in (("dU", 36), ("half dU", 18)))
            sums = dU.reshape(6, 6, *out.shape[2:])
            for a, b, place in tiling(win, chunk).shared:
                np.matmul(V[a, b, place, inputs].swapaxes(2, 3), D[a, b, place, block], out=sums[a, b])
            np.matmul(GT, dU.reshape(6, 6, -1), out=half.reshape(6, 3, -1))
            half = half.reshape(6, 3, *out.shape[2:]).transpose(1, 2, 0, 3)  # (3,C,6,O)
            np.matmul(GT, half, out=out.transpose(1, 2, 0, 3))
    return dw
