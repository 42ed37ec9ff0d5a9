"""Products of two arrays, element by element, and their sums, on all workers where one has the result's shape."""

import numpy as np

from minires.arrays import is_channels_last
from minires.kernels.cpu.activation import WORK
from minires.kernels.cpu.channel_stats import sum_of_rows
from minires.kernels.cpu.partition import blockwise
from minires.kernels.cpu.sums import sums
from minires.kernels.cpu.threads import parallel_for


def multiply(a, b):
    """a·b; shapes broadcast. The images are shared among the workers if one array has the result's shape."""
    if getattr(a, "size", 1) < getattr(b, "size", 1):
        a, b = b, a
    if _fits_beside(b, a):
        return blockwise(np.multiply, a, b)
    return a * b


def _fits_beside(b, a):
    """Whether b broadcasts to the shape of a, is cut into images as a is, and has its type."""
    shape = getattr(b, "shape", ())
    same = len(shape) == getattr(a, "ndim", 0) > 1 and shape[0] == len(a) and b.dtype == a.dtype
    return same and all(n in (1, m) for n, m in zip(shape, a.shape))


def multiply_sum(a, b, axes):
    """Σ a·b over the axes, which are left out; of the maps of channels-last arrays without making a·b."""
    maps = axes == (2, 3) and all(isinstance(x, np.ndarray) and is_channels_last(x) for x in (a, b))
    if not maps or a.shape != b.shape or a.dtype != b.dtype or a.dtype.kind != "f" or not a.size:
        return sums(multiply(a, b), axes)
    total = np.empty(a.shape[:2])

    def image(n):
        sum_of_rows(total[n], a[n : n + 1], b[n : n + 1])

    parallel_for(image, range(len(a)), WORK * a.size)
    return total.astype(a.dtype)
