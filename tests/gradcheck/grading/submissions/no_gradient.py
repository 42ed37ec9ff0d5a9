"""A backward that gives no gradient is not done, in every style; one that misses some is wrong."""

from submissions.table import Table

TABLE = Table()

EMPTY_RELU = """
def relu(x):
    return np.maximum(x, 0), lambda dy: {}
"""
EMPTY_LINEAR = """
def linear(x, w, b):
    return x @ w.T + b, lambda dy: {}
"""
EMPTY_ALONE = """
def relu_backward(dy, x):
    return {}
"""
EMPTY_PAIR = """
def linear_forward(x, w, b):
    return x @ w.T + b, (x, w)
def linear_backward(dout, cache):
    return {}
"""
EMPTY_LOSS = """
def cross_entropy(x, target):
    z = x - x.max(1, keepdims=True)
    p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -p[np.arange(len(x)), target].mean(), {}
"""
EMPTY_MSE = """
def mse_loss(input, target):
    return ((input - target) ** 2).mean(), lambda dy: {}
"""
EMPTY_LAYER = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        return x @ self.W.T + self.b
    def backward(self, dy):
        return {}
"""
NOTHING = ("[]", "()", "[None]", '{"dx": None, "n": 0}', '{"dx": ..., "n": 1}', "(None, None, {'db': None, 'n': 0})")
for nothing in NOTHING:
    for style, op, target, source in (
        ("closure", "relu", "relu", EMPTY_RELU),
        ("closure of three", "linear", "linear", EMPTY_LINEAR),
        ("alone", "relu", "relu_backward", EMPTY_ALONE),
        ("pair", "linear", "linear_forward,linear_backward", EMPTY_PAIR),
        ("loss", "cross_entropy", "cross_entropy", EMPTY_LOSS),
        ("loss of two", "mse_loss", "mse_loss", EMPTY_MSE),
        ("class", "linear", "Linear", EMPTY_LAYER),
    ):
        if "db" in nothing and op != "linear":
            continue  # there is no b
        TABLE.add(f"no gradient, {nothing}, {style}", op, target, source.format(nothing), "not done")

TABLE.add(
    "no gradient for x, but for the target",
    "mse_loss",
    "mse_loss",
    EMPTY_MSE.format('{"target": 2 * dy * (target - input) / input.size, "dinput": None}'),
    "failed",
)

TABLE.add(
    "no gradient for the target",
    "mse_loss",
    "mse_loss",
    EMPTY_MSE.format('{"input": 2 * dy * (input - target) / input.size}'),
)

TABLE.add(
    "no gradient in some cases", "relu", "relu", EMPTY_RELU.format("dy * (x > 0) if x.ndim == 2 else []"), "failed"
)
