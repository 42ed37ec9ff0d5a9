"""Pooling, one kernel position at a time over the whole batch."""

from minires.arrays import array_module, empty_map


def max_pool(x, win):
    """The greatest value under each window, and which tap it came from (the first, if several are equal).

    x (N,C,H,W) -> y and tap (N,C,OH,OW). Padding counts as −inf, a NaN wins.
    """
    xp = array_module(x)
    y = empty_map(win.y_shape, like=x)
    tap = empty_map(win.y_shape, like=x, dtype=xp.int16 if win.KH * win.KW < 1 << 15 else xp.int32)
    y[...], tap[...] = -xp.inf, -1
    for kh, kw, (oh, ow), (h, w) in win.taps():
        here, best, winner = x[:, :, h, w], y[:, :, oh, ow], tap[:, :, oh, ow]
        better = (here.real > best.real) | xp.isnan(here) | (winner < 0)
        best[...] = xp.where(better, here, best)
        winner[...] = xp.where(better, kh * win.KW + kw, winner)
    return y, tap


def max_pool_dx(dy, tap, win):
    """Each output's gradient goes to the input that won: dy and tap (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_map((win.N, win.C, win.H, win.W), like=dy)
    dx[...] = 0
    for kh, kw, (oh, ow), (h, w) in win.taps():
        dx[:, :, h, w] += dy[:, :, oh, ow] * (tap[:, :, oh, ow] == kh * win.KW + kw)
    return dx


def avg_pool(x, win):
    """The mean under each window, padding counted as zeros: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = empty_map(win.y_shape, like=x)
    y[...] = 0
    for _, _, (oh, ow), (h, w) in win.taps():
        y[:, :, oh, ow] += x[:, :, h, w]
    y *= 1 / (win.KH * win.KW)
    return y


def avg_pool_dx(dy, win):
    """Each input receives 1/(KH·KW) of every output that saw it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_map((win.N, win.C, win.H, win.W), like=dy)
    dx[...] = 0
    for _, _, (oh, ow), (h, w) in win.taps():
        dx[:, :, h, w] += dy[:, :, oh, ow]
    dx *= 1 / (win.KH * win.KW)
    return dx
