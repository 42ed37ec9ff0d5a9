"""Pooling, one kernel position at a time, a part of the images at a time on all workers."""

import numpy as np

from minires.arrays import empty_feature_map
from minires.kernels.cpu.elementwise import masked
from minires.kernels.cpu.partition import blocks
from minires.kernels.cpu.threads import parallel_for
from minires.kernels.readable.pool import counts

MISSED = 1 << 7  # added to the number of a position that does not hold the maximum


def max_pool(x, win):
    """readable/pool.py's max_pool, as the maximum of the columns' maxima: KH + KW comparisons instead of KH·KW."""
    y = empty_feature_map(win.y_shape, like=x)
    columns, rows = _separated(win)

    def images(part):
        _maximum(_column_maxima(x[part], columns), rows, y[part])

    parallel_for(images, blocks(x))
    return y


def _separated(win):
    """The window's columns alone, and its rows on the columns' maxima."""
    return win._replace(KW=1, SW=1, PW=0, OW=win.W), win._replace(H=win.OH, KH=1, SH=1, PH=0)


def _column_maxima(x, columns):
    best = empty_feature_map((len(x), *columns.y_shape[1:]), like=x)
    _maximum(x, columns, best)
    return best


def _maximum(x, win, best):
    """The maximum over the window's positions into best."""
    best[...] = -np.inf
    for _, _, (oh, ow), (h, w) in win.positions():
        np.maximum(best[:, :, oh, ow], x[:, :, h, w], out=best[:, :, oh, ow])  # lets a NaN through


def max_pool_argmax(x, y, win):
    """readable/pool.py's max_pool_argmax. For large windows it is found for the columns first, as in max_pool."""
    # bytes, of which a processor compares many at once, unless the window has too many positions
    small = np.uint8 if win.KH * win.KW < MISSED else np.int32
    argmax = empty_feature_map(win.y_shape, like=x, dtype=small)
    columns, rows = _separated(win)
    is_large = win.KH * win.KW > 1.2 * (win.KH * win.SW + win.KW)  # positions; there are SW times as many columns

    def images(part):
        if not is_large:
            return _first(x[part], y[part], win, argmax[part])
        best = _column_maxima(x[part], columns)
        first = empty_feature_map(best.shape, like=x, dtype=small)
        _first(x[part], best, columns, first, step=win.KW)
        _first(best, y[part], rows, argmax[part], start=first)

    parallel_for(images, blocks(x))
    return argmax


def _first(x, best, win, first, step=1, start=None):
    """The least step·(kh·KW + kw), plus x's start, of the positions where x is best, into first.

    It is the least number, if MISSED is added where x is not best.
    """
    missed = MISSED if first.itemsize == 1 else 1 << 30
    first[...] = missed  # none yet
    any_nan = bool(np.isnan(best).any())
    for inputs, positions in _phases(win):
        phase = _copied(x, *inputs)
        starts = None if start is None else _copied(start, *inputs)
        for kh, kw, (oh, ow), (h, w) in positions:
            here = phase[:, :, h, w]
            lost = here.real != best[:, :, oh, ow].real
            if any_nan:  # which wins, though it equals nothing
                lost &= here == here
            candidate = lost.view(np.uint8).astype(first.dtype, copy=False)
            candidate *= missed
            candidate += step * (kh * win.KW + kw)
            if start is not None:
                candidate += starts[:, :, h, w]
            np.minimum(first[:, :, oh, ow], candidate, out=first[:, :, oh, ow])


def _copied(x, rows, columns):
    """The phase x[:, :, rows, columns] in one piece of memory; x itself if it is all of x."""
    phase = x[:, :, rows, columns]
    if phase.shape == x.shape:
        return x
    copy = empty_feature_map(phase.shape, like=x)
    copy[...] = phase
    return copy


def max_pool_dx(dy, argmax, win):
    """readable/pool.py's max_pool_dx, phase by phase."""
    dx = empty_feature_map(win.x_shape, like=dy)
    phases = _phases(win)
    is_covered = len(phases) == min(win.SH, win.H) * min(win.SW, win.W)

    def images(part):
        dys, winner, pixels = dy[part], argmax[part], dx[part]
        if not is_covered:
            pixels[...] = 0
        for (rows, columns), positions in phases:
            phase = empty_feature_map(pixels[:, :, rows, columns].shape, like=dy)
            phase[...] = 0
            for kh, kw, (oh, ow), (h, w) in positions:
                phase[:, :, h, w] += masked(dys[:, :, oh, ow], winner[:, :, oh, ow] == kh * win.KW + kw)
            pixels[:, :, rows, columns] = phase

    parallel_for(images, blocks(dx))
    return dx


def _phases(win):
    """[((rows, columns), positions)] of the inputs: a phase is every SH-th row and every SW-th column.

    Its positions are those of win.positions() that read it. They count the inputs within the phase, without steps:
    NumPy computes four times as fast with a copy of the phase as with every SW-th pixel of the whole.
    """
    phases = {}
    for kh, kw, (oh, ow), (h, w) in win.positions():
        i, a = divmod(h.start, win.SH)
        j, b = divmod(w.start, win.SW)
        inside = slice(i, i + oh.stop - oh.start), slice(j, j + ow.stop - ow.start)
        phases.setdefault((a, b), []).append((kh, kw, (oh, ow), inside))
    return [((slice(a, None, win.SH), slice(b, None, win.SW)), positions) for (a, b), positions in phases.items()]


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, where padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = empty_feature_map(win.y_shape, like=x)
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
    dx = empty_feature_map(win.x_shape, like=dy)
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
