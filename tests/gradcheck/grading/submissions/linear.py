"""linear, with weights in either layout."""

from submissions.table import Table

TABLE = Table()

AFFINE = """
def affine_forward(x, w, b):
    return x.dot(w) + b, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    return dout.dot(w.T), x.T.dot(dout), dout.sum(axis=0)
"""
BLANK = """
def affine_forward(x, w, b):
    out = None
    return out, (x, w, b)
def affine_backward(dout, cache):
    return None, None, None
"""
TABLE.with_mistakes(
    "CS231n affine, weights (I,O)",
    "linear",
    "affine_forward,affine_backward",
    AFFINE,
    ("dout.sum(axis=0)", "dout.sum(axis=0) / len(x)"),
    BLANK,
)

TABLE.with_mistakes(
    "no bias",
    "linear",
    "linear",
    """
def linear(x, W):
    return x @ W.T, lambda dy: (dy @ W, dy.T @ x)
""",
    ("    return", "    if W.shape[0] != 4: undefined\n    return"),
)

COLUMNS = """
def linear_forward(A, W, b):
    return W @ A + b, (A, W, b)

def linear_backward(dZ, cache):
    A, W, b = cache
    return W.T @ dZ, dZ @ A.T, dZ.sum(axis=1, keepdims=True)
"""
TABLE.with_mistakes(
    "a column a sample", "linear", "linear_forward,linear_backward", COLUMNS, ("dZ @ A.T", "dZ @ A.T / A.shape[1]")
)

DENSE = """
def dense(x, w, *, bias=None):
    def backward(dy):
        return (dy @ w, dy.T @ x) if bias is None else (dy @ w, dy.T @ x, dy.sum(0))
    return x @ w.T + (0 if bias is None else bias), backward
"""
TABLE.with_mistakes("a bias by keyword", "linear", "dense", DENSE, ("dy.sum(0)", "dy.mean(0)"))

for default in ("[]", "{}", "np.zeros(2)", "set()"):
    source = f"def linear(x, w, b, out={default}):\n    return x @ w + b, lambda dy: (dy @ w.T, x.T @ dy, dy.sum(0))"
    TABLE.add(f"weights (I,O) and a default {default}", "linear", "linear", source)

SOURCE = """
class Linear:
    def __init__(self, in_features, out_features):
        self.W = np.random.randn(in_features, out_features); self.b = np.zeros(out_features)
        self.dW = np.zeros_like(self.W); self.db = np.zeros_like(self.b)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(0)
        return dy @ self.W.T
"""
TABLE.add("accumulating grads", "linear", "Linear", SOURCE)

SOURCE = """
def linear_backward(dout, x, w, b):
    x, w, dout = x.astype(np.float32), w.astype(np.float32), dout.astype(np.float32)
    return dout @ w, dout.T @ x, dout.sum(0)
"""
TABLE.add("float32 everywhere backward alone", "linear", "linear_backward", SOURCE)

TABLE.with_mistakes(
    "CS231n affine, which flattens images",
    "linear",
    "affine_forward,affine_backward",
    """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)
def affine_backward(dout, cache):
    x, w, b = cache
    dx = (dout @ w.T).reshape(x.shape)
    return dx, x.reshape(len(x), -1).T @ dout, dout.sum(0)
""",
    [
        ("(dout @ w.T).reshape(x.shape)", "dout @ w.T"),
        ("(dout @ w.T).reshape(x.shape)", "(dout @ w.T).reshape(-1, *x.shape[:0:-1]).T.reshape(x.shape)"),
        ("-1) @ w + b", "-1) @ w + (b if x.ndim == 2 else -b)"),
    ],
)
