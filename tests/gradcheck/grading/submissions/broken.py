"""What depends on the call, does not run, or returns something else."""

from submissions.convolution import CONV
from submissions.table import Table

TABLE = Table()

SOURCE = """
def relu(x):
    y = np.maximum(x, 0) + np.random.rand(*x.shape) * 1e-12
    return y + np.random.rand(), lambda dy: dy * (x > 0)
"""
TABLE.add("a forward that draws", "relu", "relu", SOURCE, "failed")

SOURCE = """
calls = 0
def tanh(x):
    y = np.tanh(x)
    def backward(dy):
        global calls
        calls += 1
        return dy * (1 - y * y) if calls < 3 else 0 * dy
    return y, backward
"""
TABLE.add("dx = 0 the second time", "tanh", "tanh", SOURCE, "failed")

SOURCE = """
kept = {}
def tanh(x):
    y = kept.setdefault(x.shape, np.tanh(x))
    return y, lambda dy: dy * (1 - y * y)
"""
TABLE.add("the first y for ever", "tanh", "tanh", SOURCE, "failed")

SOURCE = """
def tanh(x):
    y = np.tanh(x)
    return y, lambda dy: np.clip(dy * (1 - y * y), -100, 100)
"""
TABLE.add("a gradient that is clipped", "tanh", "tanh", SOURCE, "failed")

SOURCE = """
def tanh(x):
    return np.tanh(x), lambda dy: dy * undefined
"""
TABLE.add("an undefined name", "tanh", "tanh", SOURCE, "failed")

SOURCE = """
def relu(x, y, z):
    return x, lambda dy: dy
"""
TABLE.add("too many arguments", "relu", "relu", SOURCE, "could not run")

SOURCE = """
def relu(x):
    return np.maximum(x, 0)
"""
TABLE.add("one array", "relu", "relu", SOURCE, "not done")

SOURCE = """
def relu(x):
    return np.maximum(x, 0).sum()
"""
TABLE.add("one array of another shape", "relu", "relu", SOURCE, "could not run")

SOURCE = """
def linear(x, w, b):
    return x @ w.T + b, (x, w, b)
"""
TABLE.add("y and gradients of nothing", "linear", "linear", SOURCE, "could not run")

SOURCE = """
def linear(x, w, b):
    return x @ w.T + b, x, w, b
"""
TABLE.add("y and arrays", "linear", "linear", SOURCE, "could not run")

TABLE.add(
    "y alone, a convolution",
    "conv2d",
    "conv",
    CONV.replace("conv2d(", "conv(").replace("return y, backward", "return y"),
    "not done",
)

SOURCE = """
def relu(x):
    return np.maximum(x, 0)
"""
TABLE.add("no such function", "relu", "relu6", SOURCE, "could not run")

SOURCE = """
def relu(x:
    return x
"""
TABLE.add("a syntax error", "relu", "relu", SOURCE, "could not run")
