"""Activations with a curve, and their slopes. Where x is complex, its real part decides (a complex step checks it)."""

from minires.arrays import array_module


def relu6(x):
    """min(max(x, 0), 6); a NaN stays NaN."""
    xp = array_module(x)
    return xp.where(x.real >= 6, 6, xp.where(x.real <= 0, 0, x)).astype(x.dtype, copy=False)


def relu6_dx(dy, y):
    """dy where 0 < y < 6, else 0, even where dy is infinite."""
    return array_module(dy).where((y.real > 0) & (y.real < 6), dy, dy.dtype.type(0))


def sigmoid(x):
    """σ(x) = 1/(1 + e⁻ˣ), written with e^(−|x|) so that nothing overflows."""
    xp = array_module(x)
    e = xp.exp(xp.where(x.real < 0, x, -x))
    return xp.where(x.real < 0, e, 1) / (1 + e)


def silu(x):
    """y = x·σ(x), and its slope: dy/dx = σ + x·σ', and because σ' = σ·(1 − σ), it is σ·(1 + x·(1 − σ))."""
    s = sigmoid(x)
    return x * s, s * (1 + x * (1 - s))
