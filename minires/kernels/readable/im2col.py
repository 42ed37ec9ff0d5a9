"""Convolution as a matrix product  [Chellapilla et al. 2006].

Forward. im2col copies each window of x into a row of a matrix. One image with one channel and a 2×2 kernel give:

>>> x = np.arange(1, 10).reshape(1, 1, 3, 3)
>>> print(x[0, 0])
[[1 2 3]
 [4 5 6]
 [7 8 9]]
>>> win = Window.of(x.shape, (1, 1, 2, 2))
>>> cols = im2col(x, win)
>>> print(cols)
[[1 2 4 5]
 [2 3 5 6]
 [4 5 7 8]
 [5 6 8 9]]

There are P = N·OH·OW rows, one for each window, of K = KH·KW·C elements, in the order (kh,kw,c). A filter is a row of K
elements, too. An output is the product of a window and a filter, so all outputs are one product of matrices:

    Y = cols·Wᵀ             (P,K)·(K,O) -> (P,O)

Backward. Y[p,o] = Σ_k cols[p,k]·W[o,k]. W[o,k] is in Y[p,o] for every p, cols[p,k] for every o. By the chain rule

    dW[o,k] = Σ_p dY[p,o]·cols[p,k]        dW = dYᵀ·cols        (O,P)·(P,K) -> (O,K)
    dcols[p,k] = Σ_o dY[p,o]·W[o,k]        dcols = dY·W         (P,O)·(O,K) -> (P,K)

The 5 above was copied into four rows, so its gradient is the sum of four elements of dcols. col2im adds them up:
dX = col2im(dcols). If each element of dcols is 1, it counts how often each pixel was copied:

>>> print(col2im(np.ones_like(cols), win)[0, 0])
[[1 2 1]
 [2 4 2]
 [1 2 1]]

im2col and col2im are the same loop, once with `=` and once with `+=`. It goes over the elements (kh,kw) of the kernel,
and takes all windows at once, as slices. Here the element (0,1) meets x[0:2, 1:3] in the windows [0:2, 0:2]. Without
stride, padding and dilation it is always x[kh:kh+OH, kw:kw+OW]; win.positions() knows the general case.

convolution.py calls the functions of this file for a few images at a time, and adds groups.
"""

from minires.arrays import array_module


def im2col(x, win):
    """cols[n,oh,ow,kh,kw,c] = x[n,c, oh·SH + kh·DH − PH, ow·SW + kw·DW − PW], 0 in the padding.

    x (N,C,H,W) -> (P,K), for any number of images
    """
    pixels = x.transpose(0, 2, 3, 1)  # (N,C,H,W) -> (N,H,W,C)
    cols = array_module(x).zeros((len(x), win.OH, win.OW, win.KH, win.KW, win.C), x.dtype)
    # Under the kernel element (kh,kw) window (oh,ow) has pixel (h,w). oh, ow, h and w are slices: all windows at once.
    for kh, kw, (oh, ow), (h, w) in win.positions():
        cols[:, oh, ow, kh, kw] = pixels[:, h, w]
    return cols.reshape(-1, win.KH * win.KW * win.C)  # (N,OH,OW,KH,KW,C) -> (P,K)


def col2im(cols, win):
    """x[n,c,h,w] = Σ of all cols[n,oh,ow,kh,kw,c] that im2col copies from there.

    cols (P,K) -> (N,C,H,W), channels-last in memory
    """
    cols = cols.reshape(-1, win.OH, win.OW, win.KH, win.KW, win.C)  # (P,K) -> (N,OH,OW,KH,KW,C)
    pixels = array_module(cols).zeros((len(cols), win.H, win.W, win.C), cols.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        pixels[:, h, w] += cols[:, oh, ow, kh, kw]
    return pixels.transpose(0, 3, 1, 2)  # (N,H,W,C) -> (N,C,H,W)


def conv(x, w, win):
    """Y = im2col(X)·Wᵀ: x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW)."""
    Y = im2col(x, win) @ as_rows(w).T  # (P,K)·(K,O) -> (P,O)
    return as_feature_map(Y, win)


def conv_dx(dy, w, win):
    """dX = col2im(dY·W): dy (N,O,OH,OW), w (O,C,KH,KW) -> dx (N,C,H,W)."""
    dcols = as_pixels(dy) @ as_rows(w)  # (P,O)·(O,K) -> (P,K)
    return col2im(dcols, win)


def conv_dw(dy, x, win):
    """dW = dYᵀ·im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW)."""
    dW = as_pixels(dy).T @ im2col(x, win)  # (O,P)·(P,K) -> (O,K)
    return as_filters(dW, win)


def as_rows(w):
    """w (O,C,KH,KW) -> (O,KH,KW,C) -> W (O,K)"""
    return w.transpose(0, 2, 3, 1).reshape(len(w), -1)


def as_filters(W, win):
    """W (O,K) -> (O,KH,KW,C) -> w (O,C,KH,KW)"""
    return W.reshape(win.O, win.KH, win.KW, -1).transpose(0, 3, 1, 2)


def as_pixels(y):
    """y (N,O,OH,OW) -> (N,OH,OW,O) -> Y (P,O)"""
    return y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])


def as_feature_map(Y, win):
    """Y (P,O) -> (N,OH,OW,O) -> y (N,O,OH,OW)"""
    return Y.reshape(-1, win.OH, win.OW, win.O).transpose(0, 3, 1, 2)
