"""Convolution by its definition, one product at a time. It is slow, and all faster versions are compared with it.

Forward. Multiply a window of x with a filter w, element by element, and add up. Without stride and padding it is

    y[n,o,oh,ow] = Σ_{c,kh,kw} x[n,c,oh+kh,ow+kw]·w[o,c,kh,kw] + b[o]

    n image    c channel of x    o filter, which is the channel of y    oh,ow pixel of y    kh,kw place in the filter
    b[o] bias of filter o

Backward. dy is short for ∂L/∂y, dx for ∂L/∂x, and so on. The derivative of a product x·w by x is w, and by w it is x.
One x is in many products, and so is one w. L depends on it through each of them, and the chain rule adds these up. So
each product adds one term to the dx of its x, and one to the dw of its w:

    y += x·w        dx += dy·w        dw += dy·x

The three loops below are these three rules. Stride, padding and dilation change which pixel is in a product, and not
the rules: windows are S pixels apart, P zeros surround x, and the elements of a filter are D pixels apart. b[o] is
added to every y[n,o,oh,ow], so db[o] = Σ_{n,oh,ow} dy[n,o,oh,ow]; ops/conv.py adds b, and computes db.

Example: one image of 3×3 pixels, one filter of 2×2, so dy is 2×2. The pixel (1,1) in the middle is in all four windows.
A window and the place in it add up to the pixel, as (0,1) + (1,0) = (1,1):

    dx[1,1] = dy[0,0]·w[1,1] + dy[0,1]·w[1,0] + dy[1,0]·w[0,1] + dy[1,1]·w[0,0]

The code needs no more than the rules, so skip the rest at first. dx can also be written as one sum (without stride and
padding; elements outside dy count as 0):

    dx[n,c,row,col] = Σ_{o,kh,kw} dy[n,o,row−kh,col−kw]·w[o,c,kh,kw]

With kh = KH−1−i and kw = KW−1−j the place in dy is (row−KH+1+i, col−KW+1+j). So dx is a convolution again: of dy with
KH−1 rows and KW−1 columns of zeros on each side, and the filter turned by 180°, where o and c have changed places.
"""

from itertools import product

from minires.arrays import array_module


def _products(win):
    """The indices of y, x and w in every product y[n,o,oh,ow] += x[n,c,row,col]·w[o,c,kh,kw].

    win (window.py) is not one window, but the sizes of all: N, C, H, …, and S, P and D of both directions.
    """
    channels = win.C // win.groups  # that a filter sees: all, if there is one group
    for n, o, oh, ow in product(range(win.N), range(win.O), range(win.OH), range(win.OW)):
        group = o // (win.O // win.groups)
        for c, kh, kw in product(range(channels), range(win.KH), range(win.KW)):
            row = oh * win.SH + kh * win.DH - win.PH  # oh + kh, if there is no stride, dilation and padding
            col = ow * win.SW + kw * win.DW - win.PW
            if 0 <= row < win.H and 0 <= col < win.W:  # outside there are zeros
                yield (n, o, oh, ow), (n, group * channels + c, row, col), (o, c, kh, kw)


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
