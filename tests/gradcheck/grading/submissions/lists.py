"""Gradients as lists of numbers: a matter of form, so what is right as an array is right as a list."""

from submissions.table import Table

TABLE = Table()

LINEAR = """
def linear(x, w, b):
    return x @ w.T + b, lambda dy: GRADIENTS
"""
OF_LINEAR = (
    "((dy @ w).tolist(), (dy.T @ x).tolist(), dy.sum(0).tolist())",
    "[(dy @ w).tolist(), (dy.T @ x).tolist(), dy.sum(0).tolist()]",
    "((dy @ w).tolist(), ((dy.T @ x).tolist(), dy.sum(0).tolist()))",
    "(list(dy @ w), list(dy.T @ x), list(dy.sum(0)))",
    "(tuple(map(tuple, dy @ w)), list(dy.T @ x), tuple(dy.sum(0)))",
    "{'dx': (dy @ w).tolist(), 'dw': tuple(map(tuple, dy.T @ x)), 'db': list(dy.sum(0))}",
)
for gradients in OF_LINEAR:
    right = LINEAR.replace("GRADIENTS", gradients)
    TABLE.with_mistakes(f"linear: {gradients}", "linear", "linear", right, ("dy.T @ x", "dy.T @ (x + 0.1)"))
for gradients, status in (
    ("(dy @ w).tolist()", "failed"),
    ("((dy @ w).tolist(), (dy.T @ x).T.tolist(), dy.sum(0))", "failed"),
    ("(dy @ w, dy.T @ x, [1.0, [2.0, 3.0]])", "could not run"),
):
    TABLE.add(f"linear: {gradients}", "linear", "linear", LINEAR.replace("GRADIENTS", gradients), status)

RELU = """
def relu(x):
    return np.maximum(x, 0), lambda dy: GRADIENT
"""
for returned in (
    "(dy * (x > 0)).tolist()",
    "list(dy * (x > 0)) if x.ndim else dy * (x > 0)",
    "tuple((dy * (x > 0)).tolist()) if x.ndim else dy * (x > 0)",
    "((dy * (x > 0)).tolist(),)",
    "[dy * (x > 0)]",
):
    right = RELU.replace("GRADIENT", returned)
    TABLE.with_mistakes(f"relu: {returned}", "relu", "relu", right, ("(x > 0)", "(x > 0.3)"))
for returned, status in (("[[1.0, 2.0], [3.0]]", "could not run"), ("[1.0, 'a']", "failed"), ("[[]]", "failed")):
    TABLE.add(f"relu: {returned}", "relu", "relu", RELU.replace("GRADIENT", returned), status)

RESIDUAL = """
def residual(x, f):
    return x + f, lambda dy: (dy.tolist(), dy.tolist())
"""
TABLE.with_mistakes(
    "lists of a residual add", "residual_add", "residual", RESIDUAL, (", dy.tolist()", ", (2 * dy).tolist()")
)
LOSS = """
def mse(x, t):
    return ((x - t) ** 2).mean(), (2 * (x - t) / x.size).tolist()
"""
TABLE.with_mistakes("lists of a loss", "mse_loss", "mse", LOSS, ("2 * (x", "3 * (x"))
