"""Mistakes of convolutions and poolings: loops that assign where they should add, ignored settings, the padding."""

from dataclasses import replace

import numpy as np

from minires.errors import MiniresError
from minires.gradcheck.grading.hints.wrong import same
from minires.kernels import Window

POOLS = ("max_pool2d", "avg_pool2d")
WINDOWED = ("conv2d", *POOLS)
HOW = {
    "stride": "window (oh,ow) begins at row oh·stride and column ow·stride",
    "padding": "pad x before the windows slide over it",
    "dilation": "kernel element (kh,kw) reads x kh·dilation rows and kw·dilation columns further on",
}
PAIRED = ("kernel_size", "stride", "padding", "dilation")
SHARE = "your dx keeps the last window's share where windows overlap: add (+=), do not assign (=)"
LAST = "your d{name} keeps the last turn of a loop only: add (+=), do not assign (=)"
COLUMNS = (
    "your dweight is reshaped from (C·KH·KW,O): transpose it before, because each output channel has its own row there"
)
UNPADDED = "OH and OW are those without the padding: OH = (H + 2·padding − KH)//stride + 1"
WIDE = "your y is as wide as it is high: OW comes of the width of x, as OH comes of its height"
BEHIND = "your padding lies behind x only, 2·p rows and columns: put p before x and p behind it"
CROP = "your dx still has the padding: cut it off, from row p to row p + H, and from column p to column p + W"
EMPTY = "[p:-p] is empty where the padding p is 0, because it is [0:0] then: write [p:p + H]"


def ys(wrong):
    """(y, hint) of each mistake of a forward."""
    x, *rest = wrong.case.arrays
    if wrong.op in ("conv2d", "linear") and len(rest) > 1 and np.any(rest[1]):
        yield wrong.y_of(x, rest[0]), "your y has no bias: add it"
    if wrong.op not in WINDOWED:
        return
    if wrong.op == "max_pool2d":
        yield from _zeros_for_least(wrong)
    yield from _misplaced(wrong)
    if setting := _ignored(wrong):
        yield wrong.given, f"your y ignores the {setting}: {HOW[setting]}"
    if wrong.op == "conv2d":
        w, *b = rest
        yield (
            wrong.y_of(x, w[:, :, ::-1, ::-1], *b),
            "your y is a true convolution, with the kernel turned by 180°: conv2d is a cross-correlation",
        )
        hint = "your y reads weight[o,c,kw,kh]: its last axes are rows, then columns, weight[o,c,kh,kw]"
        yield wrong.y_of(x, w.swapaxes(2, 3), *b), hint
    yield from _exchanged(wrong)


def _misplaced(wrong):
    """Windows that begin elsewhere, or of another kind."""
    x, *rest = wrong.case.arrays
    PH, PW = _paddings(wrong.case)
    SH, SW = np.broadcast_to(wrong.settings.get("stride", 1), 2)
    if PH or PW:
        padded = np.pad(x, ((0, 0), (0, 0), (0, 2 * PH), (0, 2 * PW)))
        yield wrong.y_of(padded, *rest, padding=0), BEHIND
    if wrong.op in POOLS:
        kernel = wrong.settings["kernel_size"]
        if not np.array_equal(np.broadcast_to(kernel, 2), (SH, SW)):
            yield wrong.y_of(stride=kernel), f"your y takes the kernel size for the stride: {HOW['stride']}"
    if wrong.op == "max_pool2d":
        yield _averages(wrong), "your y is the average of each window: a max pool takes its maximum"
    y, right = wrong.given, wrong.right
    if y.ndim == 4 and y.shape[:3] == right.shape[:3] and y.shape[3] == right.shape[2] != right.shape[3]:
        common = np.s_[..., : min(right.shape[2:])]
        yield (y if same(y[common], right[common]) else None), WIDE


def _averages(wrong):
    """The averages of a max pool's windows, without padding."""
    win, padded = _pool_windows(wrong)
    y = np.zeros_like(wrong.right)
    for i, j in np.ndindex(y.shape[2:]):
        y[:, :, i, j] = padded[_at(win, i, j)].mean((2, 3))
    return y


def _zeros_for_least(wrong):
    """A maximum that takes 0 for the least number, in its padding or to begin with; none where both give the same."""
    begun = np.maximum(wrong.right, 0)
    padded = _padded_with_zeros(wrong)
    if padded is None or not same(padded, begun):
        yield padded, "your padding is 0, and a maximum may be negative: pad with −inf"
        yield begun, "your maximum begins with 0, and all of a window may be negative: begin with −inf"


def _exchanged(wrong):
    """Settings whose rows are taken for columns."""
    pairs = {s: wrong.case.static[s] for s in PAIRED if isinstance(wrong.case.static.get(s), tuple)}
    for settings in [[s] for s in pairs] + [list(pairs)]:
        hint = f"your y takes the {' and '.join(settings)} of rows for that of columns: rows come first".replace(
            "_", " "
        )
        yield wrong.y_of(**{s: pairs[s][::-1] for s in settings}), hint


def gradients(wrong):
    """(gradient, hint) of each mistake of a backward that is not in the catalogue."""
    if wrong.op not in WINDOWED or not wrong.dy.size:
        return
    if wrong.op in POOLS:
        for pooled in _assigned_by_pool(wrong):
            yield pooled, SHARE
    else:
        for last in _assigned_by_convolution(wrong):
            yield last, LAST.format(name=wrong.name)
        if wrong.name == "weight" and wrong.settings["groups"] == 1:
            yield wrong.right.transpose(1, 2, 3, 0).reshape(wrong.right.shape), COLUMNS
    if wrong.is_first:
        yield _with_padding(wrong), CROP
    if wrong.op == "max_pool2d":
        hint = "your dx has row and column of the maximum exchanged: argmax // KW is the row, argmax % KW the column"
        yield _to_exchanged_maximum(wrong), hint


def of_raised(standard, case, source, wanted):
    """The hint where an array of a shape was assigned to one of another, because of the padding."""
    if standard.name not in WINDOWED or len(source) != len(wanted):
        return ""
    paddings = _paddings(case)
    differing = [(a, b) for a, b in zip(source, wanted) if a != b]
    if len(differing) == 2 and not paddings.any() and all(a == 0 for a, _ in differing):
        return EMPTY
    if paddings.any() and all(a - b in 2 * paddings for a, b in differing):
        return CROP
    return ""


def of_reshaped(standard, case, size, wanted):
    """The hint where the values of y do not fit into a shape, because that was computed without the padding."""
    if standard.name not in WINDOWED or not _paddings(case).any():
        return ""
    y, _ = standard.right(case)
    without, _ = standard.right(replace(case, static=case.static | {"padding": 0}))
    return UNPADDED if size == y.size and sorted(wanted) == sorted(without.shape) else ""


def _paddings(case):
    """The padding of the rows and of the columns; 0 where it is a word, as "same"."""
    padding = case.static.get("padding", 0)
    return np.broadcast_to(0 if isinstance(padding, str) else padding, 2)


def _pool_windows(wrong):
    """(the Window of a pooling, x with its padding)"""
    settings = {k: v for k, v in wrong.case.static.items() if k != "count_include_pad"}
    x = wrong.case.arrays[0]
    win = Window.pool(x.shape, **settings)
    return win, _padded(x, win, -np.inf if wrong.op == "max_pool2d" else 0.0)


def _assigned_by_pool(wrong):
    """dx of loops that assign each window where they should add: all of the window, or its winner alone."""
    win, padded = _pool_windows(wrong)
    dy = wrong.dy
    whole = np.zeros_like(padded)
    winner = np.zeros_like(padded)
    for i, j in np.ndindex(dy.shape[2:]):
        at = _at(win, i, j)
        part = dy[:, :, i, j][:, :, None, None]
        if wrong.op == "avg_pool2d":
            whole[at] = part / (win.KH * win.KW)
            continue
        window = padded[at]
        mask = window == window.max((2, 3), keepdims=True)
        whole[at] = mask * part
        winner[at] = np.where(mask, part, winner[at])
    return _cut(whole, win), _cut(winner, win)


def _to_exchanged_maximum(wrong):
    """dx of a max pool whose maximum at (a, b) of a window gives its dy to (b, a)."""
    win, padded = _pool_windows(wrong)
    dx = np.zeros_like(padded)
    n, c = np.ogrid[: len(dx), : dx.shape[1]]
    for i, j in np.ndindex(wrong.dy.shape[2:]):
        flat = padded[_at(win, i, j)].reshape(*dx.shape[:2], -1)
        a, b = np.divmod(flat.argmax(2), win.KW)
        np.add.at(dx, (n, c, i * win.SH + b * win.DH, j * win.SW + a * win.DW), wrong.dy[:, :, i, j])
    return _cut(dx, win)


def _with_padding(wrong):
    """dx of the padded x, or None where there is no padding."""
    x, *rest = wrong.case.arrays
    PH, PW = _paddings(wrong.case)
    if wrong.op != "conv2d" or (not PH and not PW):
        return None
    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    case = replace(wrong.case, arrays=(padded, *rest), static=wrong.case.static | {"padding": 0})
    return wrong.gradients(case)[wrong.name]


def _assigned_by_convolution(wrong):
    """Gradients of loops over images, output channels and windows that keep what the last turn gave."""
    image, channel, window = np.s_[-1:], np.s_[:, -1:], np.s_[:, :, -1:, -1:]
    lasts = [channel] if wrong.is_first else [image, window, np.s_[-1:, :, -1:, -1:]]
    if wrong.is_first:
        yield from _assigned_dx(wrong.case, wrong.dy)
    for last in lasts:
        part = np.zeros_like(wrong.dy)
        part[last] = wrong.dy[last]
        yield wrong.gradients(dy=part)[wrong.name]


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


def _padded_with_zeros(wrong):
    """The y of a pooling whose padding is zeros, or None where there is no padding."""
    PH, PW = _paddings(wrong.case)
    if not PH and not PW:
        return None
    return wrong.y_of(np.pad(wrong.case.arrays[0], ((0, 0), (0, 0), (PH, PH), (PW, PW))), padding=0)


def _ignored(wrong):
    """The setting that a forward ignores, or "": y has the numbers that it gives without it, or the shape alone.

    With a stride of 1 y may have its right shape: then it is the beginning of the larger one.
    """
    for setting, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
        given = wrong.settings.get(setting, default)
        if given in (default, (default, default)):
            continue
        try:
            without = wrong.y_of(**{setting: default})
        except MiniresError:
            continue
        if _holds(without, wrong.given) or (without.shape == wrong.given.shape != wrong.right.shape):
            return setting
    return ""


def _holds(larger, y):
    """Whether y is the beginning of a larger array."""
    if y.ndim != larger.ndim or any(a > b for a, b in zip(y.shape, larger.shape)):
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
