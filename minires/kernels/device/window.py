"""What kernels with a window share: its numbers, and how a map's rows are dealt to blocks of threads."""

from functools import lru_cache

import numpy as np

from minires.kernels.device.launch import THREADS, raw

NUMBERS = ("C", "H", "W", "OH", "OW", "KH", "KW", "SH", "SW", "PH", "PW", "DH", "DW")

WINDOW = (
    f"struct Window {{ int {', '.join(NUMBERS)}; }};"
    + r"""

// A block has one row of a map, blockIdx.x = n·H + h; its thread (tx,ty) has number blockIdx.y·blockDim.x + tx of each
// of the row's pixels w = ty, ty + blockDim.y, …. So neighbouring threads have neighbouring numbers, and what does
// not depend on w is computed once.
#define NUMBER (blockIdx.y * blockDim.x + threadIdx.x)
#define MY_ROW(h, H) int c = NUMBER, n = blockIdx.x / H, h = blockIdx.x % H; if (c >= v.C) return;
#define EACH_PIXEL(w, W) for (int w = threadIdx.y; w < W; w += blockDim.y)

// Places in a map of inputs, x or dx, and in one of outputs, y or dy.
#define INPUT ((((ptrdiff_t)n * v.H + h) * v.W + w) * v.C + c)
#define OUTPUT ((((ptrdiff_t)n * v.OH + oh) * v.OW + ow) * v.C + c)

// Output oh meets input h = oh·SH + kh·DH − PH, if there is one; and so for w.
__device__ bool is_inside(int h_, int H, int& h) { h = h_; return 0 <= h && h < H; }
#define EACH_TAP(v) \
    for (int kh = 0, h; kh < v.KH; ++kh) if (is_inside(oh * v.SH + kh * v.DH - v.PH, v.H, h)) \
        for (int kw = 0, w; kw < v.KW; ++kw) if (is_inside(ow * v.SW + kw * v.DW - v.PW, v.W, w))

// The other way round: the windows that cover input (h,w), oh = (h + PH − kh·DH)/SH where that is a whole number. One
// thread goes through them in this order, so that what it adds up is the same every time, without atomics.
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
def numbers(win):
    """A window for a kernel that takes a `Window v`: a scalar, which CuPy passes in 2 µs, and an array in 17."""
    return np.array(tuple(getattr(win, name) for name in NUMBERS), [(name, np.int32) for name in NUMBERS])[()]


def by_rows(source, name, dtype, rows, width, *arguments):
    """Launch the kernel `name` of a source that begins with WINDOW, for `rows` rows of pixels of `width` numbers."""
    if rows and width:
        blocks = -(-width // THREADS)
        tx = -(-width // blocks)
        raw(source, name, dtype)((rows, blocks), (tx, THREADS // tx), arguments)
