"""Elementwise functions and softmax."""

from submissions.table import Table

TABLE = Table()

RELU = """
class ReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out
    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx
"""
TABLE.with_mistakes(
    "class of a relu, in place on its own",
    "relu",
    "ReLU",
    RELU,
    [("dx[self.mask] = 0", "dx[self.mask] = 1e-3"), ("dx = dout.copy()", "dx = dout"), ("out = x.copy()", "out = x")],
)

SOURCE = """
def relu_forward(x):
    return np.maximum(0, x), x
def relu_backward(dout, cache):
    return dout * (cache > 0)
"""
TABLE.with_mistakes(
    "relu_forward, its backward found", "relu", "relu_forward", SOURCE, ("(cache > 0)", "(cache > -0.5)")
)

SOURCE = """
def sigmoid_backward(dout, out):
    return dout * out * (1 - out)
"""
TABLE.with_mistakes("sigmoid of its output", "sigmoid", "sigmoid_backward", SOURCE, ("(1 - out)", "(1 + out)"))

SOURCE = """
def softmax_backward(dout, y):
    return y * (dout - (dout * y).sum(axis=-1, keepdims=True))
"""
TABLE.with_mistakes(
    "softmax of its output", "softmax", "softmax_backward", SOURCE, ("y * (dout - (dout * y)", "(dout - (dout * y)")
)

GELU = """
def gelu(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x ** 3))
    return x * (1 + t) / 2, lambda dy: dy * ((1 + t) / 2 + x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x) / 2)
"""
TABLE.with_mistakes("the other formula, fixed inside", "gelu", "gelu", GELU, ("3 * 0.044715", "0.044715"))

LEAKY = """
def leaky(x):
    return np.maximum(x, 0.2 * x), lambda dy: np.where(x > 0, dy, 0.2 * dy)
"""
TABLE.with_mistakes("a slope fixed inside", "leaky_relu", "leaky", LEAKY, ("0.2 * dy", "0.1 * dy"))

SOURCE = """
def leaky_relu(x, verbose=False, slope=0.01):
    assert verbose is False
    d = np.where(x > 0, 1, slope)
    return d * x, lambda dy: dy * d
"""
TABLE.add("a parameter of its own before a setting", "leaky_relu", "leaky_relu", SOURCE)

SOURCE = """
def forward(x):
    global y
    y = np.tanh(x)
    return y
def backward(dy):
    return dy * (1 - y * y)
"""
TABLE.add("global cache functions", "tanh", "forward,backward", SOURCE)

SOURCE = """
def sigmoid_backward(x, dy):
    s = 1/(1+np.exp(-x)); return dy*s*(1-s)
"""
TABLE.add("x and y both", "sigmoid", "sigmoid_backward", SOURCE)

SOURCE = """
def softmax(x):
    assert x.ndim == 1
    e = np.exp(x - x.max()); s = e / e.sum()
    return s, lambda dy: (np.diag(s) - np.outer(s, s)) @ dy
"""
TABLE.add("softmax vector", "softmax", "softmax", SOURCE)

SOURCE = """
class ReLU:
    @staticmethod
    def forward(x): return np.maximum(x,0), x
    @staticmethod
    def backward(dy, cache): return dy*(cache>0)
"""
TABLE.add("static class", "relu", "ReLU", SOURCE)

SOURCE = """
class R:
    def forward(self, x):
        self.m = x > 0; return x*self.m
    def backward(self, dy): return dy*self.m
layer = R()
"""
TABLE.add("object", "relu", "layer", SOURCE)
