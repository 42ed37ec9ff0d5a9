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

LOSSES = """
def softmax_dx(logits, target):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(p)), target] -= 1
    return p / len(p)
def loss(logits, target):
    z = logits - logits.max(1, keepdims=True)
    return (np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), target]).mean()
def loss_grad(logits, target):
    return softmax_dx(logits, target)
def loss_and_grad(logits, target):
    return softmax_dx(logits, target)
def valueAndGradient(logits, target):
    return loss(logits, target), softmax_dx(logits, target)
"""
TABLE.add("the gradient alone of a loss_and_grad", "cross_entropy", "loss_and_grad", LOSSES, "could not run")
TABLE.add("a loss and its gradient under a name for both, right", "cross_entropy", "valueAndGradient", LOSSES)
TABLE.add("a gradient alone under its name, right", "cross_entropy", "loss_grad", LOSSES)
for name in ("relu_forward_backward", "relu_with_grad"):
    for source, status in (
        (BACKWARD.replace("def relu(", f"def {name}("), "could not run"),
        (f"def {name}(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n", "passed"),
    ):
        TABLE.add(f"{name}, {status}", "relu", name, source, status)

# ---- what is far too large, or has too many axes, so that nothing is computed of it

HUGE = """
def relu(x):
    return np.maximum(x, 0), lambda dy: DX
"""
for dx in ("np.zeros((0, 2**31, 2**28))", "np.ones((1,) * 16 + x.shape + (1,) * 12)", "np.ones((1,) * 30 + x.shape)"):
    TABLE.add(f"a gradient of {dx}", "relu", "relu", HUGE.replace("DX", dx), "failed")
IMAGE = """
def max_pool2d(x, kernel_size, stride=None):
    return np.zeros((1,) * 31 + (2,)), lambda dy: np.zeros((1,) * 31 + (2,))
"""
TABLE.add("a y of 32 axes", "max_pool2d", "max_pool2d", IMAGE, "failed")

# ---- what no hint explains

SAME = """
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    two = lambda v: v if isinstance(v, tuple) else (v, v)
    s, d, p = two(stride), two(dilation), two(0 if padding == "same" else padding)
    shape = [(x.shape[2 + k] + 2 * p[k] - d[k] * (w.shape[2 + k] - 1) - 1) // s[k] + 1 for k in (0, 1)]
    y = np.zeros((len(x), len(w), *(x.shape[2:] if padding == "same" else shape)))
    return y, lambda dy: tuple(np.ones(a.shape) for a in (x, w, b) if a is not None)
"""
TABLE.add("a convolution that is wrong with padding=same", "conv2d", "conv2d", SAME, "failed")

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

# ---- new running statistics that are returned, and are none

RETURNED = (
    RUNNING.replace("= cache\n", "= cache[0]\n")
    .replace('    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var\n', "")
    .replace('bn_param["mode"] == "train")\ndef', 'bn_param["mode"] == "train"), running_mean, running_var\ndef')
)
TABLE.with_mistakes(
    "running statistics that are returned",
    "batch_norm",
    "batchnorm_forward,batchnorm_backward",
    RETURNED,
    [
        (", running_mean, running_var\ndef", ", 0\ndef"),
        (", running_mean, running_var\ndef", ", running_mean\ndef"),
        (", running_mean, running_var\ndef", ", x.mean(0), x.var(0)\ndef"),
        (", running_mean, running_var\ndef", ', bn_param["running_mean"], bn_param["running_var"]\ndef'),
    ],
)
IN_TUPLE = RETURNED.replace(", running_mean, running_var\ndef", ", (running_mean, running_var)\ndef")
TABLE.add("running statistics in a tuple, right", "batch_norm", "batchnorm_forward,batchnorm_backward", IN_TUPLE)
IN_OWN = IN_TUPLE.replace(", (running_mean, running_var)\ndef", ', {"mean": running_mean, "var": running_var}\ndef')
TABLE.add(
    "running statistics in a dict of its own, right", "batch_norm", "batchnorm_forward,batchnorm_backward", IN_OWN
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
