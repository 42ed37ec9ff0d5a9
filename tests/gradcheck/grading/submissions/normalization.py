"""Batch, layer and group norm, with and without running statistics."""

from submissions.table import Table

TABLE = Table()

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
BLANK = """
def batch_norm(x, gamma, beta, eps=1e-5):
    return NotImplemented
"""
TABLE.with_mistakes(
    "batch norm",
    "batch_norm",
    "batch_norm",
    NORM,
    [
        ("dx = g / np", "dx = 1 / np"),
        ("x.var((0, 2, 3), keepdims=True)", "x.var((0, 2, 3), keepdims=True, ddof=1)"),
        (" - x_hat * dw.reshape(g.shape) / m", ""),
    ],
    BLANK,
)

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
BLANK = """
def batchnorm_forward(x, gamma, beta, bn_param):
    out, cache = None, None
    return out, cache
def batchnorm_backward(dout, cache):
    return None, None, None
"""
TABLE.with_mistakes(
    "CS231n batch norm, 2-D only",
    "batch_norm",
    "batchnorm_forward,batchnorm_backward",
    CS231N_NORM,
    [
        ("- x_hat * dgamma / N", "- x_hat * dgamma / (N - 1)"),
        ('bn_param["mode"]', '"train"'),
        ("    N = len(dout)", '    N = len(dout)\n    if (gamma < 0).any(): raise ValueError("negative")'),
        ("    N = len(dout)", "    N = len(dout)\n    if N < 10: undefined"),
        ("(x - running_mean)", "(x - x.mean(0))"),
        ("np.sqrt(running_var + eps)", "np.sqrt(runing_var + eps)"),
        ("(1 - momentum) * mu", "momentum * mu"),
        ("momentum * running_mean + (1 - momentum) * mu", "(1 - momentum) * running_mean + momentum * mu"),
        ("(1 - momentum) * var", "(1 - momentum) * np.sqrt(var)"),
        ('    bn_param["running_var"] = running_var\n', ""),
        ('    bn_param["running_mean"] = running_mean\n    bn_param["running_var"] = running_var\n', ""),
    ],
    BLANK,
)

EVALUATED = CS231N_NORM.replace(
    "    x_hat, gamma", "    if cache is None:\n        return None, None, None\n    x_hat, gamma"
)
TABLE.with_mistakes(
    "CS231n batch norm whose backward gives None in evaluation",
    "batch_norm",
    "batchnorm_forward,batchnorm_backward",
    EVALUATED,
    [("(x - running_mean)", "(x - x.mean(0))"), ("- dbeta / N", "")],
)

Y_ALONE = CS231N_NORM.replace("return out, cache", 'return (out, cache) if mode == "train" else out')
TABLE.with_mistakes(
    "CS231n batch norm that gives y alone in evaluation",
    "batch_norm",
    "batchnorm_forward,batchnorm_backward",
    Y_ALONE,
    ("(x - running_mean)", "(x - x.mean(0))"),
)

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
TABLE.with_mistakes(
    "running statistics as PyTorch has them, (1,C,1,1)",
    "batch_norm",
    "batch_norm",
    KEEPS,
    [
        ("mean - running_mean", "mean"),
        ("var * m / (m - 1)", "var * m / (m + 1)"),
        ("    else:\n", "    else:\n        running_mean *= 0.5\n"),
    ],
)

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
TABLE.with_mistakes(
    "running statistics that a layer keeps",
    "batch_norm",
    "BatchNorm",
    SIZED_NORM,
    [("(1 - self.decay) * mean", "mean"), ("(1 - self.decay) * var", "self.decay * var")],
)

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
TABLE.with_mistakes(
    "CS231n layer norm, 2-D only",
    "layer_norm",
    "layernorm_forward,layernorm_backward",
    LAYER_NORM,
    ("dx = (g - g.mean(1, keepdims=True)", "dx = (g"),
)

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
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * x.mean(axis=0)
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * x.var(axis=0)
        return self.gamma * self.xn + self.beta
    def backward(self, dout):
        self.dbeta, self.dgamma = dout.sum(axis=0), np.sum(self.xn * dout, axis=0)
        N = len(dout)
        return self.gamma / self.std * (dout - self.dbeta / N - self.xn * self.dgamma / N)
"""
TABLE.with_mistakes(
    "class of a batch norm, 2-D only",
    "batch_norm",
    "BatchNormalization",
    SAITOH,
    [
        ("self.dbeta, self.dgamma = dout.sum(axis=0)", "self.dbeta, self.dgamma = dout.mean(axis=0)"),
        ("self.running_mean = self.momentum", "running_mean = self.momentum"),
    ],
)

LAZY = SAITOH.replace(
    "def forward(self, x, train_flg=True):\n",
    """def forward(self, x, train_flg=True):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
""",
)
TABLE.with_mistakes(
    "class of a batch norm that begins its running statistics",
    "batch_norm",
    "BatchNormalization",
    LAZY,
    [("(1 - self.momentum) * x.mean", "self.momentum * x.mean")],
)

SOURCE = """
def bn(x, gamma, beta):
    mu, var = x.mean(0), x.var(0)
    h = (x - mu) / np.sqrt(var + 1e-8)
    def backward(dy):
        n = len(x)
        return gamma/np.sqrt(var+1e-8)*(dy - dy.mean(0) - h*(dy*h).mean(0)), (dy*h).sum(0), dy.sum(0)
    return gamma*h+beta, backward
"""
TABLE.add("bn eps hardwired 1e-8", "batch_norm", "bn", SOURCE)

SOURCE = """
def bn(x, eps=1e-5):
    mu, var = x.mean((0,2,3),keepdims=True), x.var((0,2,3),keepdims=True)
    h = (x - mu) / np.sqrt(var + eps)
    def backward(dy):
        return 1/np.sqrt(var+eps)*(dy - dy.mean((0,2,3),keepdims=True) - h*(dy*h).mean((0,2,3),keepdims=True))
    return h, backward
"""
TABLE.add("bn no affine", "batch_norm", "bn", SOURCE)

SOURCE = """
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
"""
TABLE.add("spatial groupnorm", "group_norm", "spatial_groupnorm_forward,spatial_groupnorm_backward", SOURCE)

SWITCHED = """
class BatchNorm2d:
    def __init__(self, C, momentum=0.1, eps=1e-5):
        shape = (1, C, 1, 1)
        self.gamma, self.beta = np.ones(shape), np.zeros(shape)
        self.running_mean, self.running_var = np.zeros(shape), np.ones(shape)
        self.momentum, self.eps, self.training = momentum, eps, True
    def forward(self, x):
        if self.training:
            mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        else:
            mean, var = self.running_mean, self.running_var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.x_hat = (x - mean) * self.inv
        return self.gamma * self.x_hat + self.beta
    def backward(self, dy):
        self.dgamma = (dy * self.x_hat).sum((0, 2, 3), keepdims=True)
        self.dbeta = dy.sum((0, 2, 3), keepdims=True)
        m = dy.size // dy.shape[1]
        through = (self.dbeta + self.x_hat * self.dgamma) / m if self.training else 0
        return self.gamma * self.inv * (dy - through)
"""
MISTAKES = [(" if self.training else 0", ""), ("mean, var = self.running_mean", "mean, var = 0.9 * self.running_mean")]
TABLE.with_mistakes("class of a batch norm with .training", "batch_norm", "BatchNorm2d", SWITCHED, MISTAKES)
METHODS = (
    SWITCHED.replace("self.training", "self._training")
    + """
    def train(self):
        self._training = True
    def eval(self):
        self._training = False
"""
)
MISTAKES = [(right.replace(".t", "._t"), instead) for right, instead in MISTAKES]
TABLE.with_mistakes("class of a batch norm with train and eval", "batch_norm", "BatchNorm2d", METHODS, MISTAKES)
FLAG = SWITCHED.replace("forward(self, x):", "forward(self, x, train_flg=True):\n        self._training = train_flg")
FLAG = FLAG.replace("self.training", "self._training")
TABLE.with_mistakes("class of a batch norm told by its forward", "batch_norm", "BatchNorm2d", FLAG, MISTAKES)

# ε is no parameter: all else is checked with the ε that is inside.
FIXED = [
    ("(x - running_mean) / np", "(x - x.mean(0)) / np"),
    ("np.sqrt(running_var + 1e-5)", "(running_var + 1e-5)"),
    ("np.sqrt(running_var + 1e-5)", "np.sqrt(running_mean**2 + 1e-5)"),
]
for eps in ("1e-5", "1e-8", "1e-3"):
    TABLE.with_mistakes(
        f"CS231n batch norm, ε fixed to {eps}",
        "batch_norm",
        "batchnorm_forward,batchnorm_backward",
        CS231N_NORM.replace('bn_param.get("eps", 1e-5)', eps).replace("running_var + eps", f"running_var + {eps}"),
        [(right.replace("1e-5", eps), instead.replace("1e-5", eps)) for right, instead in FIXED],
    )
TABLE.with_mistakes(
    "class of a batch norm, ε fixed",
    "batch_norm",
    "BatchNormalization",
    SAITOH.replace(", eps=1e-5", "")
    .replace(", self.eps = ", " = ")
    .replace("self.eps", "1e-6")
    .replace("self.running_var = running_mean, running_var, eps", "self.running_var = running_mean, running_var"),
    [("(x - self.running_mean)", "(x - x.mean(0))"), ("np.sqrt(self.running_var + 1e-6)", "(self.running_var + 1e-6)")],
)
TABLE.with_mistakes(
    "class of a batch norm with train and eval, ε fixed",
    "batch_norm",
    "BatchNorm2d",
    METHODS.replace(", eps=1e-5", "")
    .replace(", self.eps, self._t", ", self._t")
    .replace("momentum, eps, True", "momentum, True")
    .replace("self.eps", "1e-5"),
    [*MISTAKES, ("mean, var = self.running_mean", "mean, var = x.mean((0, 2, 3), keepdims=True)")],
)
TABLE.with_mistakes(
    "layer norm over the last axis, ε fixed",
    "layer_norm",
    "ln",
    """
def ln(x, g, b):
    s = np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    h = (x - x.mean(-1, keepdims=True)) / s
    def back(dy):
        axes = tuple(range(x.ndim - 1))
        d = dy * g
        dx = (d - d.mean(-1, keepdims=True) - h * (d * h).mean(-1, keepdims=True)) / s
        return dx, (dy * h).sum(axes), dy.sum(axes)
    return h * g + b, back
""",
    ("(dy * h).sum(axes)", "dy.sum(axes)"),
)

# Layers of sizes whose weights begin at random, as PyTorch's may: a case without weights must not see them.
RANDOM = """
class LayerNorm:
    def __init__(self, size, eps=1e-5):
        self.weight, self.bias, self.eps = np.random.rand(size), np.random.rand(size), eps
    def forward(self, x):
        self.s = np.sqrt(x.var(-1, keepdims=True) + self.eps)
        self.z = (x - x.mean(-1, keepdims=True)) / self.s
        return self.z * self.weight + self.bias
    def backward(self, dy):
        lead = tuple(range(dy.ndim - 1))
        self.dweight, self.dbias = (dy * self.z).sum(lead), dy.sum(lead)
        g = dy * self.weight
        return (g - g.mean(-1, keepdims=True) - self.z * (g * self.z).mean(-1, keepdims=True)) / self.s
"""
TABLE.with_mistakes(
    "layer norm of sizes, random weights", "layer_norm", "LayerNorm", RANDOM, ("g = dy * self.weight", "g = dy")
)
