"""Mistakes that have a hint, and near relatives that must not get it.

TABLE holds (name, op, what is graded, a right source, the mistake, its hint, the relative). A mistake and its relative
are lists of (right part, wrong part).
"""

from submissions.convolution import CONV
from submissions.linear import AFFINE
from submissions.losses import COLUMNS, ENTROPY
from submissions.normalization import CS231N_NORM, LAYER_NORM
from submissions.pooling import CS231N_POOL, POOL

TABLE = []


def add(name, op, target, source, mistake, hint, relative):
    for right, _ in mistake + relative:
        assert right in source, (name, right)
    TABLE.append((name, op, target, source, mistake, hint, relative))


NORM = """
def batch_norm(x, gamma, beta, eps=1e-5):
    axes = (0, 2, 3)
    M = x.size // x.shape[1]
    mean = x.sum(axes, keepdims=True) / M
    var = ((x - mean) ** 2).sum(axes, keepdims=True) / M
    inv = 1 / np.sqrt(var + eps)
    h = (x - mean) * inv
    def backward(dy):
        g = dy * gamma[:, None, None]
        m, means = M, axes
        first = g.sum(means, keepdims=True) / m
        second = h * (g * h).sum(means, keepdims=True) / m
        return inv * (g - first - second), (dy * h).sum((0, 2, 3)), dy.sum((0, 2, 3))
    return h * gamma[:, None, None] + beta[:, None, None], backward
"""


def norm(name, mistake, hint, relative):
    add(f"batch norm, {name}", "batch_norm", "batch_norm", NORM, mistake, hint, relative)


MEAN = "mean = x.sum(axes, keepdims=True) / M"
VAR = "var = ((x - mean) ** 2).sum(axes, keepdims=True) / M"
OF_MAP = [(MEAN, "mean = x.mean((2, 3), keepdims=True)"), (VAR, "var = x.var((2, 3), keepdims=True)")]
norm(
    "statistics of each map",
    OF_MAP,
    "your mean and variance are taken over H and W: take them over N, H and W",
    [(MEAN, "mean = 2 * x.mean((2, 3), keepdims=True)")],
)
norm(
    "statistics of each image",
    [(right, wrong.replace("(2, 3)", "(1, 2, 3)")) for right, wrong in OF_MAP],
    "your mean and variance are taken over C, H and W",
    OF_MAP,
)
norm("the variance of each map", OF_MAP[1:], "your variance is taken over H and W: take it over N", OF_MAP)
norm(
    "the mean of each map", OF_MAP[:1] + [(VAR, "var = x.var(axes, keepdims=True)")], "your mean is taken over", OF_MAP
)
norm(
    "means of each map in the backward",
    [("m, means = M, axes", "m, means = M, (2, 3)")],
    "your dx takes its means over H and W: take them over N, H and W",
    [("m, means = M, axes", "m, means = 2 * M, (2, 3)")],
)
norm(
    "N for N·H·W",
    [("M = x.size // x.shape[1]", "M = len(x)")],
    "your mean and variance are divided by N: a channel has N·H·W elements",
    [("M = x.size // x.shape[1]", "M = len(x) + 1")],
)
norm(
    "N for N·H·W in the variance",
    [(VAR, VAR.replace("M", "len(x)"))],
    "your variance is divided by N: a channel has N·H·W elements",
    [(VAR, VAR.replace("M", "(M - 1)"))],
)
norm(
    "N for N·H·W in the backward",
    [("m, means = M, axes", "m, means = len(x), axes")],
    "your sums are divided by N: a channel has N·H·W elements",
    [("m, means = M, axes", "m, means = x.shape[2], axes")],
)
norm(
    "ε of its own",
    [("np.sqrt(var + eps)", "np.sqrt(var + 1e-5)")],
    "your ε is 1e-05, whatever ε is given: take the eps that is handed over",
    [("np.sqrt(var + eps)", "np.sqrt(var + 2 * eps)")],
)
norm(
    "a small ε of its own",
    [("np.sqrt(var + eps)", "np.sqrt(var + 1e-8)")],
    "your ε is 1e-08, whatever ε is given",
    [("np.sqrt(var + eps)", "np.sqrt(var)")],
)
norm(
    "ε of its own in the backward",
    [("        g = dy", "        inv = 1 / np.sqrt(var + 1e-5)\n        g = dy")],
    "your ε is 1e-05, whatever ε is given",
    [("        g = dy", "        inv = 1 / np.sqrt(var)\n        g = dy")],
)
SIGN = "your dx adds x̂·⟨dy·x̂⟩: subtract it"
norm("sign of the variance term", [("- second", "+ second")], SIGN, [("- first", "+ first")])
norm("sign of the mean term", [("- first", "+ first")], "your dx adds ⟨dy⟩: subtract it", [("- second", "+ second")])
norm(
    "both signs", [("- first - second", "+ first + second")], "your dx adds ⟨dy⟩ and x̂·⟨dy·x̂⟩", [("- first", "+ first")]
)
norm(
    "sums for means",
    [("return inv * (", "return M * inv * (")],
    "your dx takes sums over N, H and W where means are wanted: divide it by m",
    [("return inv * (", "return 2 * M * inv * (")],
)
norm(
    "sums over H and W",
    [("dy.sum((0, 2, 3))", "dy.sum((2, 3))")],
    "your dbeta has shape (3, 4): sum it over axis 0 too",
    [("dy.sum((0, 2, 3))", "dy.mean((2, 3))")],
)
norm(
    "exchanged gradients",
    [("(dy * h).sum((0, 2, 3)), dy.sum((0, 2, 3))", "dy.sum((0, 2, 3)), (dy * h).sum((0, 2, 3))")],
    "your dgamma and dbeta are exchanged: return dgamma first",
    [("(dy * h).sum((0, 2, 3)), dy.sum((0, 2, 3))", "dy.sum((0, 2, 3)), 2 * (dy * h).sum((0, 2, 3))")],
)
PAIR = "batchnorm_forward,batchnorm_backward"
add("batch norm of rows", "batch_norm", PAIR, CS231N_NORM, [("- x_hat *", "+ x_hat *")], SIGN, [("- dbeta", "+ dbeta")])
add(
    "batch norm of rows, ε of its own",
    "batch_norm",
    PAIR,
    CS231N_NORM,
    [('bn_param.get("eps", 1e-5)', '1e-5 + 0 * bn_param.get("eps", 1e-5)')],
    "your ε is 1e-05, whatever ε is given",
    [('bn_param.get("eps", 1e-5)', '2 * bn_param.get("eps", 1e-5)')],
)
add(
    "batch norm in evaluation",
    "batch_norm",
    PAIR,
    CS231N_NORM,
    [("gamma * (x - running_mean) / np.sqrt(running_var + eps)", "gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps)")],
    "your y is normalized by the batch in evaluation: take the running mean and variance there",
    [("gamma * (x - running_mean)", "gamma * (x - x.mean(0))")],
)
PAIR = "layernorm_forward,layernorm_backward"
add(
    "layer norm, a sign",
    "layer_norm",
    PAIR,
    LAYER_NORM,
    [("- x_hat * (g", "+ x_hat * (g")],
    "your dx adds x̂·⟨g·x̂⟩, g = γ·dy: subtract it",
    [("(g - g.mean", "(g + g.mean")],
)
add(
    "layer norm, ε of its own",
    "layer_norm",
    PAIR,
    LAYER_NORM,
    [('ln_param.get("eps", 1e-5)', '1e-5 + 0 * ln_param.get("eps", 1e-5)')],
    "your ε is 1e-05, whatever ε is given",
    [('ln_param.get("eps", 1e-5)', '2 * ln_param.get("eps", 1e-5)')],
)

RETURN = "return (dx, dw) if"
TURN = f"dw = dw.transpose(ORDER)\n        {RETURN}"
for order, letters in (("1, 0, 2, 3", "C,O,KH,KW"), ("2, 3, 1, 0", "KH,KW,C,O"), ("0, 1, 3, 2", "O,C,KW,KH")):
    add(
        f"convolution, dw as ({letters})",
        "conv2d",
        "conv2d",
        CONV,
        [(RETURN, TURN.replace("ORDER", order))],
        "has rows and columns of the kernel exchanged" if order == "0, 1, 3, 2" else f"in the order ({letters})",
        [(RETURN, TURN.replace("ORDER", order).replace("dw.tr", "2 * dw[::-1].tr"))],
    )
CUT = "dx = dxp[:, :, padding:padding + H, padding:padding + W]"
EACH = "dx = np.zeros_like(x)\n        for n in range(N):\n            dx[n] = dxp[n"
EMPTY = "[p:-p] is "
CROP = "your dx still has the padding: cut it off"
WITH_PADDING = [(CUT, "dx = dxp")]
BY_MINUS = [(CUT, CUT.replace("padding:padding + H, padding:padding + W", "padding:-padding, padding:-padding"))]
for name, mistake, hint, relative in (
    ("the padding is still there", WITH_PADDING, CROP, BY_MINUS),
    ("[p:-p]", BY_MINUS, "is empty when the padding p is 0", WITH_PADDING),
    ("the padding is assigned", [(CUT, f"{EACH}]")], CROP, [(CUT, f"{EACH}, 0]")]),
    (
        "[p:-p] is assigned",
        [(CUT, f"{EACH}, :, padding:-padding, padding:-padding]")],
        EMPTY,
        [(CUT, f"{EACH}, :, :1]")],
    ),
):
    add(f"convolution, {name}", "conv2d", "conv2d", CONV, mistake, hint, relative)
add(
    "convolution, the kernel's rows are columns",
    "conv2d",
    "conv2d",
    CONV,
    [("window, w)", "window, w.swapaxes(2, 3) if KH == KW else w)")],
    "your y reads w[o,c,kw,kh]",
    [("window, w)", "window, w[:, :, ::-1] if KH == KW else w)")],
)

POOL_PAIR = "max_pool_forward_naive,max_pool_backward_naive"
SIZES = 'pool_param["pool_height"], pool_param["pool_width"]'
add(
    "pool, height and width exchanged",
    "max_pool2d",
    POOL_PAIR,
    CS231N_POOL,
    [(SIZES, 'pool_param["pool_width"], pool_param["pool_height"]')],
    "your y takes the kernel size of rows for that of columns: rows come first",
    [(SIZES, 'pool_param["pool_height"], pool_param["pool_height"]')],
)
add(
    "pool, row and column of the maximum exchanged",
    "max_pool2d",
    POOL_PAIR,
    CS231N_POOL,
    [("i * s + a, j * s + b", "i * s + min(b, ph - 1), j * s + min(a, pw - 1)")],
    "your dx has row and column of the maximum exchanged",
    [("i * s + a, j * s + b", "i * s + a, j * s + min(a, pw - 1)")],
)
FIRST = POOL.replace(
    "TIES", "flat = mask.reshape(N, C, -1); mask = (np.cumsum(flat, 2) * flat == 1).reshape(mask.shape)"
)
BEGIN = [(".max((2, 3))", ".max((2, 3), initial=0)")]
PAD = [("-np.inf", "0")]
LEAST = "your maximum begins with 0"
add("pool, a maximum that begins with 0", "max_pool2d", "max_pool", FIRST, BEGIN, LEAST, PAD)
add("pool, padded with zeros", "max_pool2d", "max_pool", FIRST, PAD, "your padding is 0", BEGIN)
BACK = "return dx[:, :, pad:pad + H, pad:pad + W]"
add(
    "pool, dx with columns first",
    "max_pool2d",
    "max_pool",
    FIRST,
    [(BACK, f"{BACK}.swapaxes(2, 3).copy()")],
    "your dx has its axes in the order (N,C,W,H): (N,C,H,W) is wanted",
    [(BACK, f"{BACK}.swapaxes(0, 1)[::-1].copy()")],
)

NO_MAXIMUM = ("x.max(axis=1, keepdims=True)", "x.max()")
SUM = "np.exp(z).sum(axis=1, keepdims=True)"
ROWS = "your softmax is over the samples, axis 0: take it over the classes"
WHOLE = "your softmax divides by the sum of the whole array"
OF_ROWS = [(SUM, "np.exp(z).sum(axis=0)"), NO_MAXIMUM]
OF_ALL = [(SUM, "np.exp(z).sum()"), NO_MAXIMUM]
for name, mistake, hint, relative in (
    ("softmax over the samples", OF_ROWS, ROWS, OF_ALL),
    ("softmax over everything", OF_ALL, WHOLE, OF_ROWS),
    ("+1 at the target", [("-= 1", "+= 1")], "your dx adds 1 at the right class: subtract it", [("-= 1", "-= 2")]),
    (
        "as many parts as classes",
        [("/= N", "/= x.shape[1]")],
        "divided by the number of classes",
        [("/= N", "/= N + 2")],
    ),
    ("the sign of the loss", [("loss = -", "loss = ")], "your loss has the wrong sign", [("loss = -", "loss = 2 * -")]),
    ("log2", [("-np.log(", "-np.log2(")], "your logarithm is log2", [("-np.log(", "-np.log10(")]),
    ("log10", [("-np.log(", "-np.log10(")], "your logarithm is log10", [("-np.log(", "-np.log1p(")]),
):
    add(f"cross entropy, {name}", "cross_entropy", "softmax_loss", ENTROPY, mistake, hint, relative)
add(
    "cross entropy of columns, the sign of the loss",
    "cross_entropy",
    "compute_cost",
    COLUMNS,
    [("= -np.sum", "= np.sum")],
    "your loss has the wrong sign",
    [("= -np.sum", "= 2 * np.sum")],
)
MSE = "\ndef mse(y, t):\n    return ((y - t) ** 2).mean(), 2 * (y - t) / y.size\n"
add(
    "squares, the sign of the loss",
    "mse_loss",
    "mse",
    MSE,
    [("return (", "return -(")],
    "your loss has the wrong sign",
    [("return (", "return -0.5 * (")],
)

GRADIENTS = "dout.dot(w.T), x.T.dot(dout), dout.sum(axis=0)"
for order, hint in (
    ("dout.dot(w.T), dout.sum(axis=0), x.T.dot(dout)", "your dw and db are exchanged: return dw first"),
    ("x.T.dot(dout), dout.dot(w.T), dout.sum(axis=0)", "your dx and dw are exchanged: return dx first"),
    (
        "x.T.dot(dout), dout.sum(axis=0), dout.dot(w.T)",
        "what you return as dx, dw, db is dw, db, dx: return dx, dw, db",
    ),
):
    add(
        f"linear, {order}",
        "linear",
        "affine_forward,affine_backward",
        AFFINE,
        [(GRADIENTS, order)],
        hint,
        [(GRADIENTS, order.replace("dout.sum(axis=0)", "dout.mean(axis=0)").replace("x.T.dot", "2 * x.T.dot"))],
    )
add(
    "linear, weights in the other layout",
    "linear",
    "linear",
    "\ndef linear(x, W, b):\n    return x @ W.T + b, lambda dy: (dy @ W, dy.T @ x, dy.sum(0))\n",
    [("dy.T @ x", "x.T @ dy")],
    "your dW is xᵀ·dy: W has shape (outputs, inputs), so dW = dyᵀ·x",
    [("dy.T @ x", "2 * x.T @ dy")],
)
