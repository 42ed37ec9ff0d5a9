"""What the loops of a convolution or a pooling give when they assign where they should add, or ignore a setting."""

import copy

import numpy as np

from minires.errors import MiniresError
from minires.kernels import Window


def assigned_by_pool(standard, case, dy):
    """dx of loops that assign each window where they should add: all of the window, or its winner alone."""
    settings = {k: v for k, v in case.static.items() if k != "count_include_pad"}
    win = Window.pool(case.arrays[0].shape, **settings)
    x = case.arrays[0]
    fill = -np.inf if standard.name == "max_pool2d" else 0.0
    padded = _padded(x, win, fill)
    whole = np.zeros_like(padded)
    winner = np.zeros_like(padded)
    whole[np.isinf(padded)] = 0
    for i, j in np.ndindex(dy.shape[2:]):
        at = _at(win, i, j)
        part = dy[:, :, i, j][:, :, None, None]
        if standard.name == "avg_pool2d":
            whole[at] = part / (win.KH * win.KW)
            continue
        window = padded[at]
        mask = window == window.max((2, 3), keepdims=True)
        whole[at] = mask * part
        winner[at] = np.where(mask, part, winner[at])
    return _cut(whole, win), _cut(winner, win)


def assigned_by_convolution(standard, case, dy, name):
    """Gradients of loops over images, output channels and windows that keep what the last turn gave."""
    image, channel, window = np.s_[-1:], np.s_[:, -1:], np.s_[:, :, -1:, -1:]
    lasts = [channel] if name == standard.arguments[0] else [image, window, np.s_[-1:, :, -1:, -1:]]
    if name == standard.arguments[0]:
        yield from _assigned_dx(case, dy)
    for last in lasts:
        part = np.zeros_like(dy)
        part[last] = dy[last]
        gradients = dict(zip(standard.arguments, standard.right(case)[1](part)))
        yield gradients[name]


def _assigned_dx(case, dy):
    """dx where each window is assigned: of all output channels, or of the last."""
    x, w, *_ = case.arrays
    win = Window.of(x.shape, w.shape, **case.static)
    if win.groups != 1:
        return
    for channels in (slice(None), slice(-1, None)):
        padded = _padded(np.zeros_like(x), win, 0.0)
        for i, j in np.ndindex(dy.shape[2:]):
            padded[_at(win, i, j)] = np.einsum("no,ochw->nchw", dy[:, channels, i, j], w[channels])
        yield _cut(padded, win)


def ignored(standard, case, y):
    """The setting that a forward ignores, or "": y has the numbers that it gives without it, or the shape alone.

    With a stride of 1 y may have its right shape: then it is the beginning of the larger one.
    """
    case_shape = standard.right(case)[0].shape
    for setting, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
        given = standard.full_settings(case).get(setting, default)
        if given in (default, (default, default)):
            continue
        try:
            without, _ = standard.raw(*case.arrays, **copy.deepcopy(case.static) | {setting: default})
        except MiniresError:
            continue
        if _holds(without, y) or (without.shape == y.shape != case_shape):
            return setting
    return ""


def _holds(larger, y):
    """Whether y is the beginning of a larger array."""
    if any(a > b for a, b in zip(y.shape, larger.shape)):
        return False
    return np.allclose(
        y, larger[tuple(slice(n) for n in y.shape)], rtol=0, atol=1e-6 * max(np.abs(y).max(initial=0), 1)
    )


def _padded(x, win, fill):
    """x with the padding, and as much more as the last windows may reach beyond it."""
    reach_h, reach_w = win.DH * win.KH, win.DW * win.KW
    around = ((0, 0), (0, 0), (win.PH, win.PH + reach_h), (win.PW, win.PW + reach_w))
    return np.pad(x, around, constant_values=fill)


def _at(win, i, j):
    """Where window (i, j) lies in the padded x."""
    rows = slice(i * win.SH, i * win.SH + win.DH * (win.KH - 1) + 1, win.DH)
    columns = slice(j * win.SW, j * win.SW + win.DW * (win.KW - 1) + 1, win.DW)
    return np.s_[:, :, rows, columns]


def _cut(padded, win):
    return padded[:, :, win.PH : win.PH + win.H, win.PW : win.PW + win.W]
