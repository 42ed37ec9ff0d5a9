"""conv2d of arrays in another layout: (N,H,W,C), or one image."""

from submissions.table import Table

TABLE = Table()

NG = """
def conv_forward(A_prev, W, b, hparameters):
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f, n_C_prev, n_C) = W.shape
    stride, pad = hparameters["stride"], hparameters["pad"]
    n_H, n_W = int((n_H_prev - f + 2 * pad) / stride) + 1, int((n_W_prev - f + 2 * pad) / stride) + 1
    Z = np.zeros((m, n_H, n_W, n_C))
    A = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    part = A[i, h * stride:h * stride + f, w * stride:w * stride + f]
                    Z[i, h, w, c] = np.sum(part * W[:, :, :, c]) + float(b[0, 0, 0, c])
    return Z, (A_prev, W, b, hparameters)

def conv_backward(dZ, cache):
    (A_prev, W, b, hparameters) = cache
    (f, f, _, n_C) = W.shape
    stride, pad = hparameters["stride"], hparameters["pad"]
    m, n_H, n_W, n_C = dZ.shape
    A = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dA, dW, db = np.zeros(A.shape), np.zeros(W.shape), np.zeros((1, 1, 1, n_C))
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    at = np.s_[i, h * stride:h * stride + f, w * stride:w * stride + f]
                    dA[at] += W[:, :, :, c] * dZ[i, h, w, c]
                    dW[:, :, :, c] += A[at] * dZ[i, h, w, c]
                    db[:, :, :, c] += dZ[i, h, w, c]
    return dA[:, pad:pad + A_prev.shape[1], pad:pad + A_prev.shape[2]], dW, db
"""
BLANK = """
def conv_forward(A_prev, W, b, hparameters):
    Z = None
    return Z, None
def conv_backward(dZ, cache):
    return None, None, None
"""
TABLE.with_mistakes(
    "NHWC pair", "conv2d", "conv_forward,conv_backward", NG, ("dW[:, :, :, c] +=", "dW[:, :, :, c] ="), BLANK
)

NHWC = """
def conv(x, w, b=None, stride=1, pad=0):
    xp = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    KH, KW = w.shape[:2]
    OH, OW = (xp.shape[1] - KH) // stride + 1, (xp.shape[2] - KW) // stride + 1
    at = lambda i, j: np.s_[:, i:i + OH * stride:stride, j:j + OW * stride:stride][:3]
    y = sum(xp[at(i, j)] @ w[i, j] for i in range(KH) for j in range(KW)) + (0 if b is None else b)
    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for i in range(KH):
            for j in range(KW):
                dxp[at(i, j)] += dy @ w[i, j].T
                dw[i, j] = np.einsum("nhwc,nhwo->co", xp[at(i, j)], dy)
        return dxp[:, pad:pad + x.shape[1], pad:pad + x.shape[2]], dw, dy.sum((0, 1, 2))
    return y, backward
"""
TABLE.with_mistakes("NHWC closure", "conv2d", "conv", NHWC, ("dy @ w[i, j].T", "dy @ w[KH - 1 - i, KW - 1 - j].T"))

SOURCE = """
def conv(image, kernel, b=0.0, stride=1):
    H, W = image.shape
    h, w = kernel.shape
    y = np.zeros(((H-h)//stride+1, (W-w)//stride+1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i,j] = (image[i*stride:i*stride+h, j*stride:j*stride+w]*kernel).sum() + b
    def backward(dy):
        dx, dk = np.zeros_like(image), np.zeros_like(kernel)
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                dx[i*stride:i*stride+h, j*stride:j*stride+w] += dy[i,j]*kernel
                dk += dy[i,j]*image[i*stride:i*stride+h, j*stride:j*stride+w]
        return dx, dk, dy.sum()
    return y, backward
"""
TABLE.add("2-D conv of one image", "conv2d", "conv", SOURCE)

SOURCE = """
def conv(image, kernel):
    H, W = image.shape
    h, w = kernel.shape
    y = np.zeros((H-h+1, W-w+1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i,j] = (image[i:i+h, j:j+w]*kernel).sum()
    def backward(dy):
        dx, dk = np.zeros_like(image), np.zeros_like(kernel)
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                dx[i:i+h, j:j+w] += dy[i,j]*kernel
                dk += dy[i,j]*image[i:i+h, j:j+w]
        return dx, dk
    return y, backward
"""
TABLE.add("2-D conv no bias", "conv2d", "conv", SOURCE)
