"""The convolution of im2col.py for a few images at a time, and for groups of channels.

Each of G groups is a convolution of its own, from C/G channels to O/G. Its matrices are those of im2col.py with a first
axis of length G, and K = KH·KW·C/G. So @ multiplies group by group, and swapaxes(1, 2) is ᵀ.
"""

from minires.arrays import empty_feature_map
from minires.kernels.readable import im2col

COLUMN_BYTES = 2 << 20  # cols has KH·KW times the size of x, so it is made for as many images as fit a cache


def conv(x, w, win):
    """y of x (N,C,H,W), w (O,C/G,KH,KW) -> (N,O,OH,OW)."""
    conv_of = im2col.conv if win.groups == 1 else group_conv
    y = empty_feature_map(win.y_shape, like=x, last=True)
    for part in parts(win, x.itemsize):
        y[part] = conv_of(x[part], w, win)
    return y


def conv_dx(dy, w, win):
    """dx of dy (N,O,OH,OW), w (O,C/G,KH,KW) -> (N,C,H,W)."""
    dx_of = im2col.conv_dx if win.groups == 1 else group_conv_dx
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    for part in parts(win, dy.itemsize):
        dx[part] = dx_of(dy[part], w, win)
    return dx


def conv_dw(dy, x, win):
    """dw of dy (N,O,OH,OW), x (N,C,H,W) -> (O,C/G,KH,KW): the sum over the images."""
    dw_of = im2col.conv_dw if win.groups == 1 else group_conv_dw
    dw = 0
    for part in parts(win, x.itemsize):
        dw = dw + dw_of(dy[part], x[part], win)
    return dw


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def parts(win, itemsize):
    """Slices of the batch. An empty batch has one, so that dw has its shape."""
    step = max(1, COLUMN_BYTES // (win.OH * win.OW * win.KH * win.KW * win.C * itemsize))
    return [slice(n, n + step) for n in range(0, max(win.N, 1), step)]


def group_conv(x, w, win):
    """Y = cols·Wᵀ of each group."""
    Y = group_columns(x, win) @ group_rows(w, win).swapaxes(1, 2)  # (G,R,K)·(G,K,O/G) -> (G,R,O/G)
    return im2col.as_feature_map(Y.swapaxes(0, 1).reshape(-1, win.O), win)  # (R,O) -> (N,O,OH,OW)


def group_conv_dx(dy, w, win):
    """dX = col2im(dY·W) of each group."""
    dcols = group_pixels(dy, win) @ group_rows(w, win)  # (G,R,O/G)·(G,O/G,K) -> (G,R,K)
    dcols = dcols.reshape(win.groups, -1, win.KH * win.KW, win.C // win.groups)
    return im2col.col2im(dcols.transpose(1, 2, 0, 3), win)  # (R,KH·KW,G,C/G) -> (N,C,H,W)


def group_conv_dw(dy, x, win):
    """dW = dYᵀ·cols of each group."""
    dW = group_pixels(dy, win).swapaxes(1, 2) @ group_columns(x, win)  # (G,O/G,R)·(G,R,K) -> (G,O/G,K)
    return im2col.as_filters(dW.reshape(win.O, -1), win)  # (O,K) -> (O,C/G,KH,KW)


def group_columns(x, win):
    """x (N,C,H,W) -> (R,KH·KW·C) -> (R,KH·KW,G,C/G) -> cols (G,R,K)"""
    G = win.groups
    elements = win.KH * win.KW
    cols = im2col.im2col(x, win).reshape(-1, elements, G, win.C // G)
    return cols.transpose(2, 0, 1, 3).reshape(G, -1, elements * (win.C // G))


def group_rows(w, win):
    """w (O,C/G,KH,KW) -> (O,K) -> W (G,O/G,K)"""
    W = im2col.as_rows(w)
    return W.reshape(win.groups, -1, W.shape[1])


def group_pixels(y, win):
    """y (N,O,OH,OW) -> (R,O) -> (R,G,O/G) -> Y (G,R,O/G)"""
    return im2col.as_pixels(y).reshape(-1, win.groups, win.O // win.groups).swapaxes(0, 1)
