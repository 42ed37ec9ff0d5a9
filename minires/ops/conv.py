"""Convolution."""

from minires import kernels
from minires.errors import ShapeError
from minires.kernels import Window
from minires.op import op


@op(needs=True)
def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation y[n,o,oh,ow] = Σ_{c,kh,kw} w[o,c,kh,kw] · x[n,c, oh·s + kh·d − p, ow·s + kw·d − p] + b[o].

    s, p and d are stride, padding and dilation. As matrices Y = im2col(X)·Wᵀ + b, so
    dX = col2im(dY·W), dW = dYᵀ·im2col(X), and db = Σ dY over n, oh and ow.
    kernels/readable/im2col.py computes these products. loops.py beside it sums the definition directly: read it first.
    The kernels called below compute the same, faster.

    x (N,C,H,W), weight w (O,C/groups,KH,KW), bias b (O,) -> y (N,O,OH,OW) with OH = ⌊(H + 2p − d·(KH − 1) − 1)/s⌋ + 1.
    padding="valid" is 0; "same" gives OH = H with stride 1, an odd row or column of padding coming last.
    Raises ShapeError when channels, groups or window do not fit, DTypeError when a setting is no integer.
    """
    win = Window.of(x.shape, weight.shape, stride, padding, dilation, groups)
    has_bias = bias is not None
    if has_bias and bias.shape != (win.O,):
        raise ShapeError(f"conv2d: bias has shape {bias.shape}, {win.O} output channels need ({win.O},)")
    y = kernels.conv(x, weight, win)
    if has_bias:
        y += bias.reshape(1, -1, 1, 1)

    def backward(dy, needs=(True, True, True)):  # which of x, weight, bias want a gradient: an image does not
        if needs[0] and needs[1]:
            dx, dw = kernels.conv_dx_dw(dy, x, weight, win)
        else:
            dx = kernels.conv_dx(dy, weight, win) if needs[0] else None
            dw = kernels.conv_dw(dy, x, win) if needs[1] else None
        db = kernels.channel_sums(dy).astype(dy.dtype) if has_bias and needs[2] else None
        return (dx, dw, db) if has_bias else (dx, dw)

    return y, backward
