"""Pooling by its definition, one window at a time. It is slow, and all faster kernels are compared with it."""

import math
from itertools import product

from minires.arrays import array_module, empty_feature_map


def _windows(win):
    """Each output index of a pooling, with {kh·KW + kw: input index} for the elements of its window, in this order."""
    for n, c, oh, ow in product(range(win.N), range(win.C), range(win.OH), range(win.OW)):
        covered = {}
        for kh, kw in product(range(win.KH), range(win.KW)):
            h = oh * win.SH + kh * win.DH - win.PH
            w = ow * win.SW + kw * win.DW - win.PW
            if 0 <= h < win.H and 0 <= w < win.W:
                covered[kh * win.KW + kw] = (n, c, h, w)
        yield (n, c, oh, ow), covered


def max_pool(x, win):
    """The maximum under each window; a NaN is larger than all."""
    y = empty_feature_map(win.y_shape, like=x)
    for at_y, covered in _windows(win):
        values = [x[at_x] for at_x in covered.values()]
        nans = [value for value in values if value != value]
        y[at_y] = nans[0] if nans else max(values, key=lambda value: value.real, default=-math.inf)
    return y


def max_pool_argmax(x, y, win):
    """The index kh·KW + kw of the first element of each window that equals its maximum; −1 where all is padding."""
    argmax = empty_feature_map(win.y_shape, like=x, dtype=int)
    for at_y, covered in _windows(win):
        argmax[at_y] = next((k for k, at_x in covered.items() if _are_equal(x[at_x], y[at_y])), -1)
    return argmax


def _are_equal(a, b):
    """Whether the real parts of a and b are equal, or both are NaN."""
    return a.real == b.real or (a != a and b != b)


def max_pool_dx(dy, argmax, win):
    """The gradient of each window goes to its argmax."""
    dx = array_module(dy).zeros(win.x_shape, dy.dtype)
    for at_y, covered in _windows(win):
        if covered:  # with dilation a window may have nothing but padding
            dx[covered[int(argmax[at_y])]] += dy[at_y]
    return dx


def avg_pool(x, win, count_include_pad=True):
    """The sum of x/m under each window of m elements."""
    y = array_module(x).zeros(win.y_shape, x.dtype)
    for at_y, covered in _windows(win):
        for at_x in covered.values():
            y[at_y] += x[at_x] / _count(win, at_y, covered, count_include_pad)
    return y


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each element of a window receives dy/m."""
    dx = array_module(dy).zeros(win.x_shape, dy.dtype)
    for at_y, covered in _windows(win):
        for at_x in covered.values():
            dx[at_x] += dy[at_y] / _count(win, at_y, covered, count_include_pad)
    return dx


def _count(win, at_y, covered, count_include_pad):
    """m, how many elements of a window are in the image, or in image and padding. Those beyond never count."""
    if not count_include_pad:
        return len(covered)
    _, _, oh, ow = at_y
    rows = [kh for kh in range(win.KH) if oh * win.SH + kh - win.PH < win.H + win.PH]
    columns = [kw for kw in range(win.KW) if ow * win.SW + kw - win.PW < win.W + win.PW]
    return len(rows) * len(columns)
