"""Dropout and the residual addition."""

from submissions.table import Table

TABLE = Table()

SOURCE = """
def dropout(x, p=0.5, training=True):
    mask = (np.random.rand(*x.shape) > p) / (1 - p) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
"""
DX = ("dy * (mask > 0)", "np.zeros((0, 1, 1))", "(dy * mask)[None]", "(dy * mask).T", "np.zeros((0, 7, 9))", "1.0")
WRONG = [("lambda dy: dy * mask", f"lambda dy: {dx}") for dx in DX]
TABLE.with_mistakes("dropout", "dropout", "dropout", SOURCE, WRONG)

SOURCE = """
def dropout(x, p=0.5, training=True):
    mask = (np.random.rand(*x.shape) >= p) / (1 - p) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
"""
ONE_FOR_ALL = [
    ("np.random.rand(*x.shape)", shape)
    for shape in ("np.random.rand(*x.shape[1:])", "np.random.rand(len(x), *[1] * (x.ndim - 1))")
]
TABLE.with_mistakes("dropout of each element", "dropout", "dropout", SOURCE, ONE_FOR_ALL)

SOURCE = """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < p) / p
        return x * mask, (dropout_param, mask)
    return x, (dropout_param, mask)
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout
"""
TABLE.add("cs231n dropout", "dropout", "dropout_forward,dropout_backward", SOURCE)

SOURCE = """
def residual(x, fx):
    return x + fx, lambda dy: (dy.copy(), dy.copy())
"""
TABLE.with_mistakes(
    "residual add", "residual_add", "residual", SOURCE, ("(dy.copy(), dy.copy())", "(dy.copy(), 0 * dy)")
)
