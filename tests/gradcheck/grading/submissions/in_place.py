"""Work in place: right on arrays of its own, wrong on those of the caller, whenever it happens."""

from submissions.table import Table

TABLE = Table()

OWN = """
class Tanh:
    def forward(self, x):
        self.x = x.copy()
        return np.tanh(x)
    def backward(self, dy):
        np.tanh(self.x, out=self.x)
        return dy * (1 - self.x ** 2)
"""
TABLE.with_mistakes("in place in the backward, a class", "tanh", "Tanh", OWN, ("x.copy()", "x"))

OWN = """
def tanh_forward(x):
    return np.tanh(x), [x.copy()]
def tanh_backward(dout, cache):
    np.tanh(cache[0], out=cache[0])
    return dout * (1 - cache[0] ** 2)
"""
TABLE.with_mistakes("in place in the backward, a pair", "tanh", "tanh_forward", OWN, ("x.copy()", "x"))

OWN = """
def tanh(x):
    y = np.tanh(x)
    kept = x.copy()
    def backward(dy):
        kept[...] = 0
        return dy * (1 - y * y)
    return y, backward
"""
TABLE.with_mistakes("in place in the backward, a closure", "tanh", "tanh", OWN, ("x.copy()", "x"))

OWN = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b
    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b
    def backward(self, dy):
        dx = dy @ self.W
        self.dW, self.db = dy.T @ self.x, dy.sum(0)
        self.W -= 0.1 * self.dW
        return dx
"""
TABLE.with_mistakes("a step of training in the backward", "linear", "Linear", OWN, ("W.copy()", "W"))

SOURCE = """
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, dy):
        self.y *= self.y
        return dy * (1 - self.y)
"""
TABLE.add("in place on the y that it returned, once", "tanh", "Tanh", SOURCE)

BUFFER = """
kept = {}
def tanh(x):
    y = kept.setdefault(x.shape, np.empty(x.shape))
    y[...] = np.tanh(x)
    dtanh = 1 - y * y
    return y, lambda dy: dy * dtanh
class Tanh:
    def forward(self, x):
        y, self.back = tanh(x)
        return y
    def backward(self, dy):
        return self.back(dy)
"""
OWN = ("kept.setdefault(x.shape, np.empty(x.shape))", "np.empty(x.shape)")
for target in ("tanh", "Tanh"):
    TABLE.add(f"one array for all y of a shape, {target}, wrong", "tanh", target, BUFFER, "failed")
    TABLE.add(f"a new array for each y, {target}, right", "tanh", target, BUFFER.replace(*OWN))
