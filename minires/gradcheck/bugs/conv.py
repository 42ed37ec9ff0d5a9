"""Bugs of convolution: of col2im, the geometry, channels and groups, of what is added up, and of manners."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.kernels import Window
from minires.kernels.readable import im2col


def parts(call):
    """(window, x, w) of a call."""
    x, w = call.arrays[:2]
    return Window.of(x.shape, w.shape, **call.static), x, w


def misread(argument, **letters):
    """dx or dw by a window with other letters: SH="SW" puts SW for SH, SH=1 puts 1; what falls outside is lost."""

    def gradients(call):
        win, x, w = parts(call)
        wrong = win._replace(**{k: getattr(win, v) if isinstance(v, str) else v for k, v in letters.items()})
        if argument == "x":
            return call.but(x=im2col.conv_dx(call.dy, w, wrong))
        return call.but(weight=im2col.conv_dw(call.dy, x, wrong))

    return gradients


@bug("conv2d", "col2im assigns", "your dx keeps one share of each pixel: windows overlap, so col2im must add (+=)")
def _(call):
    win, x, w = parts(call)
    dx = np.zeros_like(x)
    for kh, kw, _, (h, v) in win.positions():
        tap = win._replace(KH=1, KW=1, PH=win.PH - kh * win.DH, PW=win.PW - kw * win.DW)
        share = im2col.conv_dx(call.dy, w[:, :, kh : kh + 1, kw : kw + 1], tap)
        dx[:, :, h, v] = share[:, :, h, v]
    return call.but(x=dx)


bug(
    "conv2d",
    "kernel flipped in dx",
    "your dx uses the kernel turned by 180°: tap (kh,kw) of the forward carries its gradient back itself",
)(lambda call: call.but(x=call.again(call.arrays[0], call.arrays[1][:, :, ::-1, ::-1], *call.arrays[2:])[0]))
bug("conv2d", "dw flipped", "your dw is turned by 180°: y is a cross-correlation, so dw[kh,kw] belongs to w[kh,kw]")(
    lambda call: call.but(weight=call.right[1][:, :, ::-1, ::-1])
)


@bug("conv2d", "rows and columns exchanged in dw", "your dw has rows and columns of the kernel exchanged")
def _(call):
    dw = call.right[1]
    return call.but(weight=dw.swapaxes(2, 3)) if dw.shape[2] == dw.shape[3] else call.right


# The geometry: output row oh meets input row oh·SH + kh·DH − PH.

bug(
    "conv2d",
    "strides exchanged in dx",
    "your dx has the strides of rows and columns exchanged: stride = (rows, columns)",
)(misread("x", SH="SW", SW="SH"))
bug(
    "conv2d",
    "strides exchanged in dw",
    "your dw has the strides of rows and columns exchanged: stride = (rows, columns)",
)(misread("weight", SH="SW", SW="SH"))
bug("conv2d", "stride ignored in dx", "your dx ignores the stride: output (oh,ow) belongs to input (oh·SH, ow·SW)")(
    misread("x", SH=1, SW=1)
)
bug("conv2d", "row stride for columns in dw", "your dw uses stride[0] for the columns too: they have stride[1]")(
    misread("weight", SW="SH")
)
bug("conv2d", "paddings exchanged in dx", "your dx has the padding of rows and columns exchanged")(
    misread("x", PH="PW", PW="PH")
)
bug(
    "conv2d",
    "padding not cut off dx",
    "your dx is shifted by the padding: it begins at row p, column p of the padded one",
)(misread("x", PH=0, PW=0))
bug("conv2d", "padding forgotten in dw", "your dw reads x without its padding: pad x as in the forward")(
    misread("weight", PH=0, PW=0)
)
bug("conv2d", "dilation ignored in dx", "your dx ignores the dilation: tap kh reads row oh·stride + kh·dilation")(
    misread("x", DH=1, DW=1)
)
bug("conv2d", "dilations exchanged in dw", "your dw has the dilations of rows and columns exchanged")(
    misread("weight", DH="DW", DW="DH")
)


@bug(
    "conv2d", "cut with −p where p is 0", "your dx is empty without padding: [p:-p] of p = 0 is [0:0], write [p:p + H]"
)
def _(call):
    PH = parts(call)[0].PH
    PW = parts(call)[0].PW
    padded = np.pad(call.right[0], ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    return call.but(x=padded[:, :, PH:-PH, PW:-PW])


@bug(
    "conv2d",
    "rows left over taken for the first",
    "your dx lies too low: what the stride leaves over are the last rows and columns, and their dx is 0",
)
def _(call):
    win, _, w = parts(call)
    left_h = (win.H + 2 * win.PH - win.DH * (win.KH - 1) - 1) % win.SH
    left_w = (win.W + 2 * win.PW - win.DW * (win.KW - 1) - 1) % win.SW
    return call.but(x=im2col.conv_dx(call.dy, w, win._replace(PH=win.PH - left_h, PW=win.PW - left_w)))


@bug(
    "conv2d",
    "last row of outputs forgotten",
    "your dx and dw miss the last row of outputs: OH = (H + 2p − reach)//stride + 1, mind the + 1",
)
def _(call):
    dy = call.dy.copy()
    dy[:, :, -1] = 0
    dx, dw, *_ = call.again(dy=dy)
    return call.but(x=dx, weight=dw)


# Channels and groups, where sizes happen to fit.


@bug("conv2d", "channels exchanged in dx", "your dx uses w[c,o] for w[o,c]: w is (O,C/groups,KH,KW)")
def _(call):
    x, w, *b = call.arrays
    return call.but(x=call.again(x, w.swapaxes(0, 1), *b)[0]) if w.shape[0] == w.shape[1] else call.right


@bug("conv2d", "channels exchanged in dw", "your dw is dw[c,o] where dw[o,c] is wanted: w is (O,C/groups,KH,KW)")
def _(call):
    dw = call.right[1]
    return call.but(weight=dw.swapaxes(0, 1)) if dw.shape[0] == dw.shape[1] else call.right


@bug("conv2d", "first group only in dx", "your dx is zero but for the first group: loop over all groups")
def _(call):
    dx = call.right[0].copy()
    groups = call.setting("groups")
    if groups > 1:
        dx[:, dx.shape[1] // groups :] = 0
    return call.but(x=dx)


@bug(
    "conv2d",
    "groups interleaved in dw",
    "your dw mixes up the groups: output channel o belongs to group o // (O/groups)",
)
def _(call):
    dw = call.right[1]
    groups = call.setting("groups")
    return call.but(weight=dw.reshape(groups, -1, *dw.shape[1:]).swapaxes(0, 1).reshape(dw.shape))


@bug("conv2d", "every group reads the first in dw", "your dw reads the first group's channels of x for every group")
def _(call):
    x, *rest = call.arrays
    groups = call.setting("groups")
    return call.but(weight=call.again(np.tile(x[:, : x.shape[1] // groups], (1, groups, 1, 1)), *rest)[1])


@bug(
    "conv2d",
    "columns in another order than w",
    "your dw has its numbers in the order (kh,kw,c): the columns of im2col and w.reshape must agree",
)
def _(call):
    dw = call.right[1]
    return call.but(weight=dw.transpose(0, 2, 3, 1).reshape(dw.shape))


@bug(
    "conv2d",
    "dx reshaped for transposed",
    "your dx has its numbers in the order (N,H,W,C): transpose it, do not reshape",
)
def _(call):
    dx = call.right[0]
    return call.but(x=dx.transpose(0, 2, 3, 1).reshape(dx.shape))


# What is added up, and what is divided.

bug("conv2d", "dw of the last picture", "your dw is that of the last picture only: add up over the batch (+=, not =)")(
    lambda call: call.but(weight=call.again(call.arrays[0][-1:], *call.arrays[1:], dy=call.dy[-1:])[1])
)
bug("conv2d", "dw averaged over the batch", "your dw looks averaged over the batch: add up over N, divide by nothing")(
    lambda call: call.but(weight=call.right[1] / max(len(call.dy), 1))
)
bug("conv2d", "upstream forgotten in dw", "your dw ignores dy: it is dYᵀ·im2col(X), not the sum of the columns")(
    lambda call: call.but(weight=call.again(dy=np.ones_like(call.dy))[1])
)
bug("conv2d", "dx averaged over the batch", "your dx looks divided by the batch size: every picture has its own dx")(
    lambda call: call.but(x=call.right[0] / max(len(call.dy), 1))
)
bug(
    "conv2d",
    "db averaged over the batch",
    "your db looks averaged over the batch: add dy up over N, OH and OW, divide by nothing",
)(lambda call: call.but(bias=call.dy.sum(axis=(0, 2, 3)) / max(len(call.dy), 1)))
bug("conv2d", "db averaged over everything", "your db is a mean of dy: add dy up over N, OH and OW, divide by nothing")(
    lambda call: call.but(bias=call.dy.sum(axis=(0, 2, 3)) / max(call.dy[:, 0].size, 1))
)
bug("conv2d", "db of the last picture", "your db is that of the last picture only: add dy up over N too")(
    lambda call: call.but(bias=call.dy[-1:].sum(axis=(0, 2, 3)))
)
bug("conv2d", "db of the first column", "your db misses an axis: add dy up over N, OH and OW, all three")(
    lambda call: call.but(bias=call.dy[..., 0].sum(axis=(0, 2)))
)

# Manners.

bug("conv2d", "db with axes of length 1", "your db has shape (1,O,1,1): leave keepdims away, b is (O,)")(
    lambda call: call.but(bias=call.dy.sum(axis=(0, 2, 3), keepdims=True))
)
bug("conv2d", "dx and dw exchanged", "your dx and dw are returned in the wrong order: it is that of the arguments")(
    lambda call: (call.right[1], call.right[0], *call.right[2:])
)
bug("conv2d", "dx in float32", "your dx is float32 whatever x is: np.zeros(shape, x.dtype), or np.zeros_like(x)")(
    lambda call: call.but(x=call.right[0].astype(np.float32))
)


@bug("conv2d", "dw never set to zero", "your dw grows with every call: begin each backward with a dw of zeros")
def _(call):
    call.state["dw"] = call.state.get("dw", 0) + call.right[1]
    return call.but(weight=call.state["dw"])


@bug(
    "conv2d",
    "x read as it lies in memory",
    "your dw takes x for contiguous, but it may be channels-last or transposed: np.ascontiguousarray(x) first",
)
def _(call):
    x, *rest = call.arrays
    return call.but(weight=call.again(x.ravel(order="K").reshape(x.shape), *rest)[1])
