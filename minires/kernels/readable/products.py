"""Products of two arrays, element by element, and their sums; shapes broadcast."""

from minires.kernels.readable.sums import sums


def multiply(a, b):
    """a·b."""
    return a * b


def multiply_sum(a, b, axes):
    """Σ a·b over the axes, which are left out."""
    return sums(a * b, axes)
