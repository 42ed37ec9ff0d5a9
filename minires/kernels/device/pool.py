"""Pooling: each number of y, and on the way back each number of dx, is one thread's work."""

import cupy

from minires.kernels.device.launch import GEOMETRY, as_map, elementwise, geometry, pixels

# i = ((n·OH + oh)·OW + ow)·C + c
AN_OUTPUT = """
int c = i % C;  ptrdiff_t r = i / C;
int ow = r % OW;  r /= OW;
int oh = r % OH;  ptrdiff_t n = r / OH;
"""
EACH_TAP = """
for (int kh = 0; kh < KH; ++kh) for (int kw = 0; kw < KW; ++kw) {
    int h = oh * SH + kh - PH, w = ow * SW + kw - PW;
    if (h < 0 || h >= H || w < 0 || w >= W) continue;
    T v = x[((n * H + h) * W + w) * C + c];
"""
# i = ((n·H + h)·W + w)·C + c; every window (oh,ow) that covers it is looked at: no atomics
AN_INPUT = """
int c = i % C;  ptrdiff_t r = i / C;
int w = r % W;  r /= W;
int h = r % H;  ptrdiff_t n = r / H;
T sum = 0;
for (int kh = 0; kh < KH; ++kh) {
    int oh = h + PH - kh;
    if (oh < 0 || oh % SH || (oh /= SH) >= OH) continue;
    for (int kw = 0; kw < KW; ++kw) {
        int ow = w + PW - kw;
        if (ow < 0 || ow % SW || (ow /= SW) >= OW) continue;
        ptrdiff_t at = ((n * OH + oh) * OW + ow) * C + c;
"""


def max_pool(x, win, taps=True):
    """The greatest value under each window, and if taps which tap it came from, else None.

    x (N,C,H,W) -> y and tap (N,C,OH,OW).
    """
    y, tap = (cupy.empty((win.N * win.OH * win.OW, win.C), dtype) for dtype in (x.dtype, cupy.int32))
    elementwise(f"raw T x, {GEOMETRY}", "T y, int32 tap",
                AN_OUTPUT + "T best = 0; int winner = -1;" + EACH_TAP +
                "if (winner < 0 || v > best || (v != v && best == best)) { best = v; winner = kh * KW + kw; } }"
                "y = best; tap = winner", "max_pool")(pixels(x).ravel(), *geometry(win), y.ravel(), tap.ravel())
    return as_map(y, win.y_shape, like=x), as_map(tap, win.y_shape, like=x) if taps else None


def max_pool_dx(dy, tap, win):
    """Each output's gradient goes to the input that won: dy and tap (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    elementwise(f"raw T dy, raw int32 tap, {GEOMETRY}", "T dx",
                AN_INPUT + "if (tap[at] == kh * KW + kw) sum += dy[at]; } } dx = sum", "max_pool_dx")(
                    pixels(dy).ravel(), pixels(tap).ravel(), *geometry(win), dx.ravel())
    return as_map(dx, (win.N, win.C, win.H, win.W), like=dy)


def avg_pool(x, win):
    """The mean under each window, padding counted as zeros: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = cupy.empty((win.N * win.OH * win.OW, win.C), x.dtype)
    elementwise(f"raw T x, {GEOMETRY}", "T y", AN_OUTPUT + "T sum = 0;" + EACH_TAP + "sum += v; } y = sum / (KH * KW)",
                "avg_pool")(pixels(x).ravel(), *geometry(win), y.ravel())
    return as_map(y, win.y_shape, like=x)


def avg_pool_dx(dy, win, channels_last=False):
    """Each input receives 1/(KH·KW) of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = cupy.empty((win.N * win.H * win.W, win.C), dy.dtype)
    elementwise(f"raw T dy, {GEOMETRY}", "T dx", AN_INPUT + "sum += dy[at]; } } dx = sum / (KH * KW)", "avg_pool_dx")(
        pixels(dy).ravel(), *geometry(win), dx.ravel())
    return as_map(dx, (win.N, win.C, win.H, win.W), None if channels_last else dy)
