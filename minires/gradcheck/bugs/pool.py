"""Bugs of pooling."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.kernels import Window
from minires.kernels.readable import avg_pool_dx, max_pool, max_pool_argmax, max_pool_dx

BOTH = ("max_pool2d", "avg_pool2d")


def window(call, **changed):
    """The window of the call, with some letters changed: SH="KH" puts KH for SH, PH=0 puts 0."""
    settings = {name: value for name, value in call.static.items() if name != "count_include_pad"}
    win = Window.pool(call.x.shape, **settings)
    return win._replace(**{k: getattr(win, v) if isinstance(v, str) else v for k, v in changed.items()})


def argmax(call):
    """kh·KW + kw of the maximum of each window."""
    win = window(call)
    return max_pool_argmax(call.x, max_pool(call.x, win), win)


def pool_dx(call, **changed):
    """dx by a window with some letters changed."""
    if call.op == "max_pool2d":
        return max_pool_dx(call.dy, argmax(call), window(call, **changed))
    return avg_pool_dx(call.dy, window(call, **changed))


def maxima(call):
    """For each kernel element (kh,kw): kh·KW + kw, the outputs, the inputs, and where the input is the maximum."""
    win = window(call)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        out = (slice(None), slice(None), oh, ow)
        src = (slice(None), slice(None), h, w)
        yield kh * win.KW + kw, out, src, call.x[src] == call.y[out]


def assigned(call, part):
    """dx to which each kernel element assigns part(kh·KW + kw, outputs) where that is not 0: the last window stays."""
    win = window(call)
    dx = np.zeros_like(call.x)
    for kh, kw, out, (h, w) in reversed(win.positions()):
        given = part(kh * win.KW + kw, (slice(None), slice(None), *out))
        dx[:, :, h, w] = np.where(given != 0, given, dx[:, :, h, w])
    return dx


# Both kinds.


@bug(BOTH, "kernel size for the stride")
def _(call):
    """your dx assumes stride = kernel size: window oh begins at row oh·stride − padding"""
    return pool_dx(call, SH="KH", SW="KW")


@bug(BOTH, "strides exchanged")
def _(call):
    """your dx has the strides of rows and columns exchanged: stride = (rows, columns)"""
    return pool_dx(call, SH="SW", SW="SH")


@bug(BOTH, "padding not subtracted")
def _(call):
    """your dx is shifted by the padding: window oh begins at row oh·stride − padding"""
    return pool_dx(call, PH=0, PW=0)


@bug(BOTH, "last windows of ceil_mode forgotten")
def _(call):
    """your dx misses the windows that reach past the end of x: with ceil_mode they count too"""
    win = window(call)
    dy = call.dy.copy()
    dy[:, :, (win.H + 2 * win.PH - win.DH * (win.KH - 1) - 1) // win.SH + 1 :] = 0
    dy[:, :, :, (win.W + 2 * win.PW - win.DW * (win.KW - 1) - 1) // win.SW + 1 :] = 0
    return call.again(dy=dy)


# Max pooling.


@bug("max_pool2d", "assigned, not added")
def _(call):
    """your dx keeps the gradient of one window where windows overlap: add (+=), do not assign"""
    won = argmax(call)
    return assigned(call, lambda index, out: call.dy[out] * (won[out] == index))


@bug("max_pool2d", "to all of several equal ones")
def _(call):
    """your dx gives dy to all of several equal maxima: give it to the first of them"""
    dx = np.zeros_like(call.x)
    for _, out, src, is_maximum in maxima(call):
        dx[src] += call.dy[out] * is_maximum
    return dx


@bug("max_pool2d", "to the last of equal ones")
def _(call):
    """your dx gives dy to the last of several equal maxima: give it to the first of them"""
    last = np.full(call.dy.shape, -1)
    for index, out, _, is_maximum in maxima(call):
        last[out][is_maximum] = index
    return max_pool_dx(call.dy, last, window(call))


@bug("max_pool2d", "spread evenly")
def _(call):
    """your dx is that of average pooling: all of dy goes to the maximum of the window"""
    return avg_pool_dx(call.dy, window(call))


@bug("max_pool2d", "dilation forgotten")
def _(call):
    """your dx ignores the dilation: kernel row kh of window oh is row oh·stride + kh·dilation − padding"""
    return pool_dx(call, DH=1, DW=1)


@bug("max_pool2d", "upstream forgotten")
def _(call):
    """your dx is the mask of the maxima alone: multiply it by dy"""
    return call.again(dy=np.ones_like(call.dy))


@bug("max_pool2d", "to the minimum")
def _(call):
    """your dx goes to the minimum of each window: use argmax, not argmin"""
    return call.again(-call.x)


@bug("max_pool2d", "argmax divided by KH")
def _(call):
    """your argmax is split by divmod(argmax, KH): a row of the window has KW elements, use divmod(argmax, KW)"""
    win = window(call)
    kh, kw = np.divmod(argmax(call), win.KH)
    return max_pool_dx(call.dy, np.where((kh < win.KH) & (kw < win.KW), kh * win.KW + kw, -1), win)


@bug("max_pool2d", "dx never set to zero")
def _(call):
    """your dx grows with every call: begin each backward with a dx of zeros"""
    call.state["dx"] = call.state.get("dx", 0) + call.right[0]
    return call.state["dx"]


# Average pooling.


def counts(call, count_include_pad):
    """The number of elements of each window, (OH,OW)."""
    rows, columns = window(call).counts(count_include_pad)
    return np.multiply.outer(rows, columns)


@bug("avg_pool2d", "assigned, not added")
def _(call):
    """your dx keeps the gradient of one window where windows overlap: add (+=), do not assign"""
    part = call.dy / counts(call, call.setting("count_include_pad"))
    return assigned(call, lambda index, out: part[out])


@bug("avg_pool2d", "not divided")
def _(call):
    """your dx misses the factor 1/(KH·KW): y is a mean"""
    return avg_pool_dx(call.dy * counts(call, True), window(call))


@bug("avg_pool2d", "padding not counted")
def _(call):
    """your dx is divided by the elements without the padding: the mean counts it, divide by KH·KW"""
    return call.again(count_include_pad=False)


@bug("avg_pool2d", "padding counted")
def _(call):
    """your dx counts the padding: with count_include_pad=False divide by the elements without it"""
    return call.again(count_include_pad=True)


@bug("avg_pool2d", "elements beyond the padding counted", when=lambda call: call.setting("count_include_pad"))
def _(call):
    """your dx is divided by KH·KW: with ceil_mode a window may reach past the padding, do not count that part"""
    win = window(call)
    return call.again(dy=call.dy * counts(call, True) / (win.KH * win.KW))


@bug("avg_pool2d", "divided by KH²")
def _(call):
    """your dx is divided by KH·KH: divide by KH·KW, the window need not be square"""
    win = window(call)
    return call.right[0] * (win.KW / win.KH)


# Adaptive pooling: output i takes the rows ⌊i·H/OH⌋ … ⌈(i+1)·H/OH⌉ − 1. These regions may overlap.


def adaptive_dx(call, size_of=lambda region: region.shape[2] * region.shape[3], assign=False, ceil=True):
    """dx to which each output gives dy/size_of(its region). assign: the last one stays. ceil: the end is rounded up."""
    (H, W), (OH, OW) = call.x.shape[2:], call.dy.shape[2:]

    def region_of(i, size, outputs):
        end = -(-(i + 1) * size // outputs) if ceil else (i + 1) * size // outputs
        return slice(i * size // outputs, end)

    dx = np.zeros_like(call.x)
    for i, j in np.ndindex(OH, OW):
        region = dx[:, :, region_of(i, H, OH), region_of(j, W, OW)]
        part = call.dy[:, :, i : i + 1, j : j + 1] / max(size_of(region), 1)
        region[...] = part if assign else region + part
    return dx


@bug("adaptive_avg_pool2d", "not divided")
def _(call):
    """your dx is not divided: divide by the number of elements of the region"""
    return adaptive_dx(call, lambda region: 1)


@bug("adaptive_avg_pool2d", "divided by the rows alone")
def _(call):
    """your dx is divided by the rows of the region: divide by its rows times its columns"""
    return adaptive_dx(call, lambda region: region.shape[2])


@bug("adaptive_avg_pool2d", "divided by H·W")
def _(call):
    """your dx is divided by H·W: divide by the number of elements of the output's own region"""
    H, W = call.x.shape[2:]
    return adaptive_dx(call, lambda region: H * W)


@bug("adaptive_avg_pool2d", "assigned, not added")
def _(call):
    """your dx keeps the gradient of one region where regions overlap: add (+=), do not assign"""
    return adaptive_dx(call, assign=True)


@bug("adaptive_avg_pool2d", "end rounded down")
def _(call):
    """your regions end at ⌊(i+1)·H/OH⌋: round the end up, ⌈(i+1)·H/OH⌉"""
    return adaptive_dx(call, ceil=False)
