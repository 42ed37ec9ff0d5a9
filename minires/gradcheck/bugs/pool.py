"""Bugs of pooling."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.kernels import Window
from minires.kernels.readable import avg_pool_dx, max_pool, max_pool_argmax, max_pool_dx


def window(call, **letters):
    """The window of the call, with other letters: SH="KH" puts KH for SH, PH=0 puts 0."""
    settings = {name: value for name, value in call.static.items() if name != "count_include_pad"}
    win = Window.pool(call.arrays[0].shape, **settings)
    return win._replace(**{k: getattr(win, v) if isinstance(v, str) else v for k, v in letters.items()})


def winners(call):
    """Which tap won each window."""
    x = call.arrays[0]
    win = window(call)
    return max_pool_argmax(x, max_pool(x, win), win)


def greatest(call):
    """Of each tap of max pooling its index, outputs and inputs, and the mask of the windows whose greatest it holds."""
    win = window(call)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        out = (slice(None), slice(None), oh, ow)
        src = (slice(None), slice(None), h, w)
        yield kh * win.KW + kw, out, src, call.arrays[0][src] == call.y[out]


def assigned(call, share):
    """dx to which each tap assigns share(its index, outputs) where that is not 0, so that the last window stays."""
    win = window(call)
    dx = np.zeros_like(call.arrays[0])
    for kh, kw, out, (h, w) in reversed(win.positions()):
        given = share(kh * win.KW + kw, (slice(None), slice(None), *out))
        dx[:, :, h, w] = np.where(given != 0, given, dx[:, :, h, w])
    return dx


@bug("max_pool2d", "assigned, not added", "your dx keeps one share where windows overlap: add (+=), do not assign")
def _(call):
    tap = winners(call)
    return assigned(call, lambda index, out: call.dy[out] * (tap[out] == index))


@bug(
    "max_pool2d", "to all of several equal ones", "your dx goes to all of several equal elements: it goes to the first"
)
def _(call):
    dx = np.zeros_like(call.arrays[0])
    for _, out, src, is_greatest in greatest(call):
        dx[src] += call.dy[out] * is_greatest
    return dx


@bug(
    "max_pool2d",
    "to the last of equal ones",
    "your dx goes to the last of several equal elements: it goes to the first",
)
def _(call):
    tap = np.full(call.dy.shape, -1)
    for index, out, _, is_greatest in greatest(call):
        tap[out][is_greatest] = index
    return max_pool_dx(call.dy, tap, window(call))


bug("max_pool2d", "spread evenly", "your dx is average pooling's: all of dy goes to the greatest element")(
    lambda call: avg_pool_dx(call.dy, window(call))
)
bug("max_pool2d", "kernel size for the stride", "your dx lays windows side by side: window oh begins at oh·stride")(
    lambda call: max_pool_dx(call.dy, winners(call), window(call, SH="KH", SW="KW"))
)
bug("max_pool2d", "strides exchanged", "your dx has the strides of rows and columns exchanged")(
    lambda call: max_pool_dx(call.dy, winners(call), window(call, SH="SW", SW="SH"))
)
bug("max_pool2d", "padding not cut off", "your dx is shifted by the padding: window oh begins at oh·stride − padding")(
    lambda call: max_pool_dx(call.dy, winners(call), window(call, PH=0, PW=0))
)
bug("max_pool2d", "dilation forgotten", "your dx ignores dilation: tap kh of window oh is row oh·stride + kh·dilation")(
    lambda call: max_pool_dx(call.dy, winners(call), window(call, DH=1, DW=1))
)
bug(
    "max_pool2d",
    "last windows of ceil_mode forgotten",
    "your dx leaves out the windows that reach over the end: with ceil_mode they count, too",
)(lambda call: call.again(dy=whole_windows(call)))
bug("max_pool2d", "upstream forgotten", "your dx is the mask of the winners itself: multiply by dy")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)
bug("max_pool2d", "to the least", "your dx goes to the least element of each window: argmax, not argmin")(
    lambda call: call.again(-call.arrays[0])
)


@bug(
    "max_pool2d",
    "place counted by KH",
    "your dx takes the winner's place for divmod(place, KH): a row of the window has KW",
)
def _(call):
    win = window(call)
    kh, kw = np.divmod(winners(call), win.KH)
    return max_pool_dx(call.dy, np.where((kh < win.KH) & (kw < win.KW), kh * win.KW + kw, -1), win)


@bug("max_pool2d", "dx never set to zero", "your dx grows with every call: begin each backward with a dx of zeros")
def _(call):
    call.state["dx"] = call.state.get("dx", 0) + call.right[0]
    return call.state["dx"]


def whole_windows(call):
    """dy without that of the windows which reach over the end of the padded picture."""
    win = window(call)
    dy = call.dy.copy()
    dy[:, :, (win.H + 2 * win.PH - win.DH * (win.KH - 1) - 1) // win.SH + 1 :] = 0
    dy[:, :, :, (win.W + 2 * win.PW - win.DW * (win.KW - 1) - 1) // win.SW + 1 :] = 0
    return dy


def area(call):
    """KH·KW."""
    return window(call).KH * window(call).KW


def counts(call, count_include_pad):
    """How many values each window has, (OH,OW)."""
    rows, columns = window(call).counts(count_include_pad)
    return np.multiply.outer(rows, columns)


def pixels(call):
    """dx of a sum under each window."""
    return avg_pool_dx(call.dy * counts(call, True), window(call))


bug("avg_pool2d", "assigned, not added", "your dx keeps one share where windows overlap: add (+=), do not assign")(
    lambda call: assigned(call, lambda index, out: (call.dy / counts(call, call.setting("count_include_pad")))[out])
)
bug("avg_pool2d", "not divided", "your dx misses the factor 1/(KH·KW)")(pixels)
bug(
    "avg_pool2d",
    "padding not counted",
    "your dx divides by the pixels without padding: the mean counts it, divide by KH·KW",
)(lambda call: call.again(count_include_pad=False))
bug(
    "avg_pool2d", "padding counted", "your dx counts the padding: without count_include_pad divide by the pixels alone"
)(lambda call: call.again(count_include_pad=True))
bug(
    "avg_pool2d",
    "what lies beyond the padding counted",
    "your dx divides by KH·KW: what a window of ceil_mode has beyond the padding is not counted",
)(
    lambda call: (
        call.again(dy=call.dy * counts(call, True) / area(call)) if call.setting("count_include_pad") else call.right
    )
)
bug(
    "avg_pool2d",
    "last windows of ceil_mode forgotten",
    "your dx leaves out the windows that reach over the end: with ceil_mode they count, too",
)(lambda call: call.again(dy=whole_windows(call)))
bug("avg_pool2d", "divided by KH²", "your dx divides by KH·KH: the window may be no square, divide by KH·KW")(
    lambda call: call.right[0] * (window(call).KW / window(call).KH)
)
bug("avg_pool2d", "padding not cut off", "your dx is shifted by the padding: window oh begins at oh·stride − padding")(
    lambda call: avg_pool_dx(call.dy, window(call, PH=0, PW=0))
)
bug("avg_pool2d", "kernel size for the stride", "your dx lays windows side by side: window oh begins at oh·stride")(
    lambda call: avg_pool_dx(call.dy, window(call, SH="KH", SW="KW"))
)
bug("avg_pool2d", "strides exchanged", "your dx has the strides of rows and columns exchanged")(
    lambda call: avg_pool_dx(call.dy, window(call, SH="SW", SW="SH"))
)


# Adaptive pooling: cell i takes the rows ⌊i·H/OH⌋ … ⌈(i+1)·H/OH⌉ − 1, which may overlap.


def regions(call, stop=lambda i, size, cells: -(-(i + 1) * size // cells)):
    """(i, j, rows, columns) of each cell, in reading order."""
    (H, W), (OH, OW) = call.arrays[0].shape[2:], call.dy.shape[2:]
    for i, j in np.ndindex(OH, OW):
        yield i, j, slice(i * H // OH, stop(i, H, OH)), slice(j * W // OW, stop(j, W, OW))


def adaptive(call, size_of=lambda region: region.shape[2] * region.shape[3], assign=False, **ends):
    """dx to which each cell gives dy/size_of(its region); with assign, the last one stays."""
    dx = np.zeros_like(call.arrays[0])
    for i, j, rows, columns in regions(call, **ends):
        region = dx[:, :, rows, columns]
        share = call.dy[:, :, i : i + 1, j : j + 1] / max(size_of(region), 1)
        region[...] = share if assign else region + share
    return dx


bug("adaptive_avg_pool2d", "not divided", "your dx misses the factor 1/(pixels of the region)")(
    lambda call: adaptive(call, lambda region: 1)
)
bug(
    "adaptive_avg_pool2d",
    "divided by the rows alone",
    "your dx divides by the rows of the region: by rows times columns",
)(lambda call: adaptive(call, lambda region: region.shape[2]))
bug("adaptive_avg_pool2d", "divided by H·W", "your dx divides by H·W: by the pixels of the cell's own region")(
    lambda call: adaptive(call, lambda region: call.arrays[0].shape[2] * call.arrays[0].shape[3])
)
bug(
    "adaptive_avg_pool2d",
    "assigned, not added",
    "your dx keeps one share where regions overlap: add (+=), do not assign",
)(lambda call: adaptive(call, assign=True))
bug(
    "adaptive_avg_pool2d",
    "end rounded down",
    "your regions end at ⌊(i+1)·H/OH⌋: they end at ⌈(i+1)·H/OH⌉ and may overlap",
)(lambda call: adaptive(call, stop=lambda i, size, cells: (i + 1) * size // cells))
