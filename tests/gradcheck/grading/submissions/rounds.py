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
    ("        self.mask = x > 0", "        if self.mask is None: self.mask = x > 0"),
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
    [("self.xs[-1]", "self.xs[0]"), ("self.xs.append(x)", "self.xs.append(x)\n        x = self.xs[0]")],
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
    ("        self.mask = (np", "        if self.mask is None: self.mask = (np"),
)
