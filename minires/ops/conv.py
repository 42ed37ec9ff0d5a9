"""Convolution."""

from minires import kernels
from minires.errors import ShapeError
from minires.kernels import Window
from minires.op import op


@op(needs=True)
def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation: multiply a window of x with a filter w, element by element, add up, and add a bias b.

        y[n,o,oh,ow] = Σ_{c,kh,kw} x[n,c,oh+kh,ow+kw]·w[o,c,kh,kw] + b[o]

    With stride s, dilation d and padding p (x is 0 outside the image) it is x[n,c, oh·s + kh·d − p, ow·s + kw·d − p].
    Each product x·w gives dx the term dy·w, and dw the term dy·x: kernels/readable/loops.py explains it.
    kernels/readable/im2col.py computes the same as products of matrices:

        Y = im2col(X)·Wᵀ        dX = col2im(dY·W)        dW = dYᵀ·im2col(X)        db = Σ dY over n, oh and ow

    The kernels called below give the same result, faster.

    x (N,C,H,W), weight w (O,C/groups,KH,KW), bias b (O,) -> y (N,O,OH,OW) with OH = ⌊(H + 2p − d·(KH − 1) − 1)/s⌋ + 1.
    padding="valid" is 0. "same" gives OH = H with stride 1; an odd row or column of padding comes last.
    With groups, a part of the output channels sees only a part of the input channels.
    Raises ShapeError when channels, groups or window do not fit, DTypeError when a setting is no integer.
    """
    win = Window.of(x.shape, weight.shape, stride, padding, dilation, groups)  # N, C, …, OH, OW, once checked
    has_bias = bias is not None
    if has_bias and bias.shape != (win.O,):
        raise ShapeError(f"conv2d: bias has shape {bias.shape}, {win.O} output channels need ({win.O},)")
    y = kernels.conv(x, weight, win)
    if has_bias:
        y += bias.reshape(1, -1, 1, 1)

    def backward(dy, needs=(True, True, True)):  # which of dx, dw, db are wanted: the first layer needs no dx
        if needs[0] and needs[1]:
            dx, dw = kernels.conv_dx_dw(dy, x, weight, win)
        else:
            dx = kernels.conv_dx(dy, weight, win) if needs[0] else None
            dw = kernels.conv_dw(dy, x, win) if needs[1] else None
        db = kernels.channel_sums(dy).astype(dy.dtype) if has_bias and needs[2] else None
        return (dx, dw, db) if has_bias else (dx, dw)

    return y, backward
