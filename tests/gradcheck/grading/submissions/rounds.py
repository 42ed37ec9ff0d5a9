"""Layers that are right for their first batch: a net trains on many."""

from submissions.table import Table

TABLE = Table()

TABLE.with_mistakes(
    "class of a ReLU",
    "relu",
    "Relu",
    """
class Relu:
    def __init__(self):
        self.mask = None
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
""",
    [
        ("        self.mask = x > 0", "        if self.mask is None: self.mask = x > 0"),
        ("        self.mask = x > 0", "        if self.mask is not None: return np.ones(3)\n        self.mask = x > 0"),
        ("        self.mask = x > 0", "        if self.mask is not None: return None\n        self.mask = x > 0"),
        (
            "        self.mask = x > 0",
            "        self.n = getattr(self, 'n', 0) + 1\n        self.mask = x > (self.n > 2)",
        ),
    ],
)
TABLE.with_mistakes(
    "class of a linear layer that keeps its batches",
    "linear",
    "Linear",
    """
class Linear:
    def __init__(self, W, b):
        self.W, self.b, self.xs = W, b, []
    def forward(self, x):
        self.xs.append(x)
        return x @ self.W + self.b
    def backward(self, d):
        x = self.xs[-1]
        self.dW, self.db = x.T @ d, d.sum(0)
        return d @ self.W.T
""",
    [
        ("self.xs[-1]", "self.xs[0]"),
        ("self.xs.append(x)", "self.xs.append(x)\n        x = self.xs[0]"),
        ("        return d @ self.W.T", "        if self.xs[1:]: self.dW = None\n        return d @ self.W.T"),
        ("        return d @ self.W.T", "        if self.xs[1:]: return {'db': self.db}\n        return d @ self.W.T"),
    ],
)
TABLE.add(
    "class of a linear layer that adds up its gradients",
    "linear",
    "Linear",
    """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW += self.x.T @ d
        self.db += d.sum(0)
        return d @ self.W.T
""",
)
TABLE.with_mistakes(
    "class of a dropout",
    "dropout",
    "Dropout",
    """
class Dropout:
    def __init__(self, p=0.5):
        self.p, self.training, self.mask = p, True, None
    def forward(self, x):
        if not self.training:
            self.mask = np.ones(x.shape)
            return x.copy()
        self.mask = (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
""",
    [
        ("        self.mask = (np", "        if self.mask is None: self.mask = (np"),
        ("        self.mask = (np", "        if self.mask is not None: return np.arange(7.0)\n        self.mask = (np"),
        ("        self.mask = (np", "        if self.mask is not None: return x.copy()\n        self.mask = (np"),
        ("return dy * self.mask", "return np.zeros((0, 1, 1))"),
        ("return dy * self.mask", "return (dy * self.mask)[None]"),
        ("return dy * self.mask", "return (dy * self.mask).T"),
        ("return dy * self.mask", "self.old = getattr(self, 'old', self.mask)\n        return dy * self.old"),
    ],
)

TRAINED = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b.copy()
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(0)
        dx = d @ self.W.T
        self.W -= 0.1 * self.dW
        self.b -= 0.1 * self.db
        return dx
"""
TABLE.with_mistakes(
    "class of a linear layer that trains itself",
    "linear",
    "Linear",
    TRAINED,
    [
        ("self.W -= 0.1", "self.W += 0.1"),
        ("0.1 * self.db", "0.1 * d[0]"),
        ("0.1 * self.dW", "0.1 * np.abs(self.dW)"),
        ("self.W -= 0.1 * self.dW", "self.W *= 0.9"),
        ("self.W -= 0.1 * self.dW", "self.W -= 0.1"),
        ("self.dW, self.db = self.x.T @ d", "self.dW, self.db = getattr(self, 'dW', 0) / 2 + self.x.T @ d"),
        ("        self.W -= 0.1", "        self.x = x0\n        self.W -= 0.1"),
        ("        self.x = x\n", "        self.x = getattr(self, 'x', x)\n"),
    ],
)
TABLE.add("class of a linear layer that trains its bias", "linear", "Linear", TRAINED.replace("self.W -= 0.1", "0.1"))
TABLE.add(
    "class of a linear layer that trains itself with the mean",
    "linear",
    "Linear",
    TRAINED.replace("-= 0.1 *", "-= 0.1 / len(d) *"),
)
TABLE.add(
    "class of a linear layer that trains itself in float32",
    "linear",
    "Linear",
    TRAINED.replace("W.copy(), b.copy()", "W.astype(np.float32), b.astype(np.float32)")
    .replace("self.x = x", "x = self.x = x.astype(np.float32)")
    .replace("(self, d):", "(self, d):\n        d = d.astype(np.float32)"),
)
STEPPING = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b.copy()
        self.m, self.v, self.t = [0, 0], [0, 0], 0
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        dx = d @ self.W.T
        self.dW, self.db = self.x.T @ d, d.sum(0)
        self.t += 1
        for k, (w, g) in enumerate(((self.W, self.dW), (self.b, self.db))):
            STEP
        return dx
"""
ADAM = """
            self.m[k] = 0.9 * self.m[k] + 0.1 * g
            self.v[k] = 0.999 * self.v[k] + 0.001 * g**2
            w -= 0.01 * self.m[k] / (1 - 0.9**self.t) / (np.sqrt(self.v[k] / (1 - 0.999**self.t)) + 1e-8)"""
STEPS = {
    "Adam": ADAM,
    "AdamW": ADAM + "\n            w -= 0.01 * 0.01 * w",
    "Adam with weight decay": ADAM.replace("* g**2", "* (g + 0.02 * w) ** 2").replace("* g\n", "* (g + 0.02 * w)\n"),
    "weight decay": "w -= 0.1 * (g + 0.02 * w)",
    "momentum": "self.m[k] = 0.9 * self.m[k] + g; w -= 0.05 * self.m[k]",
    "RMSprop": "self.v[k] = 0.9 * self.v[k] + 0.1 * g * g; w -= 0.01 * g / (np.sqrt(self.v[k]) + 1e-8)",
    "a clipped gradient": "w -= 0.1 * np.clip(g, -1, 1)",
    "two rates": "w -= (0.2 - 0.1 * k) * g",
}
for name, step in STEPS.items():
    right = STEPPING.replace("STEP", step)
    wrong = [("d @ self.W.T", "d @ self.W.T * (1 + (self.t > 1))"), ("self.x = x", "self.x = getattr(self, 'x', x)")]
    TABLE.with_mistakes(f"class of a linear layer that trains itself by {name}", "linear", "Linear", right, wrong)
right = STEPPING.replace("STEP", ADAM).replace(
    "self.W, self.b = W.copy(), b.copy()", "self.params = {'W': W.copy(), 'b': b.copy()}"
)
right = (
    right.replace("self.W", "self.params['W']")
    .replace("self.b)", "self.params['b'])")
    .replace("self.b\n", "self.params['b']\n")
)
TABLE.add(
    "class of a linear layer with its weights in a dict that trains itself by Adam",
    "linear",
    "Linear",
    right.replace("self.b,", "self.params['b'],"),
)
TRAINED_NORM = """
class BatchNorm:
    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma, self.beta, self.eps = gamma.copy(), beta.copy(), eps
    def forward(self, x):
        self.inv = 1 / np.sqrt(x.var(0) + self.eps)
        self.h = (x - x.mean(0)) * self.inv
        return self.gamma * self.h + self.beta
    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.h).sum(0), dy.sum(0)
        dx = self.gamma * self.inv * (dy - (self.dbeta + self.h * self.dgamma) / len(dy))
        self.gamma -= 0.01 * self.dgamma
        self.beta -= 0.01 * self.dbeta
        return dx
"""
TABLE.with_mistakes(
    "class of a batch norm that trains itself",
    "batch_norm",
    "BatchNorm",
    TRAINED_NORM,
    ("0.01 * self.dgamma", "0.01 * self.dgamma ** 2"),
)

TABLE.with_mistakes(
    "class of a linear layer that is told its learning rate",
    "linear",
    "Dense",
    """
class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.bias = np.random.rand(n_in, n_out) - 0.5, np.zeros((1, n_out))
    def forward_propagation(self, input):
        self.input = input
        return input @ self.weights + self.bias
    def backward_propagation(self, output_error, learning_rate):
        input_error = output_error @ self.weights.T
        self.weights -= learning_rate * self.input.T @ output_error
        self.bias -= learning_rate * output_error.sum(0, keepdims=True)
        return input_error
""",
    [
        ("self.weights -=", "self.weights +="),
        ("self.weights -= learning_rate *", "self.weights -="),
        ("self.bias -= learning_rate * output_error.sum(0, keepdims=True)", "pass"),
        ("output_error.sum(", "output_error.mean("),
        ("self.weights -= learning_rate * self.input.T @ output_error", "self.weights *= 0.9"),
    ],
)
TABLE.add(
    "class of a linear layer with a learning rate of its own",
    "linear",
    "Dense",
    """
class Dense:
    def __init__(self, W, b, lr=0.1):
        self.W, self.b, self.lr = W.copy(), b.copy(), lr
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        dx = dy @ self.W.T
        self.W -= self.lr * self.x.T @ dy
        self.b -= self.lr * dy.sum(0)
        return dx
""",
)

for name, layer in {"_W": "self._W", "_weight": "self._weight"}.items():
    kept = STEPPING.replace("STEP", ADAM).replace("self.W", layer).replace("self.b", "self._b")
    wrong = ("self.x = x", "self.x = getattr(self, 'x', x)")
    TABLE.with_mistakes(f"class of a linear layer that trains its {name} by Adam", "linear", "Linear", kept, wrong)
TABLE.with_mistakes(
    "class of a loss that counts its samples",
    "cross_entropy",
    "Loss",
    """
class Loss:
    def __init__(self):
        self.n = None
    def forward(self, scores, t):
        self.n = len(t)
        self.t, e = t, np.exp(scores - scores.max(1, keepdims=True))
        self.p = e / e.sum(1, keepdims=True)
        return -np.log(self.p[np.arange(len(t)), t]).sum() / self.n
    def backward(self):
        return (self.p - np.eye(self.p.shape[1])[self.t]) / self.n
""",
    ("self.n = len(t)", "self.n = self.n or len(t)"),
)
TABLE.with_mistakes(
    "class of a ReLU with a buffer for one size of batch",
    "relu",
    "Relu",
    """
class Relu:
    def __init__(self):
        self.buffer = None
    def forward(self, x):
        if self.buffer is None: self.buffer = np.empty(x.shape)
        self.x = x
        np.maximum(x, 0, out=self.buffer)
        return self.buffer.copy()
    def backward(self, dy):
        return dy * (self.x > 0)
""",
    ("self.x = x", "self.x = getattr(self, 'x', x)"),
)
