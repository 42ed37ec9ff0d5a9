"""Right work that is written for another form than the plain case has: sequences, images, square images, a stride."""

from submissions.table import Table

TABLE = Table()

TABLE.with_mistakes(
    "layer norm of sequences",
    "layer_norm",
    "LayerNorm",
    """
class LayerNorm:
    def __init__(self, D, eps=1e-5):
        self.gamma, self.beta, self.eps = np.ones(D), np.zeros(D), eps
    def forward(self, x):
        B, T, D = x.shape
        self.s = np.sqrt(x.var(2, keepdims=True) + self.eps)
        self.h = (x - x.mean(2, keepdims=True)) / self.s
        return self.gamma * self.h + self.beta
    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.h).sum((0, 1)), dy.sum((0, 1))
        d = dy * self.gamma
        return (d - d.mean(2, keepdims=True) - self.h * (d * self.h).mean(2, keepdims=True)) / self.s
""",
    [("(d - d.mean(2, keepdims=True)", "(d"), ("x.var(2, keepdims", "x.var(1, keepdims")],
)
TABLE.with_mistakes(
    "layer norm of images",
    "layer_norm",
    "layernorm",
    """
def layernorm(x, gamma, beta, eps=1e-5):
    axes = (1, 2, 3)
    s = np.sqrt(x.var(axes, keepdims=True) + eps)
    h = (x - x.mean(axes, keepdims=True)) / s
    def backward(dy):
        d = dy * gamma
        dx = (d - d.mean(axes, keepdims=True) - h * (d * h).mean(axes, keepdims=True)) / s
        return dx, (dy * h).sum(0), dy.sum(0)
    return gamma * h + beta, backward
""",
    [("(d - d.mean(axes, keepdims=True)", "(d"), ("axes = (1, 2, 3)", "axes = (2, 3)")],
)
CONV = """
def conv(x, w, b, stride=1, padding=0):
    assert x.shape[2] == x.shape[3], "square images only"
    s, p = stride, padding
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    v = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], (2, 3))[:, :, ::s, ::s]
    y = np.einsum("nchwij,ocij->nohw", v, w) + b[:, None, None]
    def backward(dy):
        g = np.zeros_like(xp)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                g[:, :, s*i:s*i+w.shape[2], s*j:s*j+w.shape[3]] += np.einsum("no,ocij->ncij", dy[:, :, i, j], w)
        dx = g[:, :, p:p+x.shape[2], p:p+x.shape[3]]
        return dx, np.einsum("nohw,nchwij->ocij", dy, v), dy.sum((0, 2, 3))
    return y, backward
"""
MISTAKES = [("] += np", "] = np"), ("p:p+x.shape[3]]", ":x.shape[3]]")]
TABLE.with_mistakes("convolution of square images", "conv2d", "conv", CONV, MISTAKES)
FIXED = (
    CONV.replace(", stride=1, padding=0", "")
    .replace("s, p = stride, padding", "s, p = 2, 1")
    .replace('    assert x.shape[2] == x.shape[3], "square images only"\n', "")
)
TABLE.with_mistakes("convolution of stride 2 and padding 1", "conv2d", "conv", FIXED, MISTAKES)
TABLE.add(
    "relu of tensors",
    "relu",
    "relu",
    """
class Tensor:
    pass
def relu(x):
    raise TypeError("relu(): argument 'input' (position 1) must be Tensor, not numpy.ndarray")
""",
    "could not run",
)

TABLE.with_mistakes(
    "Korean names, convolution",
    "conv2d",
    "합성곱",
    """
def 합성곱(입력, 필터, 편향, 보폭=1, 패딩=0):
    N, C, H, W = 입력.shape
    O, _, KH, KW = 필터.shape
    xp = np.pad(입력, ((0, 0), (0, 0), (패딩, 패딩), (패딩, 패딩)))
    OH, OW = (H + 2 * 패딩 - KH) // 보폭 + 1, (W + 2 * 패딩 - KW) // 보폭 + 1
    출력 = np.zeros((N, O, OH, OW))
    for i in range(OH):
        for j in range(OW):
            창 = xp[:, :, i * 보폭 : i * 보폭 + KH, j * 보폭 : j * 보폭 + KW]
            출력[:, :, i, j] = np.einsum("nchw,ochw->no", 창, 필터) + 편향
    def backward(상류_기울기):
        입력_기울기, 필터_기울기 = np.zeros_like(xp), np.zeros_like(필터)
        for i in range(OH):
            for j in range(OW):
                곳 = np.s_[:, :, i * 보폭 : i * 보폭 + KH, j * 보폭 : j * 보폭 + KW]
                d = 상류_기울기[:, :, i, j]
                필터_기울기 += np.einsum("no,nchw->ochw", d, xp[곳])
                입력_기울기[곳] += np.einsum("no,ochw->nchw", d, 필터)
        입력_기울기 = 입력_기울기[:, :, 패딩 : 패딩 + H, 패딩 : 패딩 + W]
        return {"입력_기울기": 입력_기울기, "필터_기울기": 필터_기울기, "편향_기울기": 상류_기울기.sum((0, 2, 3))}
    return 출력, backward
""",
    [("sum((0, 2, 3))", "sum((0, 2))"), ("i * 보폭 : i * 보폭 + KH, j * 보폭", "i : i + KH, j * 보폭")],
)
TABLE.with_mistakes(
    "Korean names, a pool with a backward of its own",
    "max_pool2d",
    "풀링,풀링_backward",
    """
def 풀링(입력, 크기=2, 보폭=2):
    N, C, H, W = 입력.shape
    OH, OW = (H - 크기) // 보폭 + 1, (W - 크기) // 보폭 + 1
    y = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            y[:, :, i, j] = 입력[:, :, i * 보폭 : i * 보폭 + 크기, j * 보폭 : j * 보폭 + 크기].max((2, 3))
    return y, (입력, y, 크기, 보폭)
def 풀링_backward(d출력, 캐시):
    x, y, 크기, 보폭 = 캐시
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(y.shape):
        창 = x[n, c, i * 보폭 : i * 보폭 + 크기, j * 보폭 : j * 보폭 + 크기]
        a, b = np.unravel_index(창.argmax(), 창.shape)
        dx[n, c, i * 보폭 + a, j * 보폭 + b] += d출력[n, c, i, j]
    return dx
""",
    [("+= d출력", "= d출력"), ("(H - 크기) // 보폭", "(H - 크기) // 2")],
)

KERAS = """
class Conv2D:
    def __init__(self, kernel, bias=None, strides=(1, 1), padding="valid"):
        self.kernel, self.bias = kernel, bias
        self.strides = (strides, strides) if isinstance(strides, int) else strides
        self.padding = padding
    def call(self, inputs):
        N, H, W, C = inputs.shape
        kh, kw, _, F = self.kernel.shape
        sh, sw = self.strides
        if self.padding == "same":
            th = max((-(-H // sh) - 1) * sh + kh - H, 0); tw = max((-(-W // sw) - 1) * sw + kw - W, 0)
        else:
            th = tw = 0
        self.off = th // 2, tw // 2, H, W
        xp = np.pad(inputs, ((0, 0), (th // 2, th - th // 2), (tw // 2, tw - tw // 2), (0, 0)))
        self.xp = xp
        oh, ow = (xp.shape[1] - kh) // sh + 1, (xp.shape[2] - kw) // sw + 1
        out = np.zeros((N, oh, ow, F))
        for i in range(oh):
            for j in range(ow):
                out[:, i, j] = np.tensordot(xp[:, i*sh:i*sh+kh, j*sw:j*sw+kw], self.kernel, 3)
        return out if self.bias is None else out + self.bias
    forward = call
    def backward(self, grad):
        kh, kw, _, F = self.kernel.shape
        sh, sw = self.strides
        dxp = np.zeros_like(self.xp); self.dkernel = np.zeros_like(self.kernel)
        for i in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                g = grad[:, i, j]
                self.dkernel += np.tensordot(self.xp[:, i*sh:i*sh+kh, j*sw:j*sw+kw], g, ([0], [0]))
                dxp[:, i*sh:i*sh+kh, j*sw:j*sw+kw] += np.tensordot(g, self.kernel, ([1], [3]))
        if self.bias is not None:
            self.dbias = grad.sum((0, 1, 2))
        a, b, H, W = self.off
        return dxp[:, a:a+H, b:b+W]
"""
TABLE.with_mistakes(
    "Keras's Conv2D, whose padding is a word",
    "conv2d",
    "Conv2D",
    KERAS,
    [('self.padding == "same"', 'self.padding == "SAME"'), ("th // 2, th - th // 2", "th - th // 2, th // 2")],
)
