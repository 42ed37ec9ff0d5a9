"""Pooling, one kernel position at a time, a part of the images at a time on all workers."""

import numpy as np

from minires.arrays import empty_map
from minires.kernels.cpu.elementwise import masked
from minires.kernels.cpu.partition import blocks
from minires.kernels.cpu.threads import parallel_for
from minires.kernels.readable.pool import counts

MISSED = 1 << 7  # added to the number of a position that does not hold the maximum


def max_pool(x, win):
    """The maximum under each window: x (N,C,H,W) -> y (N,C,OH,OW). Padding counts as −inf, a NaN wins.

    It is the maximum of its columns' maxima, KH + KW comparisons where all positions at once are KH·KW.
    """
    y = empty_map(win.y_shape, like=x)
    (columns, rows) = _two_steps(win)

    def images(part):
        best = empty_map((len(x[part]), *columns.y_shape[1:]), like=x)
        _maximum(x[part], columns, best)
        _maximum(best, rows, y[part])

    parallel_for(images, blocks(x))
    return y


def _two_steps(win):
    """The window's columns alone, and its rows on what they have left."""
    return win._replace(KW=1, SW=1, PW=0, OW=win.W), win._replace(H=win.OH, KH=1, SH=1, PH=0)


def _maximum(x, win, best):
    """The maximum over the window's positions into best."""
    best[...] = -np.inf
    for _, _, (oh, ow), (h, w) in win.positions():
        np.maximum(best[:, :, oh, ow], x[:, :, h, w], out=best[:, :, oh, ow])  # lets a NaN through


def max_pool_argmax(x, y, win):
    """kh·KW + kw of the position where x is y, the first of several, for each window -> (N,C,OH,OW)."""
    columns, rows = _two_steps(win)
    # bytes, of which a processor compares many at once, unless there are too many positions to tell from the missed
    small = np.uint8 if win.KH * win.KW < MISSED else np.int32
    argmax = empty_map(win.y_shape, like=x, dtype=small)

    def images(part):
        best = empty_map((len(x[part]), *columns.y_shape[1:]), like=x)
        _maximum(x[part], columns, best)
        winner = empty_map(best.shape, like=x, dtype=small)
        _first(x[part], None, columns, best, winner, step=win.KW)
        _first(best, winner, rows, y[part], argmax[part])

    parallel_for(images, blocks(x))
    return argmax


def _first(x, place, win, best, winner, step=1):
    """step·(number of the first position that holds the best) + its place into winner."""
    missed = winner.dtype.type(MISSED if winner.itemsize == 1 else 1 << 30)
    winner[...] = np.iinfo(winner.dtype).max
    any_nan = bool((best != best).any())
    for kh, kw, (oh, ow), (h, w) in win.positions():
        here = x[:, :, h, w]
        lost = here.real != best[:, :, oh, ow].real
        if any_nan:  # which wins, though it equals nothing
            lost &= here == here
        candidate = lost.astype(winner.dtype) * missed + winner.dtype.type(step * (kh + kw))
        if place is not None:
            candidate += place[:, :, h, w]
        np.minimum(winner[:, :, oh, ow], candidate, out=winner[:, :, oh, ow])


def max_pool_dx(dy, argmax, win):
    """Each output's gradient goes to the input that won: dy and argmax (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_map(win.x_shape, like=dy)

    def images(part):
        dys, winner, pixels = dy[part], argmax[part], dx[part]
        pixels[...] = 0
        for kh, kw, (oh, ow), (h, w) in win.positions():
            pixels[:, :, h, w] += masked(dys[:, :, oh, ow], winner[:, :, oh, ow] == kh * win.KW + kw)

    parallel_for(images, blocks(dx))
    return dx


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, where padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = empty_map(win.y_shape, like=x)
    inverse = _inverse(win, count_include_pad, x)

    def images(part):
        y[part] = 0
        for _, _, (oh, ow), (h, w) in win.positions():
            y[part, :, oh, ow] += x[part, :, h, w]
        y[part] *= inverse

    parallel_for(images, blocks(x))
    return y


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives its part of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_map(win.x_shape, like=dy)
    inverse = _inverse(win, count_include_pad, dy)

    def images(part):
        dx[part] = 0
        dys = dy[part] * inverse
        for _, _, (oh, ow), (h, w) in win.positions():
            dx[part, :, h, w] += dys[:, :, oh, ow]

    parallel_for(images, blocks(dx))
    return dx


def _inverse(win, count_include_pad, like):
    """1/count of each window's values: a number where all windows have as many, else (OH,OW)."""
    n = counts(win, count_include_pad, like)
    return 1 / (float(n[0, 0]) if n.size and (n == n[0, 0]).all() else n)
