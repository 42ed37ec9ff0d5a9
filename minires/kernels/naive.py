"""Convolution and pooling by their definition, one product at a time: slow, and the oracle of all other kernels."""

from itertools import product

import numpy as np


def _products(win):
    """Every product of the convolution: the index into y, into x and into w."""
    per_group_in, per_group_out = win.C // win.groups, win.O // win.groups
    for n, o, oh, ow in product(range(win.N), range(win.O), range(win.OH), range(win.OW)):
        for c, kh, kw in product(range(per_group_in), range(win.KH), range(win.KW)):
            h = oh * win.SH + kh * win.DH - win.PH
            w = ow * win.SW + kw * win.DW - win.PW
            if 0 <= h < win.H and 0 <= w < win.W:  # else it meets the zero padding
                yield (n, o, oh, ow), (n, o // per_group_out * per_group_in + c, h, w), (o, c, kh, kw)


def conv(x, w, win):
    """y = Σ x·w over every product."""
    y = np.zeros(win.y_shape, np.result_type(x, w))
    for at_y, at_x, at_w in _products(win):
        y[at_y] += x[at_x] * w[at_w]
    return y


def conv_dx(dy, w, win):
    """Each product y += x·w gives dx += dy·w."""
    dx = np.zeros(win.x_shape, np.result_type(dy, w))
    for at_y, at_x, at_w in _products(win):
        dx[at_x] += dy[at_y] * w[at_w]
    return dx


def conv_dw(dy, x, win):
    """Each product y += x·w gives dw += dy·x."""
    dw = np.zeros((win.O, win.C // win.groups, win.KH, win.KW), np.result_type(dy, x))
    for at_y, at_x, at_w in _products(win):
        dw[at_w] += dy[at_y] * x[at_x]
    return dw


def _cells(win):
    """Every output cell of a pooling, with the input cells that its window covers, in reading order."""
    for n, c, oh, ow in product(range(win.N), range(win.C), range(win.OH), range(win.OW)):
        rows = (oh * win.SH + kh * win.DH - win.PH for kh in range(win.KH))
        columns = [ow * win.SW + kw * win.DW - win.PW for kw in range(win.KW)]
        covered = [(n, c, h, w) for h in rows for w in columns if 0 <= h < win.H and 0 <= w < win.W]
        yield (n, c, oh, ow), covered


def max_pool(x, dy, win):
    """y and dx: each window's gradient goes to its first greatest cell."""
    y, dx = np.zeros(win.y_shape, x.dtype), np.zeros_like(x)
    for at_y, covered in _cells(win):
        at_x = max(covered, key=lambda at: x[at])
        y[at_y] = x[at_x]
        dx[at_x] += dy[at_y]
    return y, dx


def avg_pool(x, dy, win, count_include_pad=True):
    """y and dx: every cell of a window has the weight 1/(number of its cells), those in the padding too, if counted."""
    y, dx = np.zeros(win.y_shape, x.dtype), np.zeros_like(x)
    for at_y, covered in _cells(win):
        rows, columns = (
            [i for i in range(o * S - P, o * S - P + K) if -P <= i < size + P] for o, S, P, K, size in (
                (at_y[2], win.SH, win.PH, win.KH, win.H), (at_y[3], win.SW, win.PW, win.KW, win.W)))
        cells = len(rows) * len(columns) if count_include_pad else len(covered)
        for at_x in covered:
            y[at_y] += x[at_x] / cells
            dx[at_x] += dy[at_y] / cells
    return y, dx
