"""Losses, most of which return their gradient with their value."""

from submissions.table import Table

TABLE = Table()

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
BLANK = """
def softmax_loss(x, y):
    loss, dx = None, None
    return loss, dx
"""
TABLE.with_mistakes(
    "(loss, dx)",
    "cross_entropy",
    "softmax_loss",
    ENTROPY,
    [("    dx /= N\n", ""), ("y]).mean()", "y]).sum()"), ("-= 1", "-= 0")],
    BLANK,
)

TABLE.add(
    "(loss, probabilities, dx)",
    "cross_entropy",
    "softmax_loss",
    ENTROPY.replace("loss, dx", "loss, p, dx"),
    "could not run",
)

EPSILON = ENTROPY.replace("y])", "y] + 1e-7)")
TABLE.with_mistakes(
    "(loss, dx), an ε in the logarithm",
    "cross_entropy",
    "softmax_loss",
    EPSILON,
    [("1e-7", "1e-3"), ("    dx /= N\n", ""), ("y] + 1e-7).mean()", "y] + 1e-7).sum()")],
)

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
TABLE.with_mistakes("N×K only", "cross_entropy", "cross_entropy", TWO_DIMENSIONS, ("return dy * d", "return d"))

ONE_HOT = """
def cross_entropy(scores, t):
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return -(t * np.log(p)).sum() / len(t), lambda dy: dy * (p - t) / len(t)
"""
TABLE.with_mistakes("one-hot targets", "cross_entropy", "cross_entropy", ONE_HOT, ("(p - t)", "(t - p)"))
TABLE.add(
    "one-hot targets, an ε in the logarithm", "cross_entropy", "cross_entropy", ONE_HOT.replace("log(p", "log(1e-8 + p")
)

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
TABLE.with_mistakes("class of a loss", "cross_entropy", "SoftmaxWithLoss", WITH_LOSS, ("dx / len(self.t)", "dx"))

SOURCE = """
def mse(y_pred, y_true):
    d = y_pred - y_true
    loss = np.mean(d ** 2) if d.ndim else d ** 2
    return loss, 2 * d / d.size
"""
TABLE.with_mistakes("mean square error, of the prediction only", "mse_loss", "mse", SOURCE, ("2 * d", "d"))

SOURCE = """
def loss(x, y):
    p = np.exp(x); p /= p.sum(1, keepdims=True); n = np.arange(len(x))
    l = -np.log(p[n, y]).sum() / len(x)
    p[n, y] -= 1
    return l, {"dx": p / len(x)}
"""
SHIFTED = SOURCE.replace("np.exp(x)", "np.exp(x - x.max(1, keepdims=True))")
TABLE.with_mistakes("loss, grads dict", "cross_entropy", "loss", SHIFTED, ("x - x.max(1, keepdims=True)", "x"))

SOURCE = """
def softmax_grad(x, y):
    p = np.exp(x - x.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return p / len(x)
"""
TABLE.add("gradient alone, no dy", "cross_entropy", "softmax_grad", SOURCE)

COLUMNS = """
def compute_cost(Z, Y):
    m = Z.shape[1]
    e = np.exp(Z - Z.max(axis=0, keepdims=True))
    A = e / e.sum(axis=0, keepdims=True)
    cost = -np.sum(Y * np.log(A)) / m
    return cost, (A - Y) / m
"""
TABLE.with_mistakes(
    "a column a sample, one-hot",
    "cross_entropy",
    "compute_cost",
    COLUMNS,
    [("(A - Y) / m", "A - Y"), ("e.sum(axis=0", "e.sum(axis=1"), ("m = Z.shape[1]", "m = Z.shape[0]"), ("-np", "np")],
)
LABELLED = COLUMNS.replace("    m =", "    Y = np.eye(len(Z))[np.ravel(Y)].T\n    m =")
TABLE.with_mistakes("a column a sample, labels", "cross_entropy", "compute_cost", LABELLED, ("(A - Y) / m", "A - Y"))
