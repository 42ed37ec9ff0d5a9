"""Pooling, one kernel position at a time, some pictures at a time on all workers."""

from minires.arrays import array_module, empty_map
from minires.kernels.blocks import blocks
from minires.kernels.elementwise import masked
from minires.kernels.workers import share

MISSED = 1 << 7  # added to the number of a tap that does not hold the greatest value


def max_pool(x, win, taps=True):
    """The greatest value under each window, and if taps which tap it came from (the first, if several are equal).

    x (N,C,H,W) -> y and tap (N,C,OH,OW), or y and None. Padding counts as −inf, a NaN wins.
    The maximum of a window is that of its columns' maxima, KH + KW comparisons where all taps at once are KH·KW.
    """
    xp = array_module(x)
    columns, rows = win._replace(KW=1, SW=1, PW=0, OW=win.W), win._replace(H=win.OH, KH=1, SH=1, PH=0)
    y = empty_map(win.y_shape, like=x)
    # bytes, of which a processor compares many at once, unless there are too many taps to tell from the missed ones
    small = xp.uint8 if win.KH * win.KW < MISSED else xp.int32
    tap = empty_map(win.y_shape, like=x, dtype=small) if taps else None

    def pictures(some):
        best = empty_map((len(x[some]), *columns.y_shape[1:]), like=x)
        _greatest(x[some], columns, best)
        _greatest(best, rows, y[some])
        if taps:
            winner = empty_map(best.shape, like=x, dtype=small)
            _winners(x[some], None, columns, best, winner, step=win.KW)
            _winners(best, winner, rows, y[some], tap[some])
    share(pictures, blocks(x))
    return y, tap


def _greatest(x, win, best):
    """The greatest of the taps into best."""
    xp = array_module(x)
    best[...] = -xp.inf
    for _, _, (oh, ow), (h, w) in win.taps():
        xp.maximum(best[:, :, oh, ow], x[:, :, h, w], out=best[:, :, oh, ow])  # lets a NaN through


def _winners(x, place, win, best, winner, step=1):
    """step·(number of the first tap that holds the best) + its place into winner."""
    xp = array_module(x)
    missed = winner.dtype.type(MISSED if winner.itemsize == 1 else 1 << 30)
    winner[...] = xp.iinfo(winner.dtype).max
    any_nan = bool((best != best).any())
    for kh, kw, (oh, ow), (h, w) in win.taps():
        here = x[:, :, h, w]
        lost = here.real != best[:, :, oh, ow].real
        if any_nan:  # which wins, though it equals nothing
            lost &= here == here
        candidate = lost.astype(winner.dtype) * missed + winner.dtype.type(step * (kh + kw))
        if place is not None:
            candidate += place[:, :, h, w]
        xp.minimum(winner[:, :, oh, ow], candidate, out=winner[:, :, oh, ow])


def max_pool_dx(dy, tap, win):
    """Each output's gradient goes to the input that won: dy and tap (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_map(win.x_shape, like=dy)

    def pictures(some):
        dys, winner, pixels = dy[some], tap[some], dx[some]
        pixels[...] = 0
        for kh, kw, (oh, ow), (h, w) in win.taps():
            pixels[:, :, h, w] += masked(dys[:, :, oh, ow], winner[:, :, oh, ow] == kh * win.KW + kw)
    share(pictures, blocks(dx))
    return dx


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, where padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y, share_of_one = empty_map(win.y_shape, like=x), _share_of_one(win, count_include_pad, like=x)

    def pictures(some):
        y[some] = 0
        for _, _, (oh, ow), (h, w) in win.taps():
            y[some, :, oh, ow] += x[some, :, h, w]
        y[some] *= share_of_one
    share(pictures, blocks(x))
    return y


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives its share of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx, share_of_one = empty_map(win.x_shape, like=dy), _share_of_one(win, count_include_pad, like=dy)

    def pictures(some):
        dx[some] = 0
        dys = dy[some] * share_of_one
        for _, _, (oh, ow), (h, w) in win.taps():
            dx[some, :, h, w] += dys[:, :, oh, ow]
    share(pictures, blocks(dx))
    return dx


def _share_of_one(win, count_include_pad, like):
    """What one value weighs in its window's mean: a number if all windows have as many values, else (OH,OW)."""
    rows, columns = win.counts(count_include_pad)
    if len({*rows}) == len({*columns}) == 1:
        return 1 / (rows[0] * columns[0])
    xp = array_module(like)
    rows, columns = (xp.asarray(counts, like.real.dtype) for counts in (rows, columns))
    return 1 / (rows[:, None] * columns)
