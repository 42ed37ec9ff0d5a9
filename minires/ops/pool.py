"""Pooling: the maximum or the mean under a window."""

from minires import kernels
from minires.arrays import array_module, empty, layout_of, memory_order
from minires.errors import ShapeError
from minires.kernels import Window
from minires.kernels.window import pair, without_batch
from minires.op import op

LARGEST_WINDOW = 128  # elements of a region: larger ones lose digits as windows, and take more time


@op
def max_pool2d(x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """y = the maximum of x under each window: all of ∂L/∂y goes to that x, the first of several equal ones.

    kernels/readable/pool.py computes it, one kernel element at a time.
    x (N,C,H,W) -> y (N,C,OH,OW), OH = ⌊(H + 2p − d·(k − 1) − 1)/s⌋ + 1, s = k unless given.
    Padding is −∞ and never the maximum. ceil_mode: ⌈…⌉ for ⌊…⌋, but no window begins after the end of the image.
    """
    win = Window.pool(x.shape, kernel_size, stride, padding, "max_pool2d", dilation=dilation, ceil_mode=ceil_mode)
    y = kernels.max_pool(x, win)

    def backward(dy):
        argmax = kernels.max_pool_argmax(x, y, win)  # which element of each window is the maximum
        return kernels.max_pool_dx(dy, argmax, win)

    return y, backward


@op
def avg_pool2d(x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """y = Σ x/m under each window of m = KH·KW values: every x receives ∂L/∂y/m (kernels/readable/pool.py).

    x (N,C,H,W) -> y (N,C,OH,OW), as max_pool2d. Padding counts as zeros; without count_include_pad m leaves it out.
    What ceil_mode adds to a window beyond the padding never counts. The values are added one after another, as in
    PyTorch, with an error of up to m·u·Σ|x|, where u is half the distance from 1 to the next float.
    """
    win = Window.pool(x.shape, kernel_size, stride, padding, "avg_pool2d", ceil_mode=ceil_mode)
    return (kernels.avg_pool(x, win, count_include_pad), lambda dy: kernels.avg_pool_dx(dy, win, count_include_pad))


@op
def adaptive_avg_pool2d(x, *, output_size=1):
    """Y = A·X·Bᵀ, where the matrices A (OH,H) and B (OW,W) average, so ∂L/∂X = Aᵀ·∂L/∂Y·B.

    Where all regions have one size of at most LARGEST_WINDOW elements it is avg_pool2d (kernels/readable/pool.py).
    Larger ones of one size are averaged as sums that keep their digits; each of m elements receives ∂L/∂y/m.
    Row i of A is 1/n over the n inputs ⌊i·H/OH⌋ … ⌈(i+1)·H/OH⌉ − 1 and 0 elsewhere; output_size = 1 is the global mean.
    x (N,C,H,W) -> y (N,C,OH,OW); None in output_size = (OH, OW) keeps that size.
    """
    if x.ndim != 4:
        raise ShapeError(f"adaptive_avg_pool2d: x must be (N,C,H,W), got {x.shape}{without_batch(x.shape, 4)}")
    N, C, H, W = x.shape
    if not H or not W:
        raise ShapeError(f"adaptive_avg_pool2d: nothing to average in an image of {H}×{W}")
    if isinstance(output_size, (tuple, list)) and len(output_size) == 2:
        output_size = tuple(size if wanted is None else wanted for wanted, size in zip(output_size, (H, W)))
    OH, OW = pair(output_size, "output_size", "adaptive_avg_pool2d", 1)
    m = (H // OH) * (W // OW)
    if H % OH == 0 and W % OW == 0 and m <= LARGEST_WINDOW:
        win = Window.pool(x.shape, (H // OH, W // OW), op="adaptive_avg_pool2d")
        return kernels.avg_pool(x, win), lambda dy: kernels.avg_pool_dx(dy, win)
    if H % OH == 0 and W % OW == 0:
        return _average_regions(x, (N, C, OH, H // OH, OW, W // OW), m)
    A = averaging_matrix(OH, H, like=x)
    B = averaging_matrix(OW, W, like=x)
    in_layout_of_x = layout_of(x)
    return in_layout_of_x(kernels.matmul(kernels.matmul(A, x), B.T)), lambda dy: in_layout_of_x(A.T @ dy @ B)


def _average_regions(x, regions, m):
    """(y, backward) for regions of m elements each: x (N,C,H,W) -> (N,C,OH,H/OH,OW,W/OW), a view -> y (N,C,OH,OW)"""
    shape = x.shape
    order = memory_order(x)
    y = layout_of(x)(kernels.sums(x.reshape(regions), (3, 5)) / m)

    def backward(dy):
        dx = empty(shape, dy.dtype, order, array_module(dy))
        dx.reshape(regions)[...] = (dy / m)[:, :, :, None, :, None]
        return dx

    return y, backward


def averaging_matrix(outputs, size, like):
    """Row i averages the inputs of region i: (outputs,size)."""
    xp = array_module(like)
    matrix = xp.zeros((outputs, size), like.real.dtype)
    for i in range(outputs):
        start = i * size // outputs
        stop = -(-(i + 1) * size // outputs)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix
