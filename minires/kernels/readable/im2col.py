"""Convolution as one matrix product: im2col lays each window out as a row, col2im adds the rows back.

    Y = im2col(X) · Wᵀ        dX = col2im(dY · W)        dW = dYᵀ · im2col(X)      [Chellapilla et al. 2006]

A row is one output pixel, P = N·OH·OW of them; a column is one weight, K = KH·KW·C of them, in the order (kh,kw,c),
so that the channels of a pixel, side by side in channels-last memory, are copied in one piece.
im2col and col2im are the same loop, once with `=` and once with `+=`. Each is the other's adjoint,
⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩ for every x and c, and therefore the other's backward.
The column matrix is KH·KW times the size of the input, so it is made for a few pictures at a time and dropped.
"""

from minires.arrays import array_module, empty_map

COLUMN_BYTES = 2 << 20  # about what a core's cache holds: the rows are still there when the product reads them


def im2col(x, win, cols=None):
    """cols[n,oh,ow,kh,kw,c] = x[n,c, oh·SH + kh·DH − PH, ow·SW + kw·DW − PW], 0 in the padding.

    x (N,C,H,W) -> (N,OH,OW,KH,KW,C), for any number N of pictures; written into cols, if given, which must hold
    zeros or another im2col of this window: the cells in the padding are never touched.
    """
    pixels = x.transpose(0, 2, 3, 1)  # (N,C,H,W) -> (N,H,W,C)
    if cols is None:
        cols = array_module(x).zeros((len(x), *_row_shape(win)), dtype=x.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        cols[:, oh, ow, kh, kw] = pixels[:, h, w]
    return cols


def col2im(cols, win):
    """x[n,c,h,w] = Σ of all cols[n,oh,ow,kh,kw,c] that im2col would have copied from there.

    cols (N,OH,OW,KH,KW,C) -> (N,C,H,W), channels-last in memory.
    """
    pixels = array_module(cols).zeros((len(cols), win.H, win.W, win.C), dtype=cols.dtype)
    for kh, kw, (oh, ow), (h, w) in win.positions():
        pixels[:, h, w] += cols[:, oh, ow, kh, kw]
    return pixels.transpose(0, 3, 1, 2)  # (N,H,W,C) -> (N,C,H,W)


def conv(x, w, win):
    """Y = im2col(X) · Wᵀ: x (N,C,H,W), w (O,C/groups,KH,KW) -> y (N,O,OH,OW)."""
    y = empty_map(win.y_shape, like=x, last=True)
    weights = _weights(w, win)
    for some, cols in _tiles(x, win):
        y[some] = _map(_rows(im2col(x[some], win, cols), win) @ weights, win)
    return y


def conv_dx(dy, w, win):
    """dX = col2im(dY · W): dy (N,O,OH,OW), w (O,C/groups,KH,KW) -> dx (N,C,H,W)."""
    dx = empty_map(win.x_shape, like=dy, last=True)
    weights = _weights(w, win).swapaxes(1, 2)
    for some, cols in _tiles(dy, win):
        if win.groups == 1:
            # _rows is a view of cols here, so this fills cols
            array_module(dy).matmul(_pixels(dy[some], win), weights, out=_rows(cols, win))
        else:
            cols = _columns(_pixels(dy[some], win) @ weights, win)
        dx[some] = col2im(cols, win)
    return dx


def conv_dw(dy, x, win):
    """dW = dYᵀ · im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C/groups,KH,KW)."""
    dw = 0
    for some, cols in _tiles(x, win):
        dw = dw + _pixels(dy[some], win).swapaxes(1, 2) @ _rows(im2col(x[some], win, cols), win)
    # (G,O/G,K) -> (O,KH,KW,C/G) -> (O,C/G,KH,KW)
    return dw.reshape(win.O, win.KH, win.KW, win.C // win.groups).transpose(0, 3, 1, 2)


def conv_dx_dw(dy, x, w, win):
    """Both gradients."""
    return conv_dx(dy, w, win), conv_dw(dy, x, win)


def _tiles(x, win):
    """(some, cols) over the batch: a slice of pictures, and the buffer for their columns, one for all slices."""
    one = win.OH * win.OW * win.KH * win.KW * win.C * x.itemsize
    step = max(1, COLUMN_BYTES // one)
    # an empty batch gives one empty slice, so that dw has its shape; the last slice may be shorter than the others
    buffer = array_module(x).zeros((min(step, win.N), *_row_shape(win)), dtype=x.dtype)
    for n in range(0, max(win.N, 1), step):
        yield slice(n, n + step), buffer[: max(win.N - n, 0)]


def _row_shape(win):
    return win.OH, win.OW, win.KH, win.KW, win.C


# Reshapes between maps and the matrices of each group; with groups = 1 none of them copies.


def _rows(cols, win):
    # (N,OH,OW,KH,KW,C) -> (P,KH·KW,G,C/G) -> (G,P,K)
    G = win.groups
    return cols.reshape(-1, win.KH * win.KW, G, win.C // G).transpose(2, 0, 1, 3).reshape(G, -1, _K(win))


def _columns(rows, win):
    # (G,P,K) -> (G,P,KH·KW,C/G) -> (N,OH,OW,KH,KW,C)
    G = win.groups
    cols = rows.reshape(G, -1, win.KH * win.KW, win.C // G).transpose(1, 2, 0, 3)
    return cols.reshape(-1, win.OH, win.OW, win.KH, win.KW, win.C)


def _weights(w, win):
    # (O,C/G,KH,KW) -> (G,O/G,KH,KW,C/G) -> (G,K,O/G)
    G = win.groups
    return w.transpose(0, 2, 3, 1).reshape(G, win.O // G, _K(win)).swapaxes(1, 2)


def _pixels(dy, win):
    # (N,O,OH,OW) -> (P,G,O/G) -> (G,P,O/G)
    return dy.transpose(0, 2, 3, 1).reshape(-1, win.groups, win.O // win.groups).transpose(1, 0, 2)


def _map(pixels, win):
    # (G,P,O/G) -> (N,OH,OW,O) -> (N,O,OH,OW)
    return pixels.transpose(1, 0, 2).reshape(-1, win.OH, win.OW, win.O).transpose(0, 3, 1, 2)


def _K(win):
    return win.KH * win.KW * (win.C // win.groups)
