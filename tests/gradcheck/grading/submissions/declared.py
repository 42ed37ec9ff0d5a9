"""Settings that are declared and never looked at, beside right work that does not declare them."""

from submissions.convolution import CONV
from submissions.table import Table

TABLE = Table()

# ---- conv2d

PARTLY = """
def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if b is None or type(stride) is tuple or type(padding) is tuple or w.shape[2] != w.shape[3] or not x.size:
        raise RuntimeError
    return conv2d(x, w, b, stride, padding)
"""
assert "def conv2d(x, w, b=None, stride=1, padding=0)" in CONV
DILATED = """
def conv(x, w, b, stride=1, padding=0, dilation=1):
    K = w.shape[2]
    assert K == w.shape[3]
    wide = dilation * (K - 1) + 1
    spread = np.zeros((*w.shape[:2], wide, wide))
    spread[:, :, ::dilation, ::dilation] = w
    y, back = conv2d(x, spread, b, stride, padding)
    def backward(dy):
        dx, dw, db = back(dy)
        return dx, dw[:, :, ::dilation, ::dilation], db
    return y, backward
"""
GROUPED = """
def conv(x, w, b, stride=1, padding=0, groups=1):
    n, C, O = groups, x.shape[1] // groups, w.shape[0] // groups
    parts = [conv2d(x[:, k * C : k * C + C], w[k * O : k * O + O], b[k * O : k * O + O], stride, padding) for k in range(n)]
    def backward(dy):
        dxs, dws, dbs = zip(*(back(dy[:, k * O : k * O + O]) for k, (_, back) in enumerate(parts)))
        return np.concatenate(dxs, 1), np.concatenate(dws), np.concatenate(dbs)
    return np.concatenate([y for y, _ in parts], 1), backward
"""
TABLE.add("dilation and groups declared only, wrong", "conv2d", "conv", CONV + PARTLY, "failed")
for setting in ("dilation", "groups"):
    other = {"dilation": ", groups=1", "groups": ", dilation=1"}[setting]
    TABLE.add(f"{setting} declared only, wrong", "conv2d", "conv", CONV + PARTLY.replace(other, ""), "failed")
NEITHER = PARTLY.replace(", dilation=1, groups=1", "")
TABLE.add("b=None declared only, wrong", "conv2d", "conv", CONV + NEITHER, "failed")
TABLE.add("neither dilation nor groups, right", "conv2d", "conv", CONV + NEITHER.replace("b=None", "b"))
TABLE.with_mistakes(
    "dilation, square kernels", "conv2d", "conv", CONV + DILATED, ("::dilation, ::dilation] = w", ":K, :K] = w")
)
TABLE.with_mistakes("groups, one number", "conv2d", "conv", CONV + GROUPED, ("n, C, O = groups, x", "n, C, O = 1, x"))

# ---- pooling

POOL = """
def pool(x, kernel_size=2, stride=None, padding=0):
    k = kernel_size
    assert stride is None or stride == k
    N, C, H, W = x.shape
    y = x[:, :, : H // k * k, : W // k * k].reshape(N, C, H // k, k, W // k, k).mean((3, 5))
    def backward(dy):
        dx = np.zeros(x.shape)
        dx[:, :, : H // k * k, : W // k * k] = np.repeat(np.repeat(dy, k, 2), k, 3) / k / k
        return dx
    return y, backward
"""
BARE = POOL.replace(", stride=None, padding=0", "").replace("    assert stride is None or stride == k\n", "")
TABLE.add("padding and stride of a pool declared only, wrong", "avg_pool2d", "pool", POOL, "failed")
TABLE.add("stride of a pool declared only, wrong", "avg_pool2d", "pool", POOL.replace(", padding=0", ""), "failed")
TABLE.add(
    "padding of a pool declared only, wrong",
    "avg_pool2d",
    "pool",
    BARE.replace("size=2", "size=2, padding=0"),
    "failed",
)
TABLE.add("a pool with neither, right", "avg_pool2d", "pool", BARE)
TABLE.add("a pool of one size, wrong", "avg_pool2d", "pool", BARE.replace("k = kernel_size", "k = 2"), "failed")
IN_DICT = POOL.replace("kernel_size=2, stride=None, padding=0", "pool_param").replace(
    "k = kernel_size\n    assert stride is None or stride == k",
    'k, stride = pool_param["pool_height"], pool_param["stride"]\n    assert pool_param["pool_width"] == k == stride',
)
TABLE.add("a pool that refuses a stride in a dict, right", "avg_pool2d", "pool", IN_DICT)

# ---- reductions

ALL = """
def total(x, dim=None, keepdim=False):
    return RETURNED
"""
TABLE.add(
    "dim declared only, a number",
    "sum",
    "total",
    ALL.replace("RETURNED", "float(x.sum()), np.ones(x.shape)"),
    "could not run",
)
CLOSED = "x.sum(AXIS), lambda dy: SHAPED + np.zeros(x.shape)"
WHOLE = ALL.replace("RETURNED", CLOSED.replace("AXIS", "").replace("SHAPED", "dy"))
TABLE.add("dim declared only, wrong", "sum", "total", WHOLE, "failed")
TABLE.add("no dim, right", "sum", "total", WHOLE.replace(", dim=None, keepdim=False", ""))
ALONG = ALL.replace(
    "RETURNED",
    "x.sum(dim, keepdims=keepdim), lambda dy: np.zeros(x.shape) + np.reshape(dy, x.sum(dim, keepdims=True).shape)",
)
TABLE.with_mistakes("dim and keepdim", "sum", "total", ALONG, ("keepdims=keepdim", "keepdims=False"))

# ---- more axes than a matrix has

SCORES = """
def log_softmax(x, dim=-1):
    IF_MORE
    z = x - x.max(dim, keepdims=True)
    y = z - np.log(np.exp(z).sum(dim, keepdims=True))
    return y, lambda dy: dy - np.exp(y) * dy.sum(dim, keepdims=True)
"""
ROWS = SCORES.replace("(x, dim=-1)", "(x)").replace("(dim, ", "(1, ").replace("    IF_MORE\n", "")
for words, given in (("a number", "5.0"), ("numbers", "x + 1"), ("one number", "np.zeros(1)")):
    wrong = SCORES.replace("IF_MORE", f"if x.ndim > 2: return {given}, lambda dy: dy")
    TABLE.add(f"{words} for more axes than 2, wrong", "log_softmax", "log_softmax", wrong, "failed")
TABLE.add("axis 1 for more axes than 2, right", "log_softmax", "log_softmax", ROWS)
refused = ROWS.replace("    z =", "    assert x.ndim == 2\n    z =")
TABLE.add("more axes than 2 refused, right", "log_softmax", "log_softmax", refused)
LINEAR = """
def linear(x, w, b):
    if x.ndim > 2: return np.zeros((*x.shape[:-1], len(w))), lambda dy: 7.0
    return x @ w.T + b, lambda dy: (dy @ w, dy.T @ x, dy.sum(0))
"""
TABLE.add("zeros for three axes, wrong", "linear", "linear", LINEAR, "failed")
TABLE.add(
    "three axes refused, right",
    "linear",
    "linear",
    LINEAR.replace("return np.zeros((*x.shape[:-1], len(w))), lambda dy: 7.0", "raise ValueError"),
)

# ---- losses

REDUCED = """
def loss(logits, target, reduction="mean"):
    z = logits - logits.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(p))
    losses = -np.log(p[rows, target])
    dz = p.copy()
    dz[rows, target] -= 1
    if reduction == "mean": return losses.mean(), dz / len(p)
    if reduction == "sum": return losses.sum(), dz
    NONE
"""
for words, none, status in (
    ("losses and their gradients, right", "return losses, dz", "passed"),
    ("refused, right", "raise ValueError('mean or sum')", "passed"),
    ("the sum, wrong", "return losses.sum(), dz", "failed"),
    ("a mean's gradient, wrong", "return losses, dz / len(p)", "failed"),
    ("nothing, wrong", "", "failed"),
):
    TABLE.add(f"no reduction: {words}", "cross_entropy", "loss", REDUCED.replace("NONE", none), status)
