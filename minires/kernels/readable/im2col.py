"""Convolution as a matrix product  [Chellapilla et al. 2006].

Forward. im2col copies each window of X into a row: P = N·OH·OW rows of K = KH·KW·C elements, in the order (kh,kw,c).
An output is the product of a row and a filter, Y[p,o] = Σ_k cols[p,k]·W[o,k]:

    cols = im2col(X)        (N,C,H,W) -> (P,K)
    Y = cols·Wᵀ             (P,K)·(K,O) -> (P,O)

Backward. cols[p,k] meets every filter o, and W[o,k] meets every row p. So by the chain rule
∂L/∂cols[p,k] = Σ_o dY[p,o]·W[o,k] and ∂L/∂W[o,k] = Σ_p dY[p,o]·cols[p,k]. An element of X that was copied into several
rows gets the sum of their gradients, which col2im adds up:

    dX = col2im(dY·W)       (P,O)·(O,K) -> (P,K) -> (N,C,H,W)
    dW = dYᵀ·cols           (O,P)·(P,K) -> (O,K)

im2col and col2im are the same loop, once with `=` and once with `+=`. As matrices each is the transpose of the other:
⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩ for every x and c, where ⟨a, b⟩ = Σ a·b.

Each of G groups is a convolution of its own, from C/G channels to O/G. In the code every matrix has a first axis of
length G, and @ multiplies group by group. Read it with G = 1 first: (G,P,K) is (P,K), and swapaxes(1, 2) is ᵀ.
"""

from minires.arrays import array_module, empty_feature_map

COLUMN_BYTES = 2 << 20  # cols has KH·KW times the size of x, so it is made for as many images as fit a cache


def im2col(x, win):
    """cols[n,oh,ow,kh,kw,c] = x[n,c, oh·SH + kh·DH − PH, ow·SW + kw·DW − PW], 0 in the padding.

    x (N,C,H,W), any number of images -> (G,P,K)
    """
    pixels = x.transpose(0, 2, 3, 1)  # (N,C,H,W) -> (N,H,W,C)
    cols = array_module(x).zeros((len(x), win.OH, win.OW, win.KH, win.KW, win.C), x.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():  # slices: window oh has pixel h under kernel element kh
        cols[:, oh, ow, kh, kw] = pixels[:, h, w]
    # (N,OH,OW,KH,KW,C) -> (P,KH·KW,G,C/G) -> (G,P,K)
    G, K = win.groups, win.KH * win.KW * (win.C // win.groups)
    return cols.reshape(-1, win.KH * win.KW, G, win.C // G).transpose(2, 0, 1, 3).reshape(G, -1, K)


def col2im(cols, win):
    """x[n,c,h,w] = Σ of all cols[n,oh,ow,kh,kw,c] that im2col copies from there.

    cols (G,P,K) -> (N,C,H,W), channels-last in memory
    """
    # (G,P,K) -> (P,KH·KW,G,C/G) -> (N,OH,OW,KH,KW,C)
    cols = cols.reshape(win.groups, -1, win.KH * win.KW, win.C // win.groups).transpose(1, 2, 0, 3)
    cols = cols.reshape(-1, win.OH, win.OW, win.KH, win.KW, win.C)
    pixels = array_module(cols).zeros((len(cols), win.H, win.W, win.C), cols.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        pixels[:, h, w] += cols[:, oh, ow, kh, kw]
    return pixels.transpose(0, 3, 1, 2)  # (N,H,W,C) -> (N,C,H,W)


def conv(x, w, win):
    """Y = im2col(X)·Wᵀ: x (N,C,H,W), w (O,C/G,KH,KW) -> y (N,O,OH,OW)."""
    y = empty_feature_map(win.y_shape, like=x, last=True)
    W = weight_matrix(w, win)
    for part in parts(win, x.itemsize):
        Y = im2col(x[part], win) @ W.swapaxes(1, 2)  # (G,P,K)·(G,K,O/G) -> (G,P,O/G)
        # (G,P,O/G) -> (N,OH,OW,O) -> (N,O,OH,OW)
        y[part] = Y.swapaxes(0, 1).reshape(-1, win.OH, win.OW, win.O).transpose(0, 3, 1, 2)
    return y


def conv_dx(dy, w, win):
    """dX = col2im(dY·W): dy (N,O,OH,OW), w (O,C/G,KH,KW) -> dx (N,C,H,W)."""
    dx = empty_feature_map(win.x_shape, like=dy, last=True)
    W = weight_matrix(w, win)
    for part in parts(win, dy.itemsize):
        dcols = output_matrix(dy[part], win) @ W  # (G,P,O/G)·(G,O/G,K) -> (G,P,K)
        dx[part] = col2im(dcols, win)
    return dx


def conv_dw(dy, x, win):
    """dW = dYᵀ·im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C/G,KH,KW)."""
    dW = 0
    for part in parts(win, x.itemsize):
        dY = output_matrix(dy[part], win)
        dW = dW + dY.swapaxes(1, 2) @ im2col(x[part], win)  # (G,O/G,P)·(G,P,K) -> (G,O/G,K)
    # (G,O/G,K) -> (O,KH,KW,C/G) -> (O,C/G,KH,KW)
    return dW.reshape(win.O, win.KH, win.KW, win.C // win.groups).transpose(0, 3, 1, 2)


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def weight_matrix(w, win):
    """w (O,C/G,KH,KW) -> W (G,O/G,K)"""
    return w.transpose(0, 2, 3, 1).reshape(win.groups, win.O // win.groups, -1)


def output_matrix(dy, win):
    """dy (N,O,OH,OW) -> dY (G,P,O/G)"""
    return dy.transpose(0, 2, 3, 1).reshape(-1, win.groups, win.O // win.groups).swapaxes(0, 1)


def parts(win, itemsize):
    """Slices of the batch. An empty batch has one, so that dw has its shape."""
    step = max(1, COLUMN_BYTES // (win.OH * win.OW * win.KH * win.KW * win.C * itemsize))
    return [slice(n, n + step) for n in range(0, max(win.N, 1), step)]
