"""Convolution by its definition, one product at a time. It is slow, and all faster kernels are compared with it.

Forward. Multiply a window of x with a filter w, element by element, and add up. Without stride and padding it is

    y[n,o,oh,ow] = Σ_{c,kh,kw} x[n,c,oh+kh,ow+kw]·w[o,c,kh,kw] + b[o]

Backward. dy is short for ∂L/∂y. An output y is a sum of products x·w. The derivative of a product by x is w, and by w
it is x. So by the chain rule each product adds dy·w to the gradient of its x, and dy·x to the gradient of its w:

    y += x·w        dx += dy·w        dw += dy·x

A bias b[o] is added to every y[n,o,oh,ow]: db[o] = Σ_{n,oh,ow} dy[n,o,oh,ow].

Example. In an image of 3×3 pixels, four windows of a 2×2 filter contain the pixel x[1,1] in the middle: y[0,0] has it
times w[1,1], y[0,1] times w[1,0], y[1,0] times w[0,1] and y[1,1] times w[0,0]. So

    dx[1,1] = dy[0,0]·w[1,1] + dy[0,1]·w[1,0] + dy[1,0]·w[0,1] + dy[1,1]·w[0,0]
"""

from itertools import product

from minires.arrays import array_module


def _products(win):
    """Every product y[n,o,oh,ow] += x[n,c,h,w]·w[o,c,kh,kw] of the convolution, as its three indices."""
    channels = win.C // win.groups  # that a filter sees: all, if there is one group
    for n, o, oh, ow in product(range(win.N), range(win.O), range(win.OH), range(win.OW)):
        group = o // (win.O // win.groups)
        for c, kh, kw in product(range(channels), range(win.KH), range(win.KW)):
            h = oh * win.SH + kh * win.DH - win.PH  # oh + kh, if there is no stride, dilation and padding
            w = ow * win.SW + kw * win.DW - win.PW
            if 0 <= h < win.H and 0 <= w < win.W:  # outside there are zeros
                yield (n, o, oh, ow), (n, group * channels + c, h, w), (o, c, kh, kw)


def conv(x, w, win):
    """y (N,O,OH,OW) of x (N,C,H,W) and w (O,C,KH,KW)."""
    y = array_module(x).zeros(win.y_shape, x.dtype)
    for at_y, at_x, at_w in _products(win):
        y[at_y] += x[at_x] * w[at_w]
    return y


def conv_dx(dy, w, win):
    """dx (N,C,H,W) of dy (N,O,OH,OW)."""
    dx = array_module(dy).zeros(win.x_shape, dy.dtype)
    for at_y, at_x, at_w in _products(win):
        dx[at_x] += dy[at_y] * w[at_w]
    return dx


def conv_dw(dy, x, win):
    """dw (O,C,KH,KW) of dy (N,O,OH,OW)."""
    dw = array_module(x).zeros((win.O, win.C // win.groups, win.KH, win.KW), x.dtype)
    for at_y, at_x, at_w in _products(win):
        dw[at_w] += dy[at_y] * x[at_x]
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)
