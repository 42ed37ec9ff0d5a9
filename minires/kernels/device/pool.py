"""Pooling: each number of y, and on the way back each number of dx, is one thread's work."""

import cupy

from minires.kernels.device.launch import as_map, pixels
from minires.kernels.device.window import WINDOW, by_rows, numbers

POOL = WINDOW + r"""
// Row b = n·OH + oh of outputs: channel c of each. taps is null where nobody asks for them.
extern "C" __global__ void max_pool(const T* x, Window v, T* y, int* taps) {
    int c = NUMBER, b = blockIdx.x, oh = b % v.OH, n = b / v.OH;
    if (c >= v.C) return;
    EACH_PIXEL(ow, v.OW) {
        T best = 0;
        int tap = -1;
        EACH_TAP(v) {
            T value = x[(((ptrdiff_t)n * v.H + h) * v.W + w) * v.C + c];
            if (tap < 0 || value > best || (value != value && best == best)) { best = value; tap = kh * v.KW + kw; }
        }
        ptrdiff_t i = ((ptrdiff_t)b * v.OW + ow) * v.C + c;
        y[i] = best;
        if (taps) taps[i] = tap;
    }
}

extern "C" __global__ void avg_pool(const T* x, Window v, T* y) {
    int c = NUMBER, b = blockIdx.x, oh = b % v.OH, n = b / v.OH;
    if (c >= v.C) return;
    EACH_PIXEL(ow, v.OW) {
        T sum = 0;
        EACH_TAP(v) sum += x[(((ptrdiff_t)n * v.H + h) * v.W + w) * v.C + c];
        y[((ptrdiff_t)b * v.OW + ow) * v.C + c] = sum / (v.KH * v.KW);
    }
}

// Row b = n·H + h of inputs: channel c of each looks at every window that covers it.
extern "C" __global__ void max_pool_dx(const T* dy, const int* taps, Window v, T* dx) {
    int c = NUMBER, b = blockIdx.x, h = b % v.H, n = b / v.H;
    if (c >= v.C) return;
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) {
            ptrdiff_t i = (((ptrdiff_t)n * v.OH + oh) * v.OW + ow) * v.C + c;
            if (taps[i] == kh * v.KW + kw) sum += dy[i];
        }
        dx[((ptrdiff_t)b * v.W + w) * v.C + c] = sum;
    }
}

extern "C" __global__ void avg_pool_dx(const T* dy, Window v, T* dx) {
    int c = NUMBER, b = blockIdx.x, h = b % v.H, n = b / v.H;
    if (c >= v.C) return;
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) sum += dy[(((ptrdiff_t)n * v.OH + oh) * v.OW + ow) * v.C + c];
        dx[((ptrdiff_t)b * v.W + w) * v.C + c] = sum / (v.KH * v.KW);
    }
}
"""


def max_pool(x, win, taps=True):
    """The greatest value under each window, and if taps which tap it came from, else None.

    x (N,C,H,W) -> y and tap (N,C,OH,OW).
    """
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    tap = cupy.empty(y.shape, cupy.int32) if taps else None
    by_rows(POOL, "max_pool", x.dtype, win.N * win.OH, win.C, pixels(x), numbers(win), y, tap if taps else 0)
    return as_map(y, win.y_shape, like=x), as_map(tap, win.y_shape, like=x) if taps else None


def max_pool_dx(dy, tap, win):
    """Each output's gradient goes to the input that won: dy and tap (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    by_rows(POOL, "max_pool_dx", dy.dtype, win.N * win.H, win.C, pixels(dy), pixels(tap), numbers(win), dx)
    return as_map(dx, win.x_shape, like=dy)


def avg_pool(x, win):
    """The mean under each window, padding counted as zeros: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    by_rows(POOL, "avg_pool", x.dtype, win.N * win.OH, win.C, pixels(x), numbers(win), y)
    return as_map(y, win.y_shape, like=x)


def avg_pool_dx(dy, win, last=None):
    """Each input receives 1/(KH·KW) of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    by_rows(POOL, "avg_pool_dx", dy.dtype, win.N * win.H, win.C, pixels(dy), numbers(win), dx)
    dx = as_map(dx, win.x_shape, like=dy if last is None else None)
    return cupy.ascontiguousarray(dx) if last is False else dx
