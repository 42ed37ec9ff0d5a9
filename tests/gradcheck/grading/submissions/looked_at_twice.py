"""Right and wrong work at the places where a small slip of the grader's own would be seen by no other submission."""

from submissions.table import Table

TABLE = Table()

FLAGS = """
class Norm:
    def __init__(self, dim, eps=1e-5, elementwise_affine=True, bias=True):
        self.eps = eps
        self.gamma = np.ones(dim) if elementwise_affine else None
        self.beta = np.zeros(dim) if elementwise_affine and bias else None
    def forward(self, x):
        self.inv = 1 / np.sqrt(x.var(-1, keepdims=True) + self.eps)
        self.h = (x - x.mean(-1, keepdims=True)) * self.inv
        y = self.h if self.gamma is None else self.h * self.gamma
        return y if self.beta is None else y + self.beta
    def backward(self, dy):
        others, d = tuple(range(dy.ndim - 1)), dy
        if self.gamma is not None:
            self.dgamma, d = (dy * self.h).sum(others), dy * self.gamma
        if self.beta is not None:
            self.dbeta = dy.sum(others)
        return self.inv * (d - d.mean(-1, keepdims=True) - self.h * (d * self.h).mean(-1, keepdims=True))
"""
wrong = ("np.zeros(dim) if elementwise_affine and bias else None", "np.zeros(dim)")
TABLE.with_mistakes("layer norm with two flags", "layer_norm", "Norm", FLAGS, wrong)

AFFINE = """
def norm(x, gamma, beta, eps=1e-5, affine=True):
    axes = tuple(range(-gamma.ndim, 0))
    assert gamma.shape == x.shape[-gamma.ndim :]
    inv = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    h = (x - x.mean(axes, keepdims=True)) * inv
    def backward(dy):
        d, others = dy * gamma if affine else dy, tuple(range(x.ndim - gamma.ndim))
        dx = inv * (d - d.mean(axes, keepdims=True) - h * (d * h).mean(axes, keepdims=True))
        return dx, (dy * h).sum(others), dy.sum(others)
    return (h * gamma + beta if affine else h), backward
"""
wrong = ("if affine else h)", "if True else h)")
TABLE.with_mistakes("layer norm that looks at the shape of γ", "layer_norm", "norm", AFFINE, wrong)

MATRICES = """
def linear(x, w, b):
    def backward(dy):
        assert x.ndim == 2
        return dy @ w, dy.T @ x, dy.sum(0)
    return x @ w.T + b, backward
"""
GRADIENTS = "dy @ w, dy.T @ x, dy.sum(0)"
TABLE.with_mistakes(
    "linear that asserts a matrix in its backward",
    "linear",
    "linear",
    MATRICES,
    [
        (GRADIENTS, "(dy @ w, dy.T @ x, dy.sum(0)) if dy.any() else (dy @ w, None, None)"),
        (GRADIENTS, GRADIENTS + ", dy"),
    ],
)
DEEPER = "dy @ w, np.swapaxes(dy, -1, -2) @ x, dy.reshape(-1, dy.shape[-1]).sum(0)"
text = MATRICES.replace("        assert x.ndim == 2\n", "").replace(GRADIENTS, DEEPER)
TABLE.add("linear with dw for each sample of a batch of matrices", "linear", "linear", text, "failed")

EVALUATED = """
def norm(x, gamma, beta, running_mean=None, running_var=None, training=True, eps=1e-5):
    axes, shape = (0, *range(2, x.ndim)), [1, -1] + [1] * (x.ndim - 2)
    mean, var = (x.mean(axes), x.var(axes)) if training else (running_mean, running_var)
    inv = 1 / np.sqrt(var.reshape(shape) + eps)
    h, g = (x - mean.reshape(shape)) * inv, gamma.reshape(shape)
    def backward(dy):
        d = dy * g
        dx = inv * (d - d.mean(axes, keepdims=True) - h * (d * h).mean(axes, keepdims=True))
        return dx if training else d * inv, (dy * h).sum(axes), dy.sum(axes)
    return g * h + beta.reshape(shape), backward
"""
wrong = ("else d * inv,", "else d * inverse,")
TABLE.with_mistakes("batch norm with a name missing in evaluation", "batch_norm", "norm", EVALUATED, wrong)

DROPOUT = """
def dropout(x, 확률=0.5, training=True):
    mask = (np.random.rand(*x.shape) >= 확률) / (1 - 확률) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
"""
wrong = [("dy * mask", "np.clip(dy, -50, 50) * mask"), ("/ (1 - 확률)", "")]
TABLE.with_mistakes("dropout with a Korean p", "dropout", "dropout", DROPOUT, wrong)

ATTENTION = """
def attention(q, k, v, scale=True):
    s = 1 / np.sqrt(q.shape[-1]) if scale else 1
    a = q @ np.swapaxes(k, -1, -2) * s
    e = np.exp(a - a.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    def backward(dy):
        dp = dy @ np.swapaxes(v, -1, -2)
        da = p * (dp - (dp * p).sum(-1, keepdims=True)) * s
        return da @ k, np.swapaxes(da, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dy
    return p @ v, backward
"""
name = "attention whose scale is a flag"
TABLE.with_mistakes(
    name, "scaled_dot_product_attention", "attention", ATTENTION, ("keepdims=True)) * s", "keepdims=True))")
)

KOREAN = """
class 선형층:
    def __init__(self, 가중치, 편향):
        self.가중치, self.편향 = 가중치, 편향
    def 순전파(self, 입력):
        self.입력 = 입력
        return 입력 @ self.가중치.T + self.편향
    def 역전파(self, 기울기):
        self.가중치_기울기, self.편향_기울기 = 기울기.T @ self.입력, 기울기.sum(0)
        return 기울기 @ self.가중치
"""
TABLE.with_mistakes("Korean names, a layer", "linear", "선형층", KOREAN, ("기울기.sum(0)", "기울기.mean(0)"))

CACHED = """
def leaky(x, alpha):
    return np.where(x > 0, x, alpha * x), {"x": x, "alpha": alpha}
def leaky_grad(dout, c):
    return np.where(c["x"] > 0, 1, c["alpha"]) * dout
"""
for name in ("c", "stuff", "state_of_forward"):
    text = CACHED.replace("dout, c)", f"dout, {name})").replace("c[", f"{name}[")
    wrong = (f'{name}["alpha"]', f'2 * {name}["alpha"]')
    TABLE.with_mistakes(f"pair with a cache called {name}", "leaky_relu", "leaky,leaky_grad", text, wrong)

WORDS = """
def loss(logits, target, reduction="mean"):
    scale = {"mean": 1 / len(logits), "sum": 1.0}[reduction]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    at = np.arange(len(p)), target
    value = -np.log(p[at]).sum() * scale
    p[at] -= 1
    return value, p * scale
"""
wrong = [('"sum": 1.0', '"sum": 2.0'), ("value, p * scale", "value, p")]
TABLE.with_mistakes("loss with a dict of reductions, without none", "cross_entropy", "loss", WORDS, wrong)
