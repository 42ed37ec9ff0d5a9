"""Bugs of convolution: of col2im, the geometry, channels and groups, sums, and what a backward must not do."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.kernels import Window
from minires.kernels.readable import convolution


def window(call, **changed):
    """The window of the call, with some letters changed: SH="SW" puts SW for SH, SH=1 puts 1."""
    win = Window.of(call.x.shape, call.arrays[1].shape, **call.static)
    return win._replace(**{k: getattr(win, v) if isinstance(v, str) else v for k, v in changed.items()})


def wrong_dx(call, **changed):
    """dx by another window; what it reads outside x is lost."""
    return call.but(x=convolution.conv_dx(call.dy, call.arrays[1], window(call, **changed)))


def wrong_dweight(call, **changed):
    """dweight by another window."""
    return call.but(weight=convolution.conv_dw(call.dy, call.x, window(call, **changed)))


@bug("conv2d", "col2im assigns")
def _(call):
    """your dx keeps the gradient of one window where windows overlap: col2im must add (+=), not assign"""
    win = window(call)
    w = call.arrays[1]
    dx = np.zeros_like(call.x)
    for kh, kw, _, (rows, columns) in win.positions():
        one = win._replace(KH=1, KW=1, PH=win.PH - kh * win.DH, PW=win.PW - kw * win.DW)
        part = convolution.conv_dx(call.dy, w[:, :, kh : kh + 1, kw : kw + 1], one)
        dx[:, :, rows, columns] = part[:, :, rows, columns]
    return call.but(x=dx)


@bug("conv2d", "kernel flipped in dx")
def _(call):
    """your dx uses the flipped kernel: what the forward multiplied by weight[kh,kw], dx multiplies by it too"""
    x, w, *b = call.arrays
    return call.but(x=call.again(x, w[:, :, ::-1, ::-1], *b)[0])


@bug("conv2d", "dweight flipped")
def _(call):
    """your dweight is flipped: y is a cross-correlation, so dweight[kh,kw] belongs to weight[kh,kw]"""
    return call.but(weight=call.right[1][:, :, ::-1, ::-1])


@bug("conv2d", "rows and columns exchanged in dweight")
def _(call):
    """your dweight has rows and columns of the kernel exchanged: its shape is (O,C/groups,KH,KW)"""
    dw = call.right[1]
    return call.but(weight=dw.swapaxes(2, 3)) if dw.shape[2] == dw.shape[3] else call.right


# The geometry: output row oh reads input row oh·SH + kh·DH − PH.


@bug("conv2d", "strides exchanged in dx")
def _(call):
    """your dx has the strides of rows and columns exchanged: stride = (rows, columns)"""
    return wrong_dx(call, SH="SW", SW="SH")


@bug("conv2d", "strides exchanged in dweight")
def _(call):
    """your dweight has the strides of rows and columns exchanged: stride = (rows, columns)"""
    return wrong_dweight(call, SH="SW", SW="SH")


@bug("conv2d", "stride ignored in dx")
def _(call):
    """your dx ignores the stride: output (oh,ow) reads input row oh·stride[0] and column ow·stride[1]"""
    return wrong_dx(call, SH=1, SW=1)


@bug("conv2d", "row stride for columns in dweight")
def _(call):
    """your dweight uses stride[0] for the columns too: columns have stride[1]"""
    return wrong_dweight(call, SW="SH")


@bug("conv2d", "paddings exchanged in dx")
def _(call):
    """your dx has the paddings of rows and columns exchanged: padding = (rows, columns)"""
    return wrong_dx(call, PH="PW", PW="PH")


@bug("conv2d", "padding not cut off dx")
def _(call):
    """your dx is shifted by the padding p: cut it out of the padded one, beginning at row p and column p"""
    return wrong_dx(call, PH=0, PW=0)


@bug("conv2d", "padding forgotten in dweight")
def _(call):
    """your dweight reads x without its padding: pad x as in the forward"""
    return wrong_dweight(call, PH=0, PW=0)


@bug("conv2d", "dilation ignored in dx")
def _(call):
    """your dx ignores the dilation: kernel row kh reads input row oh·stride + kh·dilation − padding"""
    return wrong_dx(call, DH=1, DW=1)


@bug("conv2d", "dilations exchanged in dweight")
def _(call):
    """your dweight has the dilations of rows and columns exchanged: dilation = (rows, columns)"""
    return wrong_dweight(call, DH="DW", DW="DH")


@bug("conv2d", "cut with −p where p is 0")
def _(call):
    """your dx is empty when the padding p is 0, because [p:-p] is [0:0] then: write [p:p + H]"""
    win = window(call)
    PH = win.PH
    PW = win.PW
    padded = np.pad(call.right[0], ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    return call.but(x=padded[:, :, PH:-PH, PW:-PW])


@bug("conv2d", "first rows left over, not last")
def _(call):
    """your dx is shifted down: the rows and columns that the stride leaves out are the last ones, dx is 0 there"""
    win = window(call)
    left_h = (win.H + 2 * win.PH - win.DH * (win.KH - 1) - 1) % win.SH
    left_w = (win.W + 2 * win.PW - win.DW * (win.KW - 1) - 1) % win.SW
    return wrong_dx(call, PH=win.PH - left_h, PW=win.PW - left_w)


@bug("conv2d", "last row of outputs forgotten")
def _(call):
    """your dx and dweight miss the last row of dy: OH = (H + 2·padding − dilation·(KH − 1) − 1)//stride + 1"""
    dy = call.dy.copy()
    dy[:, :, -1] = 0
    dx, dw, *_ = call.again(dy=dy)
    return call.but(x=dx, weight=dw)


# Channels and groups, where sizes happen to fit.


@bug("conv2d", "channels exchanged in dx")
def _(call):
    """your dx uses weight[c,o] for weight[o,c]: weight has shape (O,C/groups,KH,KW)"""
    x, w, *b = call.arrays
    return call.but(x=call.again(x, w.swapaxes(0, 1), *b)[0]) if w.shape[0] == w.shape[1] else call.right


@bug("conv2d", "channels exchanged in dweight")
def _(call):
    """your dweight is dweight[c,o], it must be dweight[o,c]: weight has shape (O,C/groups,KH,KW)"""
    dw = call.right[1]
    return call.but(weight=dw.swapaxes(0, 1)) if dw.shape[0] == dw.shape[1] else call.right


@bug("conv2d", "first group only in dx", when=lambda call: call.setting("groups") > 1)
def _(call):
    """your dx is zero except in the first group: loop over all groups"""
    dx = call.right[0].copy()
    dx[:, dx.shape[1] // call.setting("groups") :] = 0
    return call.but(x=dx)


@bug("conv2d", "groups interleaved in dweight")
def _(call):
    """your dweight has the groups in the wrong order: output channel o belongs to group o // (O // groups)"""
    dw = call.right[1]
    return call.but(weight=dw.reshape(call.setting("groups"), -1, *dw.shape[1:]).swapaxes(0, 1).reshape(dw.shape))


@bug("conv2d", "every group reads the first in dweight")
def _(call):
    """your dweight uses the first group's channels of x for every group: group g reads its own channels"""
    x, *rest = call.arrays
    groups = call.setting("groups")
    return call.but(weight=call.again(np.tile(x[:, : x.shape[1] // groups], (1, groups, 1, 1)), *rest)[1])


@bug("conv2d", "columns in another order than weight")
def _(call):
    """your dweight has its elements in the order (kh,kw,c): use one order in im2col and in weight.reshape"""
    dw = call.right[1]
    return call.but(weight=dw.transpose(0, 2, 3, 1).reshape(dw.shape))


@bug("conv2d", "dx reshaped, not transposed")
def _(call):
    """your dx has its elements in the order (N,H,W,C): transpose to (N,C,H,W), do not reshape"""
    dx = call.right[0]
    return call.but(x=dx.transpose(0, 2, 3, 1).reshape(dx.shape))


# What is summed, and what is divided.


@bug("conv2d", "dweight of the last image")
def _(call):
    """your dweight is that of the last image only: sum over the batch (+=, not =)"""
    x, *rest = call.arrays
    return call.but(weight=call.again(x[-1:], *rest, dy=call.dy[-1:])[1])


@bug("conv2d", "dweight averaged over the batch")
def _(call):
    """your dweight is averaged over the batch: sum over the batch, do not divide"""
    return call.but(weight=call.right[1] / max(len(call.dy), 1))


@bug("conv2d", "upstream forgotten in dweight")
def _(call):
    """your dweight ignores dy: it is dyᵀ·im2col(x), not the sum of the columns"""
    return call.but(weight=call.again(dy=np.ones_like(call.dy))[1])


@bug("conv2d", "dx averaged over the batch")
def _(call):
    """your dx is averaged over the batch: each image has its own dx, do not divide"""
    return call.but(x=call.right[0] / max(len(call.dy), 1))


@bug("conv2d", "dbias averaged over the batch")
def _(call):
    """your dbias is averaged over the batch: sum dy over N, OH and OW, do not divide"""
    return call.but(bias=call.dy.sum(axis=(0, 2, 3)) / max(len(call.dy), 1))


@bug("conv2d", "dbias averaged over everything")
def _(call):
    """your dbias is the mean of dy: sum dy over N, OH and OW, do not divide"""
    return call.but(bias=call.dy.sum(axis=(0, 2, 3)) / max(call.dy[:, 0].size, 1))


@bug("conv2d", "dbias of the last image")
def _(call):
    """your dbias is that of the last image only: sum dy over N too"""
    return call.but(bias=call.dy[-1:].sum(axis=(0, 2, 3)))


@bug("conv2d", "dbias of the first column")
def _(call):
    """your dbias misses an axis: sum dy over N, OH and OW, all three"""
    return call.but(bias=call.dy[..., 0].sum(axis=(0, 2)))


# Shapes, order, dtype, and what is kept between calls.


@bug("conv2d", "dbias with axes of length 1")
def _(call):
    """your dbias has shape (1,O,1,1): bias has shape (O,), sum without keepdims"""
    return call.but(bias=call.dy.sum(axis=(0, 2, 3), keepdims=True))


@bug("conv2d", "dx and dweight exchanged")
def _(call):
    """your dx and dweight are returned in the wrong order: return them in the order of the arguments"""
    dx, dw, *db = call.right
    return dw, dx, *db


@bug("conv2d", "dx in float32")
def _(call):
    """your dx is always float32: make it with np.zeros(shape, x.dtype) or np.zeros_like(x)"""
    return call.but(x=call.right[0].astype(np.float32))


@bug("conv2d", "dweight never set to zero")
def _(call):
    """your dweight grows with every call: begin each backward with a dweight of zeros"""
    call.state["dw"] = call.state.get("dw", 0) + call.right[1]
    return call.but(weight=call.state["dw"])


@bug("conv2d", "x read in the order of memory")
def _(call):
    """your dweight reads x as if it were contiguous: it may be channels-last, use np.ascontiguousarray(x)"""
    x, *rest = call.arrays
    return call.but(weight=call.again(x.ravel(order="K").reshape(x.shape), *rest)[1])
