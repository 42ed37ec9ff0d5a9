"""Mistakes of tanh, something else in the place of 1 − y², and of GELU (Hendrycks 2016), a factor or term left out."""

import numpy as np

HINT = "your dx is dy·{what}: the derivative of tanh is 1 − y², with y = tanh(x)"
CUBIC = 0.044715  # of u = √(2/π)·(x + 0.044715·x³), in y = x·(1 + tanh(u))/2
INNER = "its derivative is √(2/π)·(1 + 3·0.044715·x²)"


def ys(wrong):
    """(y, hint) of each mistake of a forward."""
    return ()


def gradients(wrong):
    """(gradient, hint) of each mistake of a backward that is not in the catalogue."""
    if wrong.op == "gelu":
        yield from _gelu(wrong)
    if wrong.op != "tanh":
        return
    x = wrong.case.arrays[0]
    y = np.tanh(x)
    for what, slope in (("(1 − x²)", 1 - x * x), ("(1 + y²)", 1 + y * y), ("y", y), ("x", x), ("y²", y * y)):
        yield wrong.dy * slope, HINT.format(what=what)


def _gelu(wrong):
    """dx of y = x·Φ(x), or of its form with a tanh, where a part of the derivative is missing."""
    x = wrong.case.arrays[0]
    if wrong.settings["approximate"] != "tanh":
        both = wrong.gradients(dy=np.ones_like(x))["x"]  # Φ(x) + x·φ(x)
        density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
        yield wrong.dy * x * density, "your dx is dy·x·φ(x): add Φ(x), the derivative of the factor x"
        yield wrong.dy * (both - x * density + density), "your dx has φ(x) where x·φ(x) belongs"
        return
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + CUBIC * x**3))
    inner = c * (1 + 3 * CUBIC * x * x)

    def dx(first=1, slope=1 - t * t, inner=inner):
        return wrong.dy * (first * (1 + t) / 2 + x * slope * inner / 2)

    yield (
        dx(inner=c * (1 + CUBIC * x * x)),
        f"your dx takes the slope of x³ for x²: u = √(2/π)·(x + 0.044715·x³), {INNER}",
    )
    yield dx(inner=c), f"your dx leaves the cubic term of u out: {INNER}"
    yield dx(inner=1), f"your dx misses du/dx, u = √(2/π)·(x + 0.044715·x³): {INNER}"
    yield dx(inner=inner / c), f"your dx misses the factor √(2/π) of du/dx: {INNER}"
    yield dx(first=0), "your dx misses (1 + tanh u)/2, the derivative of the factor x"
    yield dx(slope=1 - t), "your dx has 1 − tanh u where 1 − tanh² u belongs"
