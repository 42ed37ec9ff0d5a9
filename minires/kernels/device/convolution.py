"""Convolution: im2col and col2im by one launch each, and matrix products between them.

    Y = im2col(X) · W        dX = col2im(dY · Wᵀ)        dW = im2col(X)ᵀ · dY

with X (P,C) of pixels, columns (P,K), W (K,O), K = KH·KW·C in the order (kh,kw,c). Weights lie in memory as
(KH,KW,C,O), so that W is a view of them; transposed matrices are views, too, which the BLAS reads as they lie. For a
1×1 convolution without stride the columns are the pixels.
"""

import cupy

from minires.arrays import empty
from minires.kernels.device.launch import GEOMETRY, as_map, elementwise, geometry, pixels, product

COLUMN_BYTES = 1 << 29  # of columns at a time

IM2COL = """
// i = (((n·OH + oh)·OW + ow)·KH·KW + kh·KW + kw)·C + c: neighbouring threads read neighbouring channels
int c = i % C;  ptrdiff_t r = i / C;
int kw = r % KW;  r /= KW;
int kh = r % KH;  r /= KH;
int ow = r % OW;  r /= OW;
int oh = r % OH;  ptrdiff_t n = r / OH;
int h = oh * SH + kh * DH - PH, w = ow * SW + kw * DW - PW;
col = h >= 0 && h < H && w >= 0 && w < W ? x[((n * H + h) * W + w) * C + c] : T(0);
"""

COL2IM = """
// i = ((n·H + h)·W + w)·C + c gathers from every window that covers (h,w): h = oh·SH + kh·DH − PH, and so for w.
// Each number is added up by one thread, tap by tap: no atomics, the same sum every time.
int c = i % C;  ptrdiff_t r = i / C;
int w = r % W;  r /= W;
int h = r % H;  ptrdiff_t n = r / H;
T sum = 0;
for (int kh = 0; kh < KH; ++kh) {
    int oh = h + PH - kh * DH;
    if (oh < 0 || oh % SH || (oh /= SH) >= OH) continue;
    for (int kw = 0; kw < KW; ++kw) {
        int ow = w + PW - kw * DW;
        if (ow < 0 || ow % SW || (ow /= SW) >= OW) continue;
        sum += cols[(((n * OH + oh) * OW + ow) * KH * KW + kh * KW + kw) * C + c];
    }
}
x = sum;
"""


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW) in x's memory format."""
    y = cupy.empty((win.N * win.OH * win.OW, win.O), x.dtype)
    for some, pictures in _parts(x, win):
        product(_columns(x[pictures], win), _matrix(w, win), out=y[some])
    return as_map(y, win.y_shape, like=x)


def conv_dx(dy, w, win):
    """dy (N,O,OH,OW), w (O,C,KH,KW) -> dx (N,C,H,W) in dy's memory format."""
    W = _matrix(w, win).T
    parts = [_pixels(product(pixels(dy[pictures]), W), win) for _, pictures in _parts(dy, win)]
    dx = parts[0] if len(parts) == 1 else cupy.concatenate(parts)
    return as_map(dx, (win.N, win.C, win.H, win.W), like=dy)


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW), in memory (KH,KW,C,O)."""
    dw = empty((win.O, win.C, win.KH, win.KW), x.dtype, (2, 3, 1, 0), cupy)
    rows = _matrix(dw, win)
    for i, (_, pictures) in enumerate(_parts(x, win)):
        dY, cols = pixels(dy[pictures]), _columns(x[pictures], win)
        if i == 0:
            product(cols.T, dY, out=rows)
        else:
            rows += product(cols.T, dY)
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def _parts(x, win):
    """(rows of y, pictures) of which the columns are made at a time; all at once for a 1×1 convolution."""
    P = win.OH * win.OW
    step = win.N if win.is_pointwise else max(1, COLUMN_BYTES // (P * win.KH * win.KW * win.C * x.itemsize))
    step = max(step, 1)
    return [(slice(n * P, (n + step) * P), slice(n, n + step)) for n in range(0, max(win.N, 1), step)]


def _matrix(w, win):
    """w (O,C,KH,KW) -> (K,O), a view where the weights lie in memory as (KH,KW,C,O)."""
    return w.transpose(2, 3, 1, 0).reshape(-1, win.O)


def _columns(x, win):
    """im2col: x (n,C,H,W) -> (n·OH·OW,K)"""
    if win.is_pointwise:
        return pixels(x)
    cols = cupy.empty((len(x) * win.OH * win.OW, win.KH * win.KW * win.C), x.dtype)
    elementwise(f"raw T x, {GEOMETRY}", "T col", IM2COL, "im2col")(pixels(x).ravel(), *geometry(win), cols.ravel())
    return cols


def _pixels(cols, win):
    """col2im: cols (n·OH·OW,K) -> x (n·H·W,C)"""
    if win.is_pointwise:
        return cols
    x = cupy.empty((len(cols) // (win.OH * win.OW) * win.H * win.W, win.C), cols.dtype)
    elementwise(f"raw T cols, {GEOMETRY}", "T x", COL2IM, "col2im")(cols.ravel(), *geometry(win), x.ravel())
    return x
