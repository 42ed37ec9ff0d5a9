"""Mistakes of GELU that have a hint, and near relatives, in the form of mistakes.py."""

from submissions.mistakes import add

__all__ = []  # its rows are those of mistakes.py

TANH = """
def gelu(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    def backward(dy):
        du = c * (1 + 3 * 0.044715 * x**2)
        return dy * ((1 + t) / 2 + x * (1 - t**2) * du / 2)
    return x * (1 + t) / 2, backward
"""
BOTH = "(1 + t) / 2 + x * (1 - t**2) * du / 2"
for name, mistake, hint, relative in (
    ("slope of x² for x³", ("1 + 3 *", "1 +"), "your dx takes the slope of x³ for x²", ("1 + 3 *", "1 + 2 *")),
    ("without the cubic term", ("3 *", "0 *"), "your dx leaves the cubic term of u out", ("3 *", "0.5 *")),
    ("without du", ("* du / 2", "/ 2"), "your dx misses du/dx", ("* du / 2", "")),
    ("du without √(2/π)", ("du = c *", "du ="), "your dx misses the factor √(2/π)", ("du = c *", "du = c**2 *")),
    ("t is a constant", (BOTH, "(1 + t) / 2"), "use the product rule", (BOTH, "(2 + t) / 2")),
    (
        "x is a constant",
        ("(1 + t) / 2 + x *", "x *"),
        "your dx misses (1 + tanh u)/2",
        ("(1 + t) / 2 + x *", "2 * x *"),
    ),
    ("1 − t", ("1 - t**2", "1 - t"), "your dx has 1 − tanh u where 1 − tanh² u belongs", ("1 - t**2", "1 - t**4")),
):
    add(f"GELU, {name}", "gelu", "gelu", TANH, [mistake], hint, [relative])
