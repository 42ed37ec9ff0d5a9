"""Convolution as a product of matrices  [Chellapilla et al. 2006]. loops.py has its definition.

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

There are R = N·OH·OW rows, one for each window. A row has K = KH·KW·C elements in the order (kh,kw,c), in which all
channels of a pixel are copied at once. A filter is a row of K elements in the same order, and W is the matrix of all O
filters. An output is the product of a window and a filter:

    Y[r,o] = Σ_k cols[r,k]·W[o,k]          so Y = cols·Wᵀ            (R,K)·(K,O) -> (R,O)

Backward. dY is short for ∂L/∂Y. Each Y[r,o] contains the product cols[r,k]·W[o,k]. So by the chain rule

    dW[o,k] = Σ_r dY[r,o]·cols[r,k]        so dW = dYᵀ·cols          (O,R)·(R,K) -> (O,K)
    dcols[r,k] = Σ_o dY[r,o]·W[o,k]        so dcols = dY·W           (R,O)·(O,K) -> (R,K)

col2im sends each element of dcols back to the pixel that it was copied from, and adds up: dX = col2im(dcols). The 5
above is in all four rows, so its gradient is dcols[0,3] + dcols[1,2] + dcols[2,1] + dcols[3,0]. If each element of
dcols is 1, col2im counts how often each pixel was copied:

>>> print(col2im(np.ones_like(cols), win)[0, 0])
[[1 2 1]
 [2 4 2]
 [1 2 1]]

convolution.py calls the functions of this file for a few images at a time, and adds groups.
"""

from minires.arrays import array_module


def im2col(x, win):
    """cols[n,oh,ow,kh,kw,c] = x[n,c, oh·SH + kh·DH − PH, ow·SW + kw·DW − PW], 0 in the padding.

    x (N,C,H,W) -> (R,K), for any number of images
    """
    pixels = x.transpose(0, 2, 3, 1)  # (N,C,H,W) -> (N,H,W,C)
    cols = array_module(x).zeros((len(x), win.OH, win.OW, win.KH, win.KW, win.C), x.dtype)
    # oh, ow, h and w are slices: all windows at once. In the example the kernel element (0,1) gives
    # cols[:, 0:2, 0:2, 0, 1] = pixels[:, 0:2, 1:3], the second column of the matrix: 2 3 5 6.
    for kh, kw, (oh, ow), (h, w) in win.positions():
        cols[:, oh, ow, kh, kw] = pixels[:, h, w]
    return cols.reshape(-1, win.KH * win.KW * win.C)  # (N,OH,OW,KH,KW,C) -> (R,K)


def col2im(cols, win):
    """x[n,c,h,w] = Σ of all cols[n,oh,ow,kh,kw,c] that im2col copies from there.

    cols (R,K) -> (N,C,H,W), channels-last in memory
    """
    cols = cols.reshape(-1, win.OH, win.OW, win.KH, win.KW, win.C)  # (R,K) -> (N,OH,OW,KH,KW,C)
    pixels = array_module(cols).zeros((len(cols), win.H, win.W, win.C), cols.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        pixels[:, h, w] += cols[:, oh, ow, kh, kw]
    return pixels.transpose(0, 3, 1, 2)  # (N,H,W,C) -> (N,C,H,W)


def conv(x, w, win):
    """Y = im2col(X)·Wᵀ: x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,OH,OW)."""
    Y = im2col(x, win) @ as_rows(w).T  # (R,K)·(K,O) -> (R,O)
    return as_feature_map(Y, win)


def conv_dx(dy, w, win):
    """dX = col2im(dY·W): dy (N,O,OH,OW), w (O,C,KH,KW) -> dx (N,C,H,W)."""
    dcols = as_pixels(dy) @ as_rows(w)  # (R,O)·(O,K) -> (R,K)
    return col2im(dcols, win)


def conv_dw(dy, x, win):
    """dW = dYᵀ·im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C,KH,KW)."""
    dW = as_pixels(dy).T @ im2col(x, win)  # (O,R)·(R,K) -> (O,K)
    return as_filters(dW, win)


def as_rows(w):
    """w (O,C,KH,KW) -> (O,KH,KW,C) -> W (O,K)"""
    return w.transpose(0, 2, 3, 1).reshape(len(w), -1)


def as_filters(W, win):
    """W (O,K) -> (O,KH,KW,C) -> w (O,C,KH,KW)"""
    return W.reshape(win.O, win.KH, win.KW, -1).transpose(0, 3, 1, 2)


def as_pixels(y):
    """y (N,O,OH,OW) -> (N,OH,OW,O) -> Y (R,O)"""
    return y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])


def as_feature_map(Y, win):
    """Y (R,O) -> (N,OH,OW,O) -> y (N,O,OH,OW)"""
    return Y.reshape(-1, win.OH, win.OW, win.O).transpose(0, 3, 1, 2)
