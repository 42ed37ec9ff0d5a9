"""Flags that a submission declares, bias=True or affine=True: a case without it looks at each."""

from submissions.table import Table

TABLE = Table()

LINEAR = """
def linear(x, w, b=None, bias=True):
    y = x @ w.T
    if COND: y = y + b
    return y, lambda dy: (dy @ w, dy.T @ x, dy.sum(0))
"""
for beside, b in (("a bias", "b"), ("an optional bias", "b=None")):
    for used in ("bias", "bias and b is not None"):
        right = LINEAR.replace("b=None", b).replace("COND", used)
        wrong = ("if " + used, "if b is not None")
        TABLE.with_mistakes(f"bias=True beside {beside}, {used}", "linear", "linear", right, wrong)

LAYER = """
class Linear:
    def __init__(self, in_features, out_features, bias=True):
        self.weight = np.random.randn(out_features, in_features)
        self.bias = INIT
        self.use = bias
    def forward(self, x):
        self.x = x
        return x @ self.weight.T + ADD
    def backward(self, dy):
        self.dweight = dy.T @ self.x
        self.dbias = dy.sum(0)
        return dy @ self.weight
"""
for made, added in (
    ("np.zeros(out_features) if bias else None", "(0 if self.bias is None else self.bias)"),
    ("np.random.randn(out_features)", "(self.bias if self.use else 0)"),
):
    right = LAYER.replace("INIT", made).replace("ADD", added)
    TABLE.with_mistakes(f"class with bias=True, {added}", "linear", "Linear", right, (added, "self.bias"))
zeros = LAYER.replace("INIT", "np.zeros(out_features)").replace("ADD", "self.bias")
TABLE.add("class with bias=True that has zeros in any case, wrong", "linear", "Linear", zeros, "failed")

LAYER_NORM = """
class LN:
    def __init__(self, dim, eps=1e-5, elementwise_affine=True):
        self.gamma, self.beta, self.eps, self.affine = np.ones(dim), np.zeros(dim), eps, elementwise_affine
    def forward(self, x):
        self.inv = 1/np.sqrt(x.var(-1, keepdims=True) + self.eps)
        self.h = (x - x.mean(-1, keepdims=True))*self.inv
        return self.gamma*self.h + self.beta if COND else self.h
    def backward(self, dy):
        self.dgamma, self.dbeta = (dy*self.h).sum(0), dy.sum(0)
        d = dy*self.gamma if COND else dy
        return self.inv*(d - d.mean(-1, keepdims=True) - self.h*(d*self.h).mean(-1, keepdims=True))
"""
right = LAYER_NORM.replace("COND", "self.affine")
TABLE.with_mistakes("class with elementwise_affine=True", "layer_norm", "LN", right, ("if self.affine", "if True"))

BATCH_NORM = """
def batch_norm(x, gamma=None, beta=None, affine=True, eps=1e-5):
    ax=(0, 2, 3)
    if x.ndim==2: ax=(0,)
    sh=[1,-1]+[1]*(x.ndim-2)
    inv=1/np.sqrt(x.var(ax,keepdims=True)+eps); h=(x-x.mean(ax,keepdims=True))*inv
    g = gamma.reshape(sh) if COND else 1
    y = g*h + (beta.reshape(sh) if COND else 0)
    def backward(dy):
        d=dy*g
        return inv*(d-d.mean(ax,keepdims=True)-h*(d*h).mean(ax,keepdims=True)), (dy*h).sum(ax), dy.sum(ax)
    return y, backward
"""
right = BATCH_NORM.replace("COND", "affine")
TABLE.with_mistakes("affine=True", "batch_norm", "batch_norm", right, ("if affine", "if gamma is not None"))

LAYER = """
class BN:
    def __init__(self, num_features, eps=1e-5, affine=True):
        self.affine, self.eps = affine, eps
        self.gamma, self.beta = (np.ones(num_features), np.zeros(num_features)) if MAKE else (None, None)
    def forward(self, x):
        self.ax=(0,2,3) if x.ndim==4 else (0,) if x.ndim==2 else (0,2)
        self.sh=[1,-1]+[1]*(x.ndim-2)
        self.inv=1/np.sqrt(x.var(self.ax,keepdims=True)+self.eps); self.h=(x-x.mean(self.ax,keepdims=True))*self.inv
        if self.gamma is None: return self.h
        return self.gamma.reshape(self.sh)*self.h + self.beta.reshape(self.sh)
    def backward(self, dy):
        d = dy
        if self.gamma is not None:
            self.dgamma, self.dbeta = (dy*self.h).sum(self.ax), dy.sum(self.ax)
            d=dy*self.gamma.reshape(self.sh)
        return self.inv*(d-d.mean(self.ax,keepdims=True)-self.h*(d*self.h).mean(self.ax,keepdims=True))
"""
right = LAYER.replace("MAKE", "affine")
TABLE.with_mistakes("class of a batch norm with affine=True", "batch_norm", "BN", right, ("if affine", "if True"))

KERAS = """
def norm(x, gamma, beta, epsilon=1e-5, center=True, scale=True):
    axes = AXES
    inv = 1 / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    h = (x - x.mean(axes, keepdims=True)) * inv
    shape = SHAPE
    g = gamma.reshape(shape) if scale else 1
    b = beta.reshape(shape) if center else 0
    others = tuple(k for k in range(x.ndim) if shape[k] == 1)
    def backward(dy):
        d = dy * g
        dx = inv * (d - d.mean(axes, keepdims=True) - h * (d * h).mean(axes, keepdims=True))
        return dx, (dy * h).sum(others), dy.sum(others)
    return g * h + b, backward
"""
for op, axes, shape in (
    ("layer_norm", "-1", "(1,) * (x.ndim - 1) + (-1,)"),
    ("batch_norm", "(0, 2, 3)", "(1, -1, 1, 1)"),
):
    right = KERAS.replace("AXES", axes).replace("SHAPE", shape)
    ignored = [
        (" if scale else 1", ""),
        (" if center else 0", ""),
        ("if scale", "if center"),
        ("if center", "if scale"),
    ]
    TABLE.with_mistakes(f"center=True and scale=True of a {op}", op, "norm", right, ignored)
