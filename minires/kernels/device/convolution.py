"""Convolution: im2col and col2im by one launch each, and matrix products between them.

    Y = im2col(X) · W        dX = col2im(dY · Wᵀ)        dW = im2col(X)ᵀ · dY

with X (P,C) of pixels, columns (P,K), W (K,O), K = KH·KW·C in the order (kh,kw,c). Weights lie in memory as
(KH,KW,C,O), so that W is a view of them; transposed matrices are views, too, which the BLAS reads as they lie. For a
1×1 convolution without stride the columns are the pixels.
"""

import cupy

from minires.arrays import empty
from minires.kernels.device.launch import as_feature_map, pixels, product
from minires.kernels.device.norm import normalize
from minires.kernels.device.window import WINDOW, as_struct, by_rows

COLUMN_BYTES = 1 << 29  # bytes of columns at a time

COLUMNS = (
    WINDOW
    + r"""
// A row of outputs: element k = (kh·KW + kw)·C + c of the columns of each.
extern "C" __global__ void im2col(const T* x, Window v, T* cols) {
    int K = v.KH * v.KW * v.C, k = INDEX, n = blockIdx.x / v.OH, oh = blockIdx.x % v.OH;
    if (k >= K) return;
    int c = k % v.C, kw = k / v.C % v.KW, kh = k / v.C / v.KW, h, w;
    bool row_is_inside = is_inside(oh * v.SH + kh * v.DH - v.PH, v.H, h);
    T* col = cols + (ptrdiff_t)blockIdx.x * v.OW * K + k;
    EACH_PIXEL(ow, v.OW) {
        bool both = is_inside(ow * v.SW + kw * v.DW - v.PW, v.W, w) && row_is_inside;
        col[(ptrdiff_t)ow * K] = both ? x[INPUT] : T(0);
    }
}

// A row of inputs: channel c of each gathers from every window that covers it.
extern "C" __global__ void col2im(const T* cols, Window v, T* x) {
    MY_ROW(h, v.H)
    int K = v.KH * v.KW * v.C;
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) sum += cols[(((ptrdiff_t)n * v.OH + oh) * v.OW + ow) * K + (kh * v.KW + kw) * v.C + c];
        x[INPUT] = sum;
    }
}
"""
)


def conv(x, w, win):
    """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.O), x.dtype)
    for rows, images in _parts(x, win):
        product(_columns(x[images], win), _matrix(w, win), out=y[rows])
    return as_feature_map(y, win.y_shape)


def conv_affine(x, w, win, factor, constant, relu=False):
    """factor·conv(x, w, win) + constant, or with relu its ReLU; factor (None for 1) and constant (O,)."""
    zero = cupy.zeros(win.O)
    one = cupy.ones(win.O)
    return normalize(conv(x, w, win), zero, one if factor is None else factor, one, constant, relu)


def conv_dx(dy, w, win):
    """dy (N,O,OH,OW), w (O,C,KH,KW) -> dx (N,C,H,W)."""
    W = _matrix(w, win).T
    parts = [_pixels(product(pixels(dy[images]), W), win) for _, images in _parts(dy, win)]
    dx = parts[0] if len(parts) == 1 else cupy.concatenate(parts)
    return as_feature_map(dx, win.x_shape)


def conv_dw(dy, x, win):
    """dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW), in memory (KH,KW,C,O)."""
    dw = empty((win.O, win.C, win.KH, win.KW), x.dtype, (2, 3, 1, 0), cupy)
    rows = _matrix(dw, win)
    for i, (_, images) in enumerate(_parts(x, win)):
        dY = pixels(dy[images])
        cols = _columns(x[images], win)
        if i == 0:
            product(cols.T, dY, out=rows)
        else:
            rows += product(cols.T, dY)
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def _parts(x, win):
    """(rows of y, images) whose columns are made at a time; all at once for a 1×1 convolution."""
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
    K = win.KH * win.KW * win.C
    cols = cupy.empty((len(x) * win.OH * win.OW, K), x.dtype)
    by_rows(COLUMNS, "im2col", x.dtype, len(x) * win.OH, K, pixels(x), as_struct(win), cols)
    return cols


def _pixels(cols, win):
    """col2im: cols (n·OH·OW,K) -> x (n·H·W,C)"""
    if win.is_pointwise:
        return cols
    rows = len(cols) // (win.OH * win.OW) * win.H
    x = cupy.empty((rows * win.W, win.C), cols.dtype)
    by_rows(COLUMNS, "col2im", x.dtype, rows, win.C, cols, as_struct(win), x)
    return x
