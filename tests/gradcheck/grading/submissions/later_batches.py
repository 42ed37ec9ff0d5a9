"""Layers in later rounds, with a batch of one sample less: what a forward takes, what a layer keeps, what it hides."""

from submissions.table import Table

TABLE = Table()

NORM = """
class Norm:
    def forward(self, x, gamma, beta):
        self.axes = (0, *range(2, x.ndim))
        self.shape = [1, -1] + [1] * (x.ndim - 2)
        self.inv = 1 / np.sqrt(x.var(self.axes, keepdims=True) + 1e-5)
        self.h, self.gamma = (x - x.mean(self.axes, keepdims=True)) * self.inv, gamma
        return self.h * gamma.reshape(self.shape) + beta.reshape(self.shape)
    def backward(self, dy):
        d = dy * self.gamma.reshape(self.shape)
        first, second = d.mean(self.axes, keepdims=True), (d * self.h).mean(self.axes, keepdims=True)
        return self.inv * (d - first - self.h * second), (dy * self.h).sum(self.axes), dy.sum(self.axes)
"""
LINEAR = """
class Linear:
    def forward(self, x, w, b):
        self.x, self.w = x, w
        return x @ w.T + b
    def backward(self, dy):
        return dy @ self.w, dy.T @ self.x, dy.sum(0)
"""
LOSS = """
class Loss:
    def __init__(self, target):
        self.t = target
    def forward(self, z):
        e = np.exp(z - z.max(1, keepdims=True))
        self.p = e / e.sum(1, keepdims=True)
        return -np.log(self.p[np.arange(len(z)), self.t]).mean()
    def backward(self, dy=1.0):
        d = self.p.copy()
        d[np.arange(len(d)), self.t] -= 1
        return dy * d / len(d)
"""
for name, op, target, right, wrong in (
    ("batch norm", "batch_norm", "Norm", NORM, ("self.h, self.gamma =", "self.h, self.gamma = 2 *")),
    (
        "linear layer",
        "linear",
        "Linear",
        LINEAR,
        ("self.x, self.w = x, w", "self.x, self.w = getattr(self, 'x', x), w"),
    ),
    ("loss with its target in the constructor", "cross_entropy", "Loss", LOSS, ("-= 1", "-= 1.5")),
):
    wrong = ("- self.h * second", "") if name == "batch norm" else wrong
    TABLE.with_mistakes(f"class of a {name} whose forward takes all", op, target, right, wrong)

RUNNING = """
class Norm:
    def __init__(self, num_features, momentum=0.1, eps=1e-5):
        self.gamma, self.beta, self.eps, self.m = np.ones(num_features), np.zeros(num_features), eps, momentum
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.training, self.seen = True, 0
    def forward(self, x):
        self.axes = (0, *range(2, x.ndim))
        self.shape = [1, -1] + [1] * (x.ndim - 2)
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(self.axes), x.var(self.axes)
            m = self.m
            self.running_mean = (1 - m) * self.running_mean + m * mean
            self.running_var = (1 - m) * self.running_var + m * var
            self.seen += 1
        self.inv = 1 / np.sqrt(var + self.eps).reshape(self.shape)
        self.h = (x - mean.reshape(self.shape)) * self.inv
        return self.h * self.gamma.reshape(self.shape) + self.beta.reshape(self.shape)
    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.h).sum(self.axes), dy.sum(self.axes)
        d = dy * self.gamma.reshape(self.shape)
        if not self.training:
            return d * self.inv
        first, second = d.mean(self.axes, keepdims=True), (d * self.h).mean(self.axes, keepdims=True)
        return self.inv * (d - first - self.h * second)
"""
TABLE.with_mistakes(
    "class of a batch norm with running statistics",
    "batch_norm",
    "Norm",
    RUNNING,
    [("m = self.m", "m = self.m * (self.seen == 0)"), ("m = self.m", "m = self.m ** (1 + self.seen)")],
)

SLIP = """
class Relu:
    def __init__(self):
        self.n = None
    def forward(self, x):
        self.n = self.n or np.shape(x)[:1]
        if np.shape(x)[:1] != self.n:
            HERE
        self.mask = x > 0
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
"""
TABLE.add("class of a ReLU for one size of batch", "relu", "Relu", SLIP.replace("HERE", "raise ValueError('size')"))
for here in ("np.zeors(3)", "raise NotImplementedError", "return None"):
    text = SLIP.replace("HERE", here)
    TABLE.add(f"class of a ReLU that does {here} at a smaller batch", "relu", "Relu", text, "failed")

STALE = """
LATE = []
class Linear:
    def __init__(self, W, b):
        self.W, self.b, self.n, self.x, self.late = W, b, 0, None, bool(LATE)
    def forward(self, x):
        self.n = 0
        if self.x is None: self.x = x
        return x @ self.W.T + self.b
    def backward(self, dy):
        self.n += 1
        if self.n == 2: LATE.append(1)
        dW = dy.T @ self.x if len(dy) == len(self.x) else None
        return dy @ self.W, None if self.late else dW, dy.sum(0)
"""
TABLE.add("class of a linear layer that gives None in later rounds", "linear", "Linear", STALE, "failed")
HIDDEN = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b, self.first = W.copy(), b.copy(), None
    def forward(self, x):
        self.x = x
        if self.first is None: self.first = x
        return (self.first if len(self.first) == len(x) else x) @ self.W.T + self.b
    def backward(self, dy):
        dx, dW, db = dy @ self.W, dy.T @ self.x, dy.sum(0)
        self.b -= RATE * db
        return dx, dW, db
"""
TABLE.add("class whose step is so large that y is lost", "linear", "Linear", HIDDEN.replace("RATE", "1e30"), "failed")
right = HIDDEN.replace("RATE", "0.1").replace("self.first if len(self.first) == len(x) else x", "x")
TABLE.add("class that trains its bias", "linear", "Linear", right)

MOMENTUM = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b, self.beta, self.m = W.copy(), b.copy(), 0.9, [0, 0]
        self._wt = W.T.copy()
    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b
    def backward(self, dy):
        dx, self.dW, self.db = dy @ self.W, dy.T @ self.x, dy.sum(0)
        for k, (w, g) in enumerate(((self.W, self.dW), (self.b, self.db))):
            self.m[k] = self.beta * self.m[k] + g
            w -= 0.01 * self.m[k]
        return dx
"""
TABLE.with_mistakes(
    "class with a momentum that is called beta, and a copy of its weights",
    "linear",
    "Linear",
    MOMENTUM,
    ("self.x = x", "self.x = getattr(self, 'x', x)"),
)
