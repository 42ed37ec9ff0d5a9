"""Pooling: a thread computes whole elements of y, and whole elements of dx in backward."""

import cupy

from minires.kernels.device.launch import as_feature_map, pixels
from minires.kernels.device.window import WINDOW, as_struct, by_rows

POOL = (
    WINDOW
    + r"""
// How many elements window o of an axis has. Padding counts with_padding; what lies beyond it never counts.
__device__ int count(int o, int size, int K, int S, int P, bool with_padding) {
    int first = o * S - P, end = min(first + K, with_padding ? size + P : size);
    return end - (with_padding ? first : max(first, 0));
}
#define COUNT (count(oh, v.H, v.KH, v.SH, v.PH, with_padding) * count(ow, v.W, v.KW, v.SW, v.PW, with_padding))

extern "C" __global__ void max_pool(const T* x, Window v, T* y) {
    MY_ROW(oh, v.OH)
    EACH_PIXEL(ow, v.OW) {
        T best = -T(1) / T(0);
        EACH_ELEMENT(v) {
            T value = x[INPUT];
            if (value > best || value != value) best = value;
        }
        y[OUTPUT] = best;
    }
}

extern "C" __global__ void max_pool_argmax(const T* x, const T* y, Window v, int* argmax) {
    MY_ROW(oh, v.OH)
    EACH_PIXEL(ow, v.OW) {
        T best = y[OUTPUT];
        int first = -1;
        EACH_ELEMENT(v) {
            T value = x[INPUT];
            if (first < 0 && (value == best || (value != value && best != best))) first = kh * v.KW + kw;
        }
        argmax[OUTPUT] = first;
    }
}

extern "C" __global__ void avg_pool(const T* x, Window v, bool with_padding, T* y) {
    MY_ROW(oh, v.OH)
    EACH_PIXEL(ow, v.OW) {
        T sum = 0;
        EACH_ELEMENT(v) sum += x[INPUT];
        y[OUTPUT] = sum / COUNT;
    }
}

extern "C" __global__ void max_pool_dx(const T* dy, const int* argmax, Window v, T* dx) {
    MY_ROW(h, v.H)
    EACH_PIXEL(w, v.W) {
        T sum = 0;
        EACH_WINDOW(v) if (argmax[OUTPUT] == kh * v.KW + kw) sum += dy[OUTPUT];
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
)


def max_pool(x, win):
    """The maximum under each window: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    by_rows(POOL, "max_pool", x.dtype, win.N * win.OH, win.C, pixels(x), as_struct(win), y)
    return as_feature_map(y, win.y_shape, like=x)


def max_pool_argmax(x, y, win):
    """kh·KW + kw of the first kernel element where x is y, for each window -> (N,C,OH,OW)."""
    argmax = cupy.empty((win.N * win.OH * win.OW, win.C), cupy.int32)
    by_rows(POOL, "max_pool_argmax", x.dtype, win.N * win.OH, win.C, pixels(x), pixels(y), as_struct(win), argmax)
    return as_feature_map(argmax, win.y_shape, like=x)


def max_pool_dx(dy, argmax, win):
    """The gradient of each output goes to its argmax, all of it: dy and argmax (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    by_rows(POOL, "max_pool_dx", dy.dtype, win.N * win.H, win.C, pixels(dy), pixels(argmax), as_struct(win), dx)
    return as_feature_map(dx, win.x_shape, like=dy)


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, in which padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    by_rows(POOL, "avg_pool", x.dtype, win.N * win.OH, win.C, pixels(x), as_struct(win), bool(count_include_pad), y)
    return as_feature_map(y, win.y_shape, like=x)


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives dy/m from every window of m elements that contains it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    by_rows(
        POOL, "avg_pool_dx", dy.dtype, win.N * win.H, win.C, pixels(dy), as_struct(win), bool(count_include_pad), dx
    )
    return as_feature_map(dx, win.x_shape, like=dy)
