"""For all kernels with a window: the window as a struct, and how blocks of threads divide the rows of an image."""

from functools import lru_cache

import numpy as np

from minires.kernels.device.launch import THREADS, raw

FIELDS = ("C", "H", "W", "OH", "OW", "KH", "KW", "SH", "SW", "PH", "PW", "DH", "DW")

WINDOW = (
    f"struct Window {{ int {', '.join(FIELDS)}; }};"
    + r"""

// A block has one image row, blockIdx.x = n·H + h. Its thread (tx,ty) has element blockIdx.y·blockDim.x + tx of each
// of the row's pixels w = ty, ty + blockDim.y, …. So neighbouring threads have neighbouring elements, and what does
// not depend on w is computed once.
#define INDEX (blockIdx.y * blockDim.x + threadIdx.x)
#define MY_ROW(h, H) int c = INDEX, n = blockIdx.x / H, h = blockIdx.x % H; if (c >= v.C) return;
#define EACH_PIXEL(w, W) for (int w = threadIdx.y; w < W; w += blockDim.y)

// Indices into inputs, x or dx, and into outputs, y or dy.
#define INPUT ((((ptrdiff_t)n * v.H + h) * v.W + w) * v.C + c)
#define OUTPUT ((((ptrdiff_t)n * v.OH + oh) * v.OW + ow) * v.C + c)

// Output oh meets input h = oh·SH + kh·DH − PH, if there is one; and so for w.
__device__ bool is_inside(int h_, int H, int& h) { h = h_; return 0 <= h && h < H; }
#define EACH_ELEMENT(v) \
    for (int kh = 0, h; kh < v.KH; ++kh) if (is_inside(oh * v.SH + kh * v.DH - v.PH, v.H, h)) \
        for (int kw = 0, w; kw < v.KW; ++kw) if (is_inside(ow * v.SW + kw * v.DW - v.PW, v.W, w))

// In the other direction: the windows that cover input (h,w), oh = (h + PH − kh·DH)/SH where that is an integer. One
// thread takes them in this order, so that its sum has the same bits every time, without atomics.
__device__ bool is_multiple(int reach, int S, int OH, int& oh) {
    oh = S == 1 ? reach : reach / S;  // a division is some 25 operations
    return reach >= 0 && oh * S == reach && oh < OH;
}
#define EACH_WINDOW(v) \
    for (int kh = 0, oh; kh < v.KH; ++kh) if (is_multiple(h + v.PH - kh * v.DH, v.SH, v.OH, oh)) \
        for (int kw = 0, ow; kw < v.KW; ++kw) if (is_multiple(w + v.PW - kw * v.DW, v.SW, v.OW, ow))
"""
)


@lru_cache(maxsize=1024)
def as_struct(win):
    """A window for a kernel that takes a `Window v`: a scalar, because CuPy passes one in 2 µs, but an array in 17."""
    return np.array(tuple(getattr(win, name) for name in FIELDS), [(name, np.int32) for name in FIELDS])[()]


def by_rows(source, name, dtype, rows, width, *arguments):
    """Launch the kernel `name` of a source that begins with WINDOW, for `rows` rows of pixels of `width` elements."""
    if rows and width:
        blocks = -(-width // THREADS)
        tx = -(-width // blocks)
        raw(source, name, dtype)((rows, blocks), (tx, THREADS // tx), arguments)
