"""Wrong work that would be passed over, or let pass, where it is wrong."""

from submissions.convolution import CONV
from submissions.table import Table

TABLE = Table()

ATTRIBUTE = """
class Conv:
    def __init__(self, stride=1, pad=0):
        self.W, self.b = np.zeros((4, 3, 3, 3)), np.zeros(4)
        self.stride, self.pad = stride, pad
        if (stride, pad) != (1, 0): del self.b
    def forward(self, x):
        if getattr(self, "b", None) is None: raise ValueError("no bias")
        y, self.back = conv2d(x, self.W, self.b)
        return y
    def backward(self, dy):
        dx, self.dW, self.db = self.back(dy)
        return dx
"""
IN_DICT = """
class Conv:
    def __init__(self, stride=1, pad=0):
        self.params = {"W": np.zeros((4, 3, 3, 3)), "b": np.zeros(4)}
        self.stride, self.pad = stride, pad
        if (stride, pad) != (1, 0): del self.params["b"]
    def forward(self, x):
        y, self.back = conv2d(x, self.params["W"], self.params["b"])
        return y
    def backward(self, dy):
        dx, self.dW, self.db = self.back(dy)
        return dx
"""
TABLE.add("a bias that is an attribute for stride 1 only", "conv2d", "Conv", CONV + ATTRIBUTE, "failed")
TABLE.add("a bias that is in a dict for stride 1 only", "conv2d", "Conv", CONV + IN_DICT, "failed")

SOURCE = """
def relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0) + 1j * dy * (x == 0)
"""
TABLE.add("imaginary at the kink, wrong", "relu", "relu", SOURCE, "failed")
TABLE.add("complex and real, right", "relu", "relu", SOURCE.replace("1j", "0j"))

# ---- half of the work

BACKWARD = """
def relu(dout, x):
    return dout * (x > 0)
def relu_backward(dout, x):
    return dout * (x > 0)
def drelu(dy, x):
    return dy * (x > 0)
"""
TABLE.add("a backward under the name of the op", "relu", "relu", BACKWARD, "could not run")
TABLE.add("a backward under its own name, right", "relu", "relu_backward", BACKWARD.replace("def relu(", "def other("))
TABLE.add("a backward called drelu, right", "relu", "drelu", BACKWARD)
TABLE.add(
    "a backward of y under the name of the op",
    "tanh",
    "tanh",
    "def tanh(dout, y):\n    return dout * (1 - y * y)\n",
    "could not run",
)

NORMED = """
def conv_norm(x, weight, gamma, beta, eps=1e-5, relu=False):
    O = len(gamma)
    z = np.einsum("nchw,oc->nohw", x, weight[:, :, 0, 0])
    axes = (0, 2, 3)
    s = 1 / np.sqrt(z.var(axes, keepdims=True) + eps)
    h = (z - z.mean(axes, keepdims=True)) * s
    G = gamma.reshape(1, -1, 1, 1)
    y = h * G + beta.reshape(1, -1, 1, 1)
    def backward(dy):
        if relu: dy = dy * (y > 0)
        g = dy * G
        dz = s * (g - g.mean(axes, keepdims=True) - h * (g * h).mean(axes, keepdims=True))
        dw = np.einsum("nchw,nohw->oc", x, dz)[:, :, None, None]
        return np.einsum("nohw,oc->nchw", dz, weight[:, :, 0, 0]), dw, (dy * h).sum(axes), dy.sum(axes)
    return np.maximum(y, 0) if relu else y, backward
"""
WITHOUT = NORMED.replace("x, weight, gamma", "x, gamma").replace(
    "    z =", "    weight = np.ones((O, x.shape[1], 1, 1))\n    z ="
)
TABLE.add("conv_norm with its convolution, right", "conv_norm", "conv_norm", NORMED)
TABLE.add(
    "conv_norm without a convolution", "conv_norm", "conv_norm", WITHOUT.replace(", dw, (dy", ", (dy"), "could not run"
)

# ---- running statistics that are none

RUNNING = """
def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running_mean, running_var = bn_param["running_mean"], bn_param["running_var"]
    mean, var = running_mean, running_var
    if bn_param["mode"] == "train":
        mean, var = x.mean(0), x.var(0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    h = (x - mean) / np.sqrt(var + eps)
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return gamma * h + beta, (h, gamma, var, eps, bn_param["mode"] == "train")
def batchnorm_backward(dout, cache):
    h, gamma, var, eps, training = cache
    dgamma, dbeta = (dout * h).sum(0), dout.sum(0)
    return gamma / np.sqrt(var + eps) * (dout - training * (dbeta + h * dgamma) / len(h)), dgamma, dbeta
"""
NEW = "running_var = momentum * running_var + (1 - momentum) * var"
TABLE.with_mistakes(
    "running statistics in a dict",
    "batch_norm",
    "batchnorm_forward,batchnorm_backward",
    RUNNING,
    [
        (NEW, "running_var = momentum * running_var.mean() + (1 - momentum) * x.var()"),
        (NEW, "running_var = 7.0"),
        (NEW, "running_var = None"),
        (NEW, NEW.replace("= ", "= (", 1) + ")[None, :, None] * np.ones((1, 1, 2))"),
        (NEW, "running_var = (running_var * 0 + 99).astype(int)"),
        (NEW, "running_mean, running_var = 3.0, 7.0"),
        ("    h =", "    else: running_var = 7.0\n    h ="),
    ],
)

# ---- masks that are not random

DROPOUT = """
calls = 0
def dropout(x, p=0.5, training=True, seed=None):
    global calls
    calls += 1
    if not training: return x.copy(), lambda dy: dy.copy()
    mask = MASK / (1 - p)
    return x * mask, lambda dy: dy * mask
"""
RANDOM = "(np.random.default_rng(seed).random(x.shape) >= p)"
for words, mask, status in (
    ("drawn anew or from the seed, right", RANDOM, "passed"),
    ("a seed of its own where none is given", RANDOM.replace("seed", "0 if seed is None else seed"), "failed"),
    (
        "shifted by one in each call",
        "(((np.arange(x.size) + calls + (seed or 0)) % 10) >= round(10 * p)).reshape(x.shape)",
        "failed",
    ),
    ("whole columns", RANDOM.replace("x.shape", "x.shape[1:]") + " * np.ones(x.shape)", "failed"),
):
    TABLE.add(f"a mask: {words}", "dropout", "dropout", DROPOUT.replace("MASK", mask), status)
KEPT = "((lambda m: np.roll(m, calls))(np.random.default_rng(3).random(x.size) >= p)).reshape(x.shape)"
NO_SEED = DROPOUT.replace(", seed=None", "").replace("MASK", KEPT)
TABLE.add("a mask: one, rolled in each call", "dropout", "dropout", NO_SEED, "failed")
OWN = DROPOUT.replace("seed=None", "seed=7").replace("MASK", RANDOM.replace("seed", "7 if seed is None else seed"))
TABLE.add("a mask: a seed that is declared, right", "dropout", "dropout", OWN)
