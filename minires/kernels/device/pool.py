"""Pooling: each number of y, and on the way back each number of dx, is one thread's work."""

import cupy

from minires.kernels.device.launch import as_map, pixels
from minires.kernels.device.window import WINDOW, by_rows, numbers

POOL = WINDOW + r"""
// How many values window o of an axis has: what reaches over the padding never counts, the padding itself if asked for.
__device__ int count(int o, int size, int K, int S, int P, bool with_padding) {
    int first = o * S - P, end = min(first + K, with_padding ? size + P : size);
    return end - (with_padding ? first : max(first, 0));
}
#define COUNT (count(oh, v.H, v.KH, v.SH, v.PH, with_padding) * count(ow, v.W, v.KW, v.SW, v.PW, with_padding))

// taps is null where nobody asks for them.
extern "C" __global__ void max_pool(const T* x, Window v, T* y, int* taps) {
    MY_ROW(oh, v.OH)
    EACH_PIXEL(ow, v.OW) {
        T best = -T(1) / T(0);
        int tap = -1;
        EACH_TAP(v) {
            T value = x[INPUT];
            if (tap < 0 || value > best || (value != value && best == best)) { best = value; tap = kh * v.KW + kw; }
        }
        y[OUTPUT] = best;
        if (taps) taps[OUTPUT] = tap;
    }
}

extern "C" __global__ void avg_pool(const T* x, Window v, bool with_padding, T* y) {
    MY_ROW(oh, v.OH)
    EACH_PIXEL(ow, v.OW) {
        T sum = 0;
        EACH_TAP(v) sum += x[INPUT];
        y[OUTPUT] = sum / COUNT;
    }
}

extern "C" __global__ void max_pool_dx(const T* dy, const int* taps, Window v, T* dx) {
    MY_ROW(h, v.H)
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) if (taps[OUTPUT] == kh * v.KW + kw) sum += dy[OUTPUT];
        dx[INPUT] = sum;
    }
}

extern "C" __global__ void avg_pool_dx(const T* dy, Window v, bool with_padding, T* dx) {
    MY_ROW(h, v.H)
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) sum += dy[OUTPUT] / COUNT;
        dx[INPUT] = sum;
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


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, where padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    by_rows(POOL, "avg_pool", x.dtype, win.N * win.OH, win.C, pixels(x), numbers(win),
            bool(count_include_pad), y)
    return as_map(y, win.y_shape, like=x)


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives its share of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    by_rows(POOL, "avg_pool_dx", dy.dtype, win.N * win.H, win.C, pixels(dy), numbers(win),
            bool(count_include_pad), dx)
    return as_map(dx, win.x_shape, like=dy)
