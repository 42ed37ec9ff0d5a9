"""Pooling, one kernel element (kh,kw) at a time: under it each window has one pixel (Window.positions)."""

from minires.arrays import array_module, empty_feature_map


def max_pool(x, win):
    """The maximum under each window: x (N,C,H,W) -> y (N,C,OH,OW). Padding counts as −∞, a NaN as the largest."""
    y = empty_feature_map(win.y_shape, like=x)
    y[...] = -array_module(x).inf
    for _, _, (oh, ow), (h, w) in win.positions():
        y[:, :, oh, ow] = array_module(x).maximum(y[:, :, oh, ow], x[:, :, h, w])
    return y


def max_pool_argmax(x, y, win):
    """kh·KW + kw of the first kernel element where x is y, for each window -> (N,C,OH,OW)."""
    xp = array_module(x)
    argmax = empty_feature_map(win.y_shape, like=x, dtype=xp.int32)
    argmax[...] = win.KH * win.KW  # none yet
    for kh, kw, (oh, ow), (h, w) in win.positions():
        value = x[:, :, h, w]
        maximum = y[:, :, oh, ow]
        first = argmax[:, :, oh, ow]
        is_maximum = (value.real == maximum.real) | ((value != value) & (maximum != maximum))  # or both are NaN
        first[...] = xp.where(is_maximum, xp.minimum(first, kh * win.KW + kw), first)
    return argmax


def max_pool_dx(dy, argmax, win):
    """The gradient of each output goes to its argmax, all of it: dy and argmax (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_feature_map(win.x_shape, like=dy)
    dx[...] = 0
    for kh, kw, (oh, ow), (h, w) in win.positions():
        is_argmax = argmax[:, :, oh, ow] == kh * win.KW + kw
        dx[:, :, h, w] += array_module(dy).where(is_argmax, dy[:, :, oh, ow], 0)
    return dx


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, where padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    y = empty_feature_map(win.y_shape, like=x)
    y[...] = 0
    for _, _, (oh, ow), (h, w) in win.positions():
        y[:, :, oh, ow] += x[:, :, h, w]
    y /= counts(win, count_include_pad, like=x)
    return y


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives dy/m from every window of m elements that contains it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    dx = empty_feature_map(win.x_shape, like=dy)
    dx[...] = 0
    part = dy / counts(win, count_include_pad, like=dy)
    for _, _, (oh, ow), (h, w) in win.positions():
        dx[:, :, h, w] += part[:, :, oh, ow]
    return dx


def counts(win, count_include_pad, like):
    """m, how many elements each window has: (OH,OW)."""
    xp = array_module(like)
    rows, columns = (xp.asarray(n, like.real.dtype) for n in win.counts(count_include_pad))
    return rows[:, None] * columns
