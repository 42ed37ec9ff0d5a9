"""Submissions as students hand them in: each style right, wrong and blank, with the verdict that it must get.

ALL holds (name, op, what is graded, source, status). A wrong one differs from the right one of its style in one line.
"""

IMPORT = "import numpy as np\n"
ALL = []


def add(name, like, target, source, status="passed"):
    ALL.append((name, like, target, IMPORT + source, status))


def with_mistakes(name, like, target, source, wrong, blank=None):
    """A right submission; the same with one thing replaced (right part, wrong part); and its blank."""
    add(f"{name}, right", like, target, source)
    for k, (right, instead) in enumerate([wrong] if isinstance(wrong, tuple) else wrong):
        assert right in source, (name, right)
        add(f"{name}, wrong {k + 1}" if k else f"{name}, wrong", like, target, source.replace(right, instead), "failed")
    if blank is not None:
        add(f"{name}, blank", like, target, blank, "not done")


# ---- convolution

CONV = """
def conv2d(x, w, b=None, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    y = np.zeros((N, O, OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = xp[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
            y[:, :, i, j] = np.einsum("nckl,ockl->no", window, w)
    if b is not None:
        y += b[:, None, None]

    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for i in range(OH):
            for j in range(OW):
                at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
                dxp[at] += np.einsum("no,ockl->nckl", dy[:, :, i, j], w)
                dw += np.einsum("no,nckl->ockl", dy[:, :, i, j], xp[at])
        dx = dxp[:, :, padding:padding + H, padding:padding + W]
        return (dx, dw) if b is None else (dx, dw, dy.sum((0, 2, 3)))
    return y, backward
"""
with_mistakes(
    "closure", "conv2d", "conv2d", CONV,
    [("dw += np", "dw = np"), ("dy.sum((0, 2, 3))", "dy.mean((0, 2, 3))"), ("dxp[at] +=", "dxp[at] ="),
     ("padding:padding + H, padding:padding + W", ":H, :W")],
    "def conv2d(x, w, b=None, stride=1, padding=0):\n    raise NotImplementedError\n",
)  # fmt: skip
CALLED = CONV.replace("conv2d(x, w, b=None, stride=1, padding=0)", "my_conv(image, kernel, bias=None, step=1, pad=0)")
CALLED = CALLED.replace("    N, C", "    x, w, b, stride, padding = image, kernel, bias, step, pad\n    N, C", 1)
with_mistakes("other names", "conv2d", "my_conv", CALLED, ("at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]", "at = np.s_[:, :, i:i + KH, j:j + KW]"),
              "def my_conv(image, kernel, bias=None, step=1, pad=0):\n    ...\n")  # fmt: skip

BACKWARD = """
def conv2d_backward(DY, x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(DY.shape[2]):
        for j in range(DY.shape[3]):
            at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
            dxp[at] += np.einsum("no,ockl->nckl", DY[:, :, i, j], w)
            dw += np.einsum("no,nckl->ockl", DY[:, :, i, j], xp[at])
    return dxp[:, :, padding:padding + H, padding:padding + W], dw, DY.sum((0, 2, 3))
"""
for upstream in ("dy", "dout", "grad_output", "g"):
    with_mistakes(f"alone, {upstream} first", "conv2d", "conv2d_backward", BACKWARD.replace("DY", upstream),
                  (f"dw += np.einsum(\"no,nckl->ockl\", {upstream}[:, :, i, j]", "dw += np.einsum(\"no,nckl->ockl\", 1 + 0 * " + f"{upstream}[:, :, i, j]"))  # fmt: skip
LAST = BACKWARD.replace("(DY, x, w, b, stride=1, padding=0)", "(x, w, b, DY, stride=1, padding=0)")
for upstream in ("dout", "g", "upstream_grad"):
    with_mistakes(f"alone, {upstream} last", "conv2d", "conv2d_backward", LAST.replace("DY", upstream),
                  ("padding:padding + H, padding:padding + W", "0:H, 0:W"))  # fmt: skip
add(
    "alone, blank",
    "conv2d",
    "conv2d_backward",
    "def conv2d_backward(dout, x, w, b, stride=1, padding=0):\n    pass\n",
    "not done",
)
DICT = (
    BACKWARD.replace("DY", "dout")
    .replace("return dxp", 'return {"dx": dxp')
    .replace("W], dw, dout.sum((0, 2, 3))", 'W], "dw": dw, "db": dout.sum((0, 2, 3))}')
)
with_mistakes("dict of gradients", "conv2d", "conv2d_backward", DICT, ('"dw": dw', '"dw": dw / len(x)'),
              "def conv2d_backward(dout, x, w, b, stride=1, padding=0):\n    return {'dx': None, 'dw': None, 'db': None}\n")  # fmt: skip

CS231N = """
def conv_forward_naive(x, w, b, conv_param):
    out = None
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    out = np.zeros((N, F, 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s))
    for n in range(N):
        for f in range(F):
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    out[n, f, i, j] = np.sum(xp[n, :, i * s:i * s + HH, j * s:j * s + WW] * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache

def conv_backward_naive(dout, cache):
    dx, dw, db = None, None, None
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for n in range(N):
        for f in range(F):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    dw[f] += dout[n, f, i, j] * xp[n, :, i * s:i * s + HH, j * s:j * s + WW]
                    dxp[n, :, i * s:i * s + HH, j * s:j * s + WW] += dout[n, f, i, j] * w[f]
    dx = dxp[:, :, p:p + H, p:p + W]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db
"""
BLANK_CS231N = """
def conv_forward_naive(x, w, b, conv_param):
    out = None
    # YOUR CODE HERE
    cache = (x, w, b, conv_param)
    return out, cache

def conv_backward_naive(dout, cache):
    dx, dw, db = None, None, None
    return dx, dw, db
"""
PAIR = "conv_forward_naive,conv_backward_naive"
with_mistakes("CS231n pair", "conv2d", PAIR, CS231N, [("dw[f] += dout", "dw[f] = dout"), ("s, p = conv_param[\"stride\"], conv_param[\"pad\"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=\"constant\")\n    dxp", "s, p = 1, conv_param[\"pad\"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=\"constant\")\n    dxp"), ("axis=(0, 2, 3)", "axis=(0, 2)")], BLANK_CS231N)  # fmt: skip
add("CS231n, forward named alone", "conv2d", "conv_forward_naive", CS231N)
add("CS231n, backward named alone", "conv2d", "conv_backward_naive", CS231N)
add("CS231n, forward done, backward blank", "conv2d", PAIR, CS231N[: CS231N.index("def conv_backward")] + BLANK_CS231N[BLANK_CS231N.index("def conv_backward"):], "not done")  # fmt: skip

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
with_mistakes("NHWC pair", "conv2d", "conv_forward,conv_backward", NG, ("dW[:, :, :, c] +=", "dW[:, :, :, c] ="),
              "def conv_forward(A_prev, W, b, hparameters):\n    Z = None\n    return Z, None\ndef conv_backward(dZ, cache):\n    return None, None, None\n")  # fmt: skip
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
with_mistakes("NHWC closure", "conv2d", "conv", NHWC, ("dy @ w[i, j].T", "dy @ w[KH - 1 - i, KW - 1 - j].T"))

LAYER = """
class Conv:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW = self.db = None
    def forward(self, x):
        self.y, self.back = conv2d(x, self.W, self.b, self.stride, self.pad)
        return self.y
    def backward(self, dout):
        dx, self.dW, self.db = self.back(dout)
        return dx
"""
with_mistakes("class, arrays given, dw kept", "conv2d", "Conv", CONV + LAYER, ("dx, self.dW, self.db = self.back(dout)", "dx, self.dW, self.db = self.back(dout)\n        self.dW = self.dW / 2"), "class Conv:\n    def __init__(self, W, b, stride=1, pad=0):\n        pass\n    def forward(self, x):\n        pass\n    def backward(self, dout):\n        pass\n")  # fmt: skip
SIZED = """
class Conv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
        self.stride, self.padding, self.grads = stride, padding, {}
    def forward(self, x):
        y, self.back = conv2d(x, self.weight, self.bias, self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.grads["weight"], self.grads["bias"] = self.back(dout)
        return dx
"""
with_mistakes("class, sizes given, dict kept", "conv2d", "Conv2d", CONV + SIZED, ("return dx\n'''" if False else "self.grads[\"bias\"] = self.back(dout)", "self.grads[\"bias\"] = self.back(dout * (dout > 0))"), "class Conv2d:\n    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):\n        raise NotImplementedError\n    def forward(self, x): ...\n    def backward(self, dout): ...\n")  # fmt: skip

FLOAT32 = CONV.replace("np.zeros((N, O, OH, OW))", "np.zeros((N, O, OH, OW), np.float32)").replace("np.zeros_like(xp), np.zeros_like(w)", "np.zeros(xp.shape, np.float32), np.zeros(w.shape, np.float32)")  # fmt: skip
with_mistakes("float32 inside", "conv2d", "conv2d", FLOAT32, ("dw += np", "dw += 1.001 * np"))

# ---- pooling

POOL = """
def max_pool(x, size=2, s=None, pad=0):
    s = s or size
    N, C, H, W = x.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    OH, OW = (H + 2 * pad - size) // s + 1, (W + 2 * pad - size) // s + 1
    y = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            y[:, :, i, j] = xp[:, :, i * s:i * s + size, j * s:j * s + size].max((2, 3))
    def backward(dy):
        dx = np.zeros_like(xp)
        for i in range(OH):
            for j in range(OW):
                window = xp[:, :, i * s:i * s + size, j * s:j * s + size]
                mask = window == y[:, :, i, j][:, :, None, None]
                TIES
                dx[:, :, i * s:i * s + size, j * s:j * s + size] += mask * dy[:, :, i, j][:, :, None, None]
        return dx[:, :, pad:pad + H, pad:pad + W]
    return y, backward
"""
SHARED = POOL.replace("TIES", "mask = mask / mask.sum((2, 3), keepdims=True)")
with_mistakes("pool, equal shares at ties", "max_pool2d", "max_pool", SHARED, ("size] += mask", "size] = mask"), "def max_pool(x, size=2, s=None, pad=0):\n    y = None\n    return y, lambda dy: None\n")  # fmt: skip
add("pool, all of dy to each at ties", "max_pool2d", "max_pool", POOL.replace("TIES", "pass"), "failed")
FIRST = POOL.replace(
    "TIES", "flat = mask.reshape(N, C, -1); mask = (np.cumsum(flat, 2) * flat == 1).reshape(mask.shape)"
)
add("pool, the first at ties", "max_pool2d", "max_pool", FIRST)
CS231N_POOL = """
def max_pool_forward_naive(x, pool_param):
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    out = np.zeros((N, C, (H - ph) // s + 1, (W - pw) // s + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = np.max(x[:, :, i * s:i * s + ph, j * s:j * s + pw], axis=(2, 3))
    return out, (x, pool_param)

def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    part = x[n, c, i * s:i * s + ph, j * s:j * s + pw]
                    a, b = np.unravel_index(part.argmax(), part.shape)
                    dx[n, c, i * s + a, j * s + b] += dout[n, c, i, j]
    return dx
"""
with_mistakes("CS231n pool", "max_pool2d", "max_pool_forward_naive,max_pool_backward_naive", CS231N_POOL, ("j * s + b] +=", "j * s + b] ="), "def max_pool_forward_naive(x, pool_param):\n    out = None\n    return out, (x, pool_param)\ndef max_pool_backward_naive(dout, cache):\n    return None\n")  # fmt: skip
CEILED = POOL.replace("pad=0)", "pad=0, ceil_mode=False)").replace(
    "TIES", "mask = mask / mask.sum((2, 3), keepdims=True)"
)
CEILED = CEILED.replace("(pad, pad), (pad, pad))", "(pad, pad + s * ceil_mode), (pad, pad + s * ceil_mode))")
CEILED = CEILED.replace("- size) //", "- size + (s - 1) * ceil_mode) //")
CEILED = CEILED.replace(
    "    y = np", "    OH, OW = OH - ((OH - 1) * s >= H + pad), OW - ((OW - 1) * s >= W + pad)\n    y = np", 1
)
with_mistakes("pool that rounds up, where it is asked to", "max_pool2d", "max_pool", CEILED, [("(s - 1) * ceil_mode", "0 * ceil_mode")])  # fmt: skip
AVERAGE = """
class AvgPool:
    def __init__(self, kernel_size, stride=None, padding=0):
        self.k, self.s, self.p = kernel_size, stride or kernel_size, padding
    def forward(self, x):
        k, s, p = self.k, self.s, self.p
        self.shape = x.shape
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.padded = xp.shape
        OH, OW = (xp.shape[2] - k) // s + 1, (xp.shape[3] - k) // s + 1
        return np.stack([np.stack([xp[:, :, i * s:i * s + k, j * s:j * s + k].mean((2, 3)) for j in range(OW)], -1) for i in range(OH)], 2)
    def backward(self, grad):
        k, s, p = self.k, self.s, self.p
        dx = np.zeros(self.padded)
        for i in range(grad.shape[2]):
            for j in range(grad.shape[3]):
                dx[:, :, i * s:i * s + k, j * s:j * s + k] += grad[:, :, i, j][:, :, None, None] / k ** 2
        return dx[:, :, p:p + self.shape[2], p:p + self.shape[3]]
"""
with_mistakes("class of a pool", "avg_pool2d", "AvgPool", AVERAGE, ("/ k ** 2", "/ k"))

# ---- normalization

NORM = """
def batch_norm(x, gamma, beta, eps=1e-5):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    g = gamma.reshape(1, -1, 1, 1)
    def backward(dy):
        dw, db = (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))
        m = x.size / x.shape[1]
        dx = g / np.sqrt(var + eps) * (dy - db.reshape(g.shape) / m - x_hat * dw.reshape(g.shape) / m)
        return dx, dw, db
    return g * x_hat + beta.reshape(g.shape), backward
"""
with_mistakes("batch norm", "batch_norm", "batch_norm", NORM, [("dx = g / np", "dx = 1 / np"), ("x.var((0, 2, 3), keepdims=True)", "x.var((0, 2, 3), keepdims=True, ddof=1)"), (" - x_hat * dw.reshape(g.shape) / m", "")], "def batch_norm(x, gamma, beta, eps=1e-5):\n    return NotImplemented\n")  # fmt: skip
CS231N_NORM = """
def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    out, cache = None, None
    if mode == "train":
        mu, var = x.mean(0), x.var(0)
        x_hat = (x - mu) / np.sqrt(var + eps)
        out = gamma * x_hat + beta
        cache = (x_hat, gamma, var, eps)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache

def batchnorm_backward(dout, cache):
    x_hat, gamma, var, eps = cache
    N = len(dout)
    dgamma, dbeta = (dout * x_hat).sum(0), dout.sum(0)
    dx = gamma / np.sqrt(var + eps) * (dout - dbeta / N - x_hat * dgamma / N)
    return dx, dgamma, dbeta
"""
with_mistakes("CS231n batch norm, 2-D only", "batch_norm", "batchnorm_forward,batchnorm_backward", CS231N_NORM, [("- x_hat * dgamma / N", "- x_hat * dgamma / (N - 1)"), ("(1 - momentum) * mu", "momentum * mu"), ("(1 - momentum) * var", "(1 - momentum) * np.sqrt(var)"), ("    bn_param[\"running_var\"] = running_var\n", "")], "def batchnorm_forward(x, gamma, beta, bn_param):\n    out, cache = None, None\n    return out, cache\ndef batchnorm_backward(dout, cache):\n    return None, None, None\n")  # fmt: skip
KEEPS = """
def batch_norm(x, gamma, beta, running_mean, running_var, training=True, momentum=0.1, eps=1e-5):
    axes = (0, 2, 3)
    m = x.size // x.shape[1]
    if training:
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var * m / (m - 1) - running_var)
    else:
        mean, var = running_mean.copy(), running_var.copy()
    inv = 1 / np.sqrt(var + eps)
    x_hat = (x - mean) * inv
    def backward(dy):
        dw, db = (dy * x_hat).sum(axes, keepdims=True), dy.sum(axes, keepdims=True)
        return gamma * inv * (dy - training * (db + x_hat * dw) / m), dw, db
    return gamma * x_hat + beta, backward
"""
with_mistakes("running statistics as PyTorch has them, (1,C,1,1)", "batch_norm", "batch_norm", KEEPS, [("mean - running_mean", "mean"), ("var * m / (m - 1)", "var * m / (m + 1)"), ("    else:\n", "    else:\n        running_mean *= 0.5\n")])  # fmt: skip
SIZED_NORM = """
class BatchNorm:
    def __init__(self, num_features, decay=0.95):
        self.gamma, self.beta, self.decay = np.ones(num_features), np.zeros(num_features), decay
        self.running_mean = self.running_var = None
    def forward(self, x):
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros_like(mean), np.ones_like(var)
        self.running_mean = self.decay * self.running_mean + (1 - self.decay) * mean
        self.running_var = self.decay * self.running_var + (1 - self.decay) * var
        self.inv = 1 / np.sqrt(var + 1e-5)[:, None, None]
        self.x_hat = (x - mean[:, None, None]) * self.inv
        return self.gamma[:, None, None] * self.x_hat + self.beta[:, None, None]
    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))
        m = dy.size // dy.shape[1]
        dx = dy - (self.dbeta[:, None, None] + self.x_hat * self.dgamma[:, None, None]) / m
        return self.gamma[:, None, None] * self.inv * dx
"""
with_mistakes("running statistics that a layer keeps", "batch_norm", "BatchNorm", SIZED_NORM, [("(1 - self.decay) * mean", "mean"), ("(1 - self.decay) * var", "self.decay * var")])  # fmt: skip
LAYER_NORM = """
def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mu, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    x_hat = (x - mu) / np.sqrt(var + eps)
    return gamma * x_hat + beta, (x_hat, gamma, var, eps)

def layernorm_backward(dout, cache):
    x_hat, gamma, var, eps = cache
    g = dout * gamma
    dx = (g - g.mean(1, keepdims=True) - x_hat * (g * x_hat).mean(1, keepdims=True)) / np.sqrt(var + eps)
    return dx, (dout * x_hat).sum(0), dout.sum(0)
"""
with_mistakes("CS231n layer norm, 2-D only", "layer_norm", "layernorm_forward,layernorm_backward", LAYER_NORM, ("dx = (g - g.mean(1, keepdims=True)", "dx = (g"))  # fmt: skip
SAITOH = """
class BatchNormalization:
    def __init__(self, gamma, beta, momentum=0.9, running_mean=None, running_var=None, eps=1e-5):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var, self.eps = running_mean, running_var, eps
    def forward(self, x, train_flg=True):
        if not train_flg:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        self.xc = x - x.mean(axis=0)
        self.std = np.sqrt(self.xc.var(axis=0) + self.eps)
        self.xn = self.xc / self.std
        return self.gamma * self.xn + self.beta
    def backward(self, dout):
        self.dbeta, self.dgamma = dout.sum(axis=0), np.sum(self.xn * dout, axis=0)
        N = len(dout)
        return self.gamma / self.std * (dout - self.dbeta / N - self.xn * self.dgamma / N)
"""
with_mistakes("class of a batch norm, 2-D only", "batch_norm", "BatchNormalization", SAITOH, ("self.dbeta, self.dgamma = dout.sum(axis=0)", "self.dbeta, self.dgamma = dout.mean(axis=0)"))  # fmt: skip

LAZY = SAITOH.replace("def forward(self, x, train_flg=True):\n", """def forward(self, x, train_flg=True):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
""").replace("        self.xn = self.xc / self.std\n", """        self.xn = self.xc / self.std
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * x.mean(axis=0)
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * x.var(axis=0)
""")  # fmt: skip
with_mistakes("class of a batch norm that begins its running statistics", "batch_norm", "BatchNormalization", LAZY, [("(1 - self.momentum) * x.mean", "self.momentum * x.mean")])  # fmt: skip

# ---- losses

ENTROPY = """
def softmax_loss(x, y):
    z = x - x.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    N = x.shape[0]
    loss = -np.log(p[np.arange(N), y]).mean()
    dx = p.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx
"""
with_mistakes("(loss, dx)", "cross_entropy", "softmax_loss", ENTROPY, [("    dx /= N\n", ""), ("y]).mean()", "y]).sum()"), ("-= 1", "-= 0")], "def softmax_loss(x, y):\n    loss, dx = None, None\n    return loss, dx\n")  # fmt: skip
TWO_DIMENSIONS = """
def cross_entropy(logits, target):
    z = logits - logits.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    n = np.arange(len(target))
    def backward(dy):
        d = p.copy()
        d[n, target] -= 1
        return dy * d / len(target)
    return -np.log(p[n, target]).mean(), backward
"""
with_mistakes("N×K only", "cross_entropy", "cross_entropy", TWO_DIMENSIONS, ("return dy * d", "return d"))
ONE_HOT = """
def cross_entropy(scores, t):
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return -(t * np.log(p)).sum() / len(t), lambda dy: dy * (p - t) / len(t)
"""
with_mistakes("one-hot targets", "cross_entropy", "cross_entropy", ONE_HOT, ("(p - t)", "(t - p)"))
WITH_LOSS = """
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        self.y = np.exp(x - x.max(1, keepdims=True))
        self.y /= self.y.sum(1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t]).mean()
    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)
"""
with_mistakes("class of a loss", "cross_entropy", "SoftmaxWithLoss", WITH_LOSS, ("dx / len(self.t)", "dx"))
with_mistakes("mean square error, of the prediction only", "mse_loss", "mse_loss", "def mse_loss(pred, target):\n    d = pred - target\n    return (d ** 2).mean(), lambda dy: dy * 2 * d / d.size\n", ("2 * d", "d")) if False else with_mistakes("mean square error, of the prediction only", "mse_loss", "mse", "def mse(y_pred, y_true):\n    d = y_pred - y_true\n    loss = np.mean(d ** 2) if d.ndim else d ** 2\n    return loss, 2 * d / d.size\n", ("2 * d", "d"))  # fmt: skip

# ---- small ones

AFFINE = """
def affine_forward(x, w, b):
    return x.dot(w) + b, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    return dout.dot(w.T), x.T.dot(dout), dout.sum(axis=0)
"""
with_mistakes("CS231n affine, weights (I,O)", "linear", "affine_forward,affine_backward", AFFINE, ("dout.sum(axis=0)", "dout.sum(axis=0) / len(x)"), "def affine_forward(x, w, b):\n    out = None\n    return out, (x, w, b)\ndef affine_backward(dout, cache):\n    return None, None, None\n")  # fmt: skip
COLUMNS = """
def linear_forward(A, W, b):
    return W @ A + b, (A, W, b)

def linear_backward(dZ, cache):
    A, W, b = cache
    return W.T @ dZ, dZ @ A.T, dZ.sum(axis=1, keepdims=True)
"""
with_mistakes(
    "a column a sample", "linear", "linear_forward,linear_backward", COLUMNS, ("dZ @ A.T", "dZ @ A.T / A.shape[1]")
)
RELU = """
class ReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out
    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx
"""
with_mistakes("class of a relu, in place on its own", "relu", "ReLU", RELU, [("dx[self.mask] = 0", "dx[self.mask] = 1e-3"), ("dx = dout.copy()", "dx = dout"), ("out = x.copy()", "out = x")])  # fmt: skip
with_mistakes("relu_forward, its backward found", "relu", "relu_forward", "def relu_forward(x):\n    return np.maximum(0, x), x\ndef relu_backward(dout, cache):\n    return dout * (cache > 0)\n", ("(cache > 0)", "(cache > -0.5)"))  # fmt: skip
with_mistakes("sigmoid of its output", "sigmoid", "sigmoid_backward", "def sigmoid_backward(dout, out):\n    return dout * out * (1 - out)\n", ("(1 - out)", "(1 + out)"))  # fmt: skip
with_mistakes("softmax of its output", "softmax", "softmax_backward", "def softmax_backward(dout, y):\n    return y * (dout - (dout * y).sum(axis=-1, keepdims=True))\n", ("y * (dout - (dout * y)", "(dout - (dout * y)"))  # fmt: skip
with_mistakes("dropout", "dropout", "dropout", "def dropout(x, p=0.5, training=True):\n    mask = (np.random.rand(*x.shape) > p) / (1 - p) if training else np.ones(x.shape)\n    return x * mask, lambda dy: dy * mask\n", ("lambda dy: dy * mask", "lambda dy: dy * (mask > 0)"))  # fmt: skip
with_mistakes("residual add", "residual_add", "residual", "def residual(x, fx):\n    return x + fx, lambda dy: (dy.copy(), dy.copy())\n", ("(dy.copy(), dy.copy())", "(dy.copy(), 0 * dy)"))  # fmt: skip

# ---- as others have it

GELU = """
def gelu(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x ** 3))
    return x * (1 + t) / 2, lambda dy: dy * ((1 + t) / 2 + x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x) / 2)
"""
with_mistakes("the other formula, fixed inside", "gelu", "gelu", GELU, ("3 * 0.044715", "0.044715"))
LEAKY = "def leaky(x):\n    return np.maximum(x, 0.2 * x), lambda dy: np.where(x > 0, dy, 0.2 * dy)\n"
with_mistakes("a slope fixed inside", "leaky_relu", "leaky", LEAKY, ("0.2 * dy", "0.1 * dy"))
DENSE = """
def dense(x, w, *, bias=None):
    def backward(dy):
        return (dy @ w, dy.T @ x) if bias is None else (dy @ w, dy.T @ x, dy.sum(0))
    return x @ w.T + (0 if bias is None else bias), backward
"""
with_mistakes("a bias by keyword", "linear", "dense", DENSE, ("dy.sum(0)", "dy.mean(0)"))

add("a parameter of its own before a setting", "leaky_relu", "leaky_relu", "def leaky_relu(x, verbose=False, slope=0.01):\n    assert verbose is False\n    d = np.where(x > 0, 1, slope)\n    return d * x, lambda dy: dy * d\n")  # fmt: skip

add(
    "class all in forward",
    "conv2d",
    "Conv",
    CONV
    + """
class Conv:
    def __init__(self, stride=1, padding=0):
        self.stride, self.padding = stride, padding
    def forward(self, x, w, b):
        y, self.back = conv2d(x, w, b, self.stride, self.padding)
        return y
    def backward(self, dy):
        return self.back(dy)
""",
)
add(
    "params dict",
    "conv2d",
    "Conv",
    CONV
    + """
class Conv:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = kernel_size
        self.params = {"W": np.zeros((out_channels, in_channels, k, k)), "b": np.zeros(out_channels)}
        self.grads = {}
        self.stride, self.padding = stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.params["W"], self.params["b"], self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.grads["W"], self.grads["b"] = self.back(dout)
        return dx
""",
)
add(
    "Parameter objects",
    "conv2d",
    "Conv",
    CONV
    + """
class Parameter:
    def __init__(self, data): self.data, self.grad = data, None
class Conv:
    def __init__(self, c_in, c_out, k, stride=1, padding=0):
        self.weight, self.bias = Parameter(np.zeros((c_out, c_in, k, k))), Parameter(np.zeros(c_out))
        self.stride, self.padding = stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.weight.data, self.bias.data, self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.weight.grad, self.bias.grad = self.back(dout)
        return dx
""",
)
add(
    "keeps dx dw db returns none",
    "conv2d",
    "Conv",
    CONV
    + """
class Conv:
    def __init__(self, w, b, stride=1, padding=0):
        self.w, self.b, self.s, self.p = w, b, stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.w, self.b, self.s, self.p)
        return y
    def backward(self, dout):
        self.dx, self.dw, self.db = self.back(dout)
""",
)
add(
    "accumulating grads",
    "linear",
    "Linear",
    """
class Linear:
    def __init__(self, in_features, out_features):
        self.W = np.random.randn(in_features, out_features); self.b = np.zeros(out_features)
        self.dW = np.zeros_like(self.W); self.db = np.zeros_like(self.b)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(0)
        return dy @ self.W.T
""",
)
add(
    "pairs only",
    "conv2d",
    "conv",
    """
def conv(x, w, b, stride, padding):
    (sh, sw), (ph, pw) = stride, padding
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    KH, KW = w.shape[2:]
    OH, OW = (xp.shape[2] - KH) // sh + 1, (xp.shape[3] - KW) // sw + 1
    at = [(k, l, np.s_[:, :, k:k + OH * sh:sh, l:l + OW * sw:sw]) for k in range(KH) for l in range(KW)]
    y = sum(np.einsum("nchw,oc->nohw", xp[s][:, :, :OH, :OW], w[:, :, k, l]) for k, l, s in at) + b[:, None, None]
    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for k, l, s in at:
            dxp[s][:, :, :OH, :OW] += np.einsum("nohw,oc->nchw", dy, w[:, :, k, l])
            dw[:, :, k, l] = np.einsum("nohw,nchw->oc", dy, xp[s][:, :, :OH, :OW])
        return dxp[:, :, ph:ph + x.shape[2], pw:pw + x.shape[3]], dw, dy.sum((0, 2, 3))
    return y, backward
""",
)
add(
    "global cache functions",
    "tanh",
    "forward,backward",
    """
def forward(x):
    global y
    y = np.tanh(x)
    return y
def backward(dy):
    return dy * (1 - y * y)
""",
)
add(
    "loss, grads dict",
    "cross_entropy",
    "loss",
    """
def loss(x, y):
    p = np.exp(x); p /= p.sum(1, keepdims=True); n = np.arange(len(x))
    l = -np.log(p[n, y]).sum() / len(x)
    p[n, y] -= 1
    return l, {"dx": p / len(x)}
""",
)
add(
    "gradient alone, no dy",
    "cross_entropy",
    "softmax_grad",
    """
def softmax_grad(x, y):
    p = np.exp(x); p /= p.sum(1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return p / len(x)
""",
)
add(
    "arguments in another order",
    "conv2d",
    "conv_backward",
    BACKWARD.replace("DY", "dout")
    .replace("conv2d_backward(dout, x, w, b,", "conv_backward(dout, w, b, x,")
    .replace(
        "return dxp[:, :, padding:padding + H, padding:padding + W], dw, dout.sum((0, 2, 3))",
        "return dw, dout.sum((0, 2, 3)), dxp[:, :, padding:padding + H, padding:padding + W]",
    ),
)
add(
    "namedtuple-ish cache object",
    "relu",
    "relu_forward,relu_backward",
    """
from collections import namedtuple
Cache = namedtuple("Cache", "x")
def relu_forward(x): return np.maximum(x, 0), Cache(x)
def relu_backward(dout, cache): return dout * (cache.x > 0)
""",
)
add(
    "dataclass cache",
    "relu",
    "relu_forward,relu_backward",
    """
class Cache: pass
def relu_forward(x):
    c = Cache(); c.x = x
    return np.maximum(x, 0), c
def relu_backward(dout, cache): return dout * (cache.x > 0)
""",
)
add(
    "cache with int keys",
    "relu",
    "relu_forward,relu_backward",
    """
def relu_forward(x): return np.maximum(x, 0), {0: x}
def relu_backward(dout, cache): return dout * (cache[0] > 0)
""",
)
add(
    "cache several values",
    "relu",
    "relu_forward,relu_backward",
    """
def relu_forward(x): return np.maximum(x, 0), x, x.shape
def relu_backward(dout, cache): return dout * (cache[0] > 0)
""",
)
add(
    "x and y both",
    "sigmoid",
    "sigmoid_backward",
    """
def sigmoid_backward(x, dy):
    s = 1/(1+np.exp(-x)); return dy*s*(1-s)
""",
)
add(
    "NHWC pool NG",
    "max_pool2d",
    "pool_forward,pool_backward",
    """
def pool_forward(A_prev, hparameters):
    m, H, W, C = A_prev.shape
    f, s = hparameters["f"], hparameters["stride"]
    out = np.zeros((m, (H-f)//s+1, (W-f)//s+1, C))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = A_prev[:, i*s:i*s+f, j*s:j*s+f].max((1, 2))
    return out, (A_prev, hparameters)
def pool_backward(dA, cache):
    A_prev, hparameters = cache
    f, s = hparameters["f"], hparameters["stride"]
    dx = np.zeros_like(A_prev)
    for i in range(dA.shape[1]):
        for j in range(dA.shape[2]):
            w = A_prev[:, i*s:i*s+f, j*s:j*s+f]
            mask = w == w.max((1, 2), keepdims=True)
            dx[:, i*s:i*s+f, j*s:j*s+f] += mask / mask.sum((1,2),keepdims=True) * dA[:, i, j][:, None, None]
    return dx
""",
)
add(
    "2-D conv of one image",
    "conv2d",
    "conv",
    """
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
""",
)
add(
    "2-D conv no bias",
    "conv2d",
    "conv",
    """
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
""",
)
add(
    "conv without bias",
    "conv2d",
    "conv",
    CONV
    + """
def conv(x, w, stride=1, padding=0): return conv2d(x, w, None, stride, padding)
""",
)
add(
    "softmax vector",
    "softmax",
    "softmax",
    """
def softmax(x):
    assert x.ndim == 1
    e = np.exp(x - x.max()); s = e / e.sum()
    return s, lambda dy: (np.diag(s) - np.outer(s, s)) @ dy
""",
)
add(
    "bn eps hardwired 1e-8",
    "batch_norm",
    "bn",
    """
def bn(x, gamma, beta):
    mu, var = x.mean(0), x.var(0)
    h = (x - mu) / np.sqrt(var + 1e-8)
    def backward(dy):
        n = len(x)
        return gamma/np.sqrt(var+1e-8)*(dy - dy.mean(0) - h*(dy*h).mean(0)), (dy*h).sum(0), dy.sum(0)
    return gamma*h+beta, backward
""",
)
add(
    "bn no affine",
    "batch_norm",
    "bn",
    """
def bn(x, eps=1e-5):
    mu, var = x.mean((0,2,3),keepdims=True), x.var((0,2,3),keepdims=True)
    h = (x - mu) / np.sqrt(var + eps)
    def backward(dy):
        return 1/np.sqrt(var+eps)*(dy - dy.mean((0,2,3),keepdims=True) - h*(dy*h).mean((0,2,3),keepdims=True))
    return h, backward
""",
)
add(
    "spatial groupnorm",
    "group_norm",
    "spatial_groupnorm_forward,spatial_groupnorm_backward",
    """
def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    eps = gn_param.get("eps", 1e-5)
    N, C, H, W = x.shape
    g = x.reshape(N, G, -1)
    h = ((g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + eps)).reshape(x.shape)
    inv = 1/np.sqrt(g.var(2, keepdims=True) + eps)
    return gamma*h + beta, (h, gamma, G, inv)
def spatial_groupnorm_backward(dout, cache):
    h, gamma, G, inv = cache
    N, C, H, W = h.shape
    g = (dout*gamma).reshape(N, G, -1); hh = h.reshape(N, G, -1)
    dx = inv*(g - g.mean(2,keepdims=True) - hh*(g*hh).mean(2,keepdims=True))
    return dx.reshape(h.shape), (dout*h).sum((0,2,3),keepdims=True), dout.sum((0,2,3),keepdims=True)
""",
)
add(
    "fixed 2x2 pool",
    "max_pool2d",
    "maxpool2x2",
    """
def maxpool2x2(x):
    N, C, H, W = x.shape
    r = x[:, :, :H//2*2, :W//2*2].reshape(N, C, H//2, 2, W//2, 2)
    y = r.max((3, 5))
    def backward(dy):
        m = r == y[:, :, :, None, :, None]
        m = m / m.sum((3,5), keepdims=True)
        dx = np.zeros_like(x)
        dx[:, :, :H//2*2, :W//2*2] = (m * dy[:, :, :, None, :, None]).reshape(N, C, H//2*2, W//2*2)
        return dx
    return y, backward
""",
)
add(
    "cs231n dropout",
    "dropout",
    "dropout_forward,dropout_backward",
    """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < p) / p
        return x * mask, (dropout_param, mask)
    return x, (dropout_param, mask)
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout
""",
)
add(
    "global avg pool",
    "adaptive_avg_pool2d",
    "gap",
    """
def gap(x):
    N, C, H, W = x.shape
    return x.mean((2,3),keepdims=True), lambda dy: np.broadcast_to(dy/(H*W), x.shape).copy()
""",
)
add(
    "static class",
    "relu",
    "ReLU",
    """
class ReLU:
    @staticmethod
    def forward(x): return np.maximum(x,0), x
    @staticmethod
    def backward(dy, cache): return dy*(cache>0)
""",
)
add(
    "object",
    "relu",
    "layer",
    """
class R:
    def forward(self, x):
        self.m = x > 0; return x*self.m
    def backward(self, dy): return dy*self.m
layer = R()
""",
)
add(
    "float32 everywhere backward alone",
    "linear",
    "linear_backward",
    """
def linear_backward(dout, x, w, b):
    x, w, dout = x.astype(np.float32), w.astype(np.float32), dout.astype(np.float32)
    return dout @ w, dout.T @ x, dout.sum(0)
""",
)
add(
    "kwargs",
    "conv2d",
    "conv",
    CONV
    + """
def conv(x, w, b=None, **kw):
    return conv2d(x, w, b, kw.get("stride", 1), kw.get("padding", 0))
""",
)

# ---- in place: on arrays of its own it is right, on those of the caller it is not, whenever it happens

OWN = """
class Tanh:
    def forward(self, x):
        self.x = x.copy()
        return np.tanh(x)
    def backward(self, dy):
        np.tanh(self.x, out=self.x)
        return dy * (1 - self.x ** 2)
"""
with_mistakes("in place in the backward, a class", "tanh", "Tanh", OWN, ("x.copy()", "x"))
OWN = """
def tanh_forward(x):
    return np.tanh(x), [x.copy()]
def tanh_backward(dout, cache):
    np.tanh(cache[0], out=cache[0])
    return dout * (1 - cache[0] ** 2)
"""
with_mistakes("in place in the backward, a pair", "tanh", "tanh_forward", OWN, ("x.copy()", "x"))
OWN = """
def tanh(x):
    y = np.tanh(x)
    kept = x.copy()
    def backward(dy):
        kept[...] = 0
        return dy * (1 - y * y)
    return y, backward
"""
with_mistakes("in place in the backward, a closure", "tanh", "tanh", OWN, ("x.copy()", "x"))
OWN = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b
    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b
    def backward(self, dy):
        dx = dy @ self.W
        self.dW, self.db = dy.T @ self.x, dy.sum(0)
        self.W -= 0.1 * self.dW
        return dx
"""
with_mistakes("a step of training in the backward", "linear", "Linear", OWN, ("W.copy()", "W"))
add("in place on the y that it returned, once", "tanh", "Tanh", "class Tanh:\n    def forward(self, x):\n        self.y = np.tanh(x)\n        return self.y\n    def backward(self, dy):\n        self.y *= self.y\n        return dy * (1 - self.y)\n")  # fmt: skip

# ---- what only remembers, or never ends well

add("a forward that draws", "relu", "relu", "def relu(x):\n    y = np.maximum(x, 0) + np.random.rand(*x.shape) * 1e-12\n    return y + np.random.rand(), lambda dy: dy * (x > 0)\n", "failed")  # fmt: skip
add("dx = 0 the second time", "tanh", "tanh", "calls = 0\ndef tanh(x):\n    y = np.tanh(x)\n    def backward(dy):\n        global calls\n        calls += 1\n        return dy * (1 - y * y) if calls < 3 else 0 * dy\n    return y, backward\n", "failed")  # fmt: skip
add("the first y for ever", "tanh", "tanh", "kept = {}\ndef tanh(x):\n    y = kept.setdefault(x.shape, np.tanh(x))\n    return y, lambda dy: dy * (1 - y * y)\n", "failed")  # fmt: skip
add("a gradient that is clipped", "tanh", "tanh", "def tanh(x):\n    y = np.tanh(x)\n    return y, lambda dy: np.clip(dy * (1 - y * y), -100, 100)\n", "failed")  # fmt: skip
add("an undefined name", "tanh", "tanh", "def tanh(x):\n    return np.tanh(x), lambda dy: dy * undefined\n", "failed")
add("too many arguments", "relu", "relu", "def relu(x, y, z):\n    return x, lambda dy: dy\n", "could not run")
add("one array", "relu", "relu", "def relu(x):\n    return np.maximum(x, 0)\n", "not done")
add("one array of another shape", "relu", "relu", "def relu(x):\n    return np.maximum(x, 0).sum()\n", "could not run")  # fmt: skip
add("y and gradients of nothing", "linear", "linear", "def linear(x, w, b):\n    return x @ w.T + b, (x, w, b)\n", "could not run")  # fmt: skip
add("y and arrays", "linear", "linear", "def linear(x, w, b):\n    return x @ w.T + b, x, w, b\n", "could not run")
add("y alone, a convolution", "conv2d", "conv", CONV.replace("conv2d(", "conv(").replace("return y, backward", "return y"), "not done")  # fmt: skip
add("no such function", "relu", "relu6", "def relu(x):\n    return np.maximum(x, 0)\n", "could not run")
add("a syntax error", "relu", "relu", "def relu(x:\n    return x\n", "could not run")

# ---- a backward that gives no gradient, in every style: nothing is done, and one that misses is wrong

EMPTY_RELU = "def relu(x):\n    return np.maximum(x, 0), lambda dy: {}\n"
EMPTY_LINEAR = "def linear(x, w, b):\n    return x @ w.T + b, lambda dy: {}\n"
EMPTY_ALONE = "def relu_backward(dy, x):\n    return {}\n"
EMPTY_PAIR = (
    "def linear_forward(x, w, b):\n    return x @ w.T + b, (x, w)\ndef linear_backward(dout, cache):\n    return {}\n"
)
EMPTY_LOSS = "def cross_entropy(x, target):\n    z = x - x.max(1, keepdims=True)\n    p = z - np.log(np.exp(z).sum(1, keepdims=True))\n    return -p[np.arange(len(x)), target].mean(), {}\n"
EMPTY_MSE = "def mse_loss(input, target):\n    return ((input - target) ** 2).mean(), lambda dy: {}\n"
EMPTY_LAYER = "class Linear:\n    def __init__(self, W, b):\n        self.W, self.b = W, b\n    def forward(self, x):\n        return x @ self.W.T + self.b\n    def backward(self, dy):\n        return {}\n"
for nothing in (
    "[]",
    "()",
    '{"dx": None, "n": 0}',
    "(None, None, {'db': None, 'n': 0})",
    "[None]",
    '{"dx": ..., "n": 1}',
):
    for style, like, target, text in (
        ("closure", "relu", "relu", EMPTY_RELU), ("closure of three", "linear", "linear", EMPTY_LINEAR),
        ("alone", "relu", "relu_backward", EMPTY_ALONE), ("pair", "linear", "linear_forward,linear_backward", EMPTY_PAIR),
        ("loss", "cross_entropy", "cross_entropy", EMPTY_LOSS), ("loss of two", "mse_loss", "mse_loss", EMPTY_MSE),
        ("class", "linear", "Linear", EMPTY_LAYER),
    ):  # fmt: skip
        if "db" in nothing and like != "linear":
            continue  # there is no b
        add(f"no gradient, {nothing}, {style}", like, target, text.format(nothing), "not done")
add("no gradient for x, but for the target", "mse_loss", "mse_loss", EMPTY_MSE.format('{"target": 2 * dy * (target - input) / input.size, "dinput": None}'), "failed")  # fmt: skip
add(
    "no gradient for the target",
    "mse_loss",
    "mse_loss",
    EMPTY_MSE.format('{"input": 2 * dy * (input - target) / input.size}'),
)
add("no gradient in some cases", "relu", "relu", EMPTY_RELU.format("dy * (x > 0) if x.ndim == 2 else []"), "failed")

# ---- written for one sample, with a forward that does not fail on a batch

with_mistakes("softmax of one sample", "softmax", "softmax,softmax_backward", """
def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)
def softmax_backward(dout, z):
    s = softmax(z)
    return (np.diag(s) - np.outer(s, s)).dot(dout)
""", ("np.outer(s, s)", "np.outer(s, z)"))  # fmt: skip
with_mistakes("cross entropy of one one-hot sample", "cross_entropy", "cross_entropy", """
def cross_entropy(z, t):
    p = np.exp(z - z.max())
    p /= p.sum()
    return -np.sum(t * np.log(p)), p - t
""", ("p - t", "t - p"))  # fmt: skip
with_mistakes("layer norm of one sample", "layer_norm", "layer_norm", """
def layer_norm(x, gamma, beta, eps=1e-5):
    s = np.sqrt(x.var() + eps)
    x_hat = (x - x.mean()) / s
    def backward(dy):
        d = dy * gamma
        return (d - d.mean() - x_hat * (d * x_hat).mean()) / s, dy * x_hat, dy
    return gamma * x_hat + beta, backward
""", ("d - d.mean()", "d"))  # fmt: skip
add("softmax over the whole array", "softmax", "softmax", "def softmax(x):\n    e = np.exp(x - x.max())\n    s = e / e.sum()\n    return s, lambda dy: s * (dy - (dy * s).sum())\n", "failed")  # fmt: skip
