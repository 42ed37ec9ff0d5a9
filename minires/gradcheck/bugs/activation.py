"""Bugs of functions of one argument, element by element."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug


@bug("neg", "sign forgotten")
def _(call):
    """your dx has the wrong sign: y = −x, so dx = −dy"""
    return call.dy


@bug("neg", "gradients clipped")
def _(call):
    """your gradients are clipped to ±50: a backward must be linear in dy, clip in the optimizer"""
    return tuple(np.clip(g, -50, 50) for g in call.right)


@bug("abs", "sign forgotten")
def _(call):
    """your dx misses the sign of x: dx = dy·sign(x)"""
    return call.dy


@bug("abs", "sign as x/|x|")
def _(call):
    """your dx is NaN at x = 0, where x/|x| is 0/0: use np.sign(x), which is 0 there"""
    return call.dy * (call.x / call.y)


@bug("abs", "sign 1 at 0")
def _(call):
    """your dx takes 1 for the sign of 0: the convention is 0, as in np.sign"""
    return np.where(call.x >= 0, call.dy, -call.dy)


@bug("exp", "power rule")
def _(call):
    """your dx is dy·x·eˣ⁻¹, the rule for powers of x: the derivative of eˣ is eˣ, so dx = dy·eˣ"""
    return call.dy * call.x * np.exp(call.x - 1)


@bug("exp", "upstream forgotten")
def _(call):
    """your dx is eˣ: multiply by dy"""
    return np.array(call.y)


@bug("log", "y for x")
def _(call):
    """your dx is dy/y: divide by the input, dx = dy/x"""
    return call.dy / call.y


@bug("log", "logarithm to base 10")
def _(call):
    """your dx is that of the logarithm to base 10: y = ln x, so dx = dy/x"""
    return call.right[0] / math.log(10)


@bug("sqrt", "½ forgotten")
def _(call):
    """your dx is dy/√x: the derivative has a factor ½, dx = dy/(2√x)"""
    return call.dy / call.y


@bug("sqrt", "root forgotten")
def _(call):
    """your dx is dy/(2x): divide by the root, dx = dy/(2√x)"""
    return call.dy / (2 * call.x)


@bug("tanh", "y not squared")
def _(call):
    """your dx is dy·(1 − y): square y, dx = dy·(1 − y²)"""
    return call.dy * (1 - call.y)


@bug("tanh", "upstream forgotten")
def _(call):
    """your dx is 1 − y²: multiply by dy"""
    return 1 - call.y**2


@bug("tanh", "tanh of y")
def _(call):
    """your dx is dy·(1 − tanh(y)²): y is tanh(x) already, so dx = dy·(1 − y²)"""
    return call.dy * (1 - np.tanh(call.y) ** 2)


@bug("sigmoid", "σ of y")
def _(call):
    """your dx uses σ(y): y is σ(x) already, so dx = dy·y·(1 − y)"""
    return call.dy / (2 + np.exp(call.y) + np.exp(-call.y))


@bug("sigmoid", "x for y")
def _(call):
    """your dx is dy·x·(1 − x): use the output, dx = dy·y·(1 − y)"""
    return call.dy * call.x * (1 - call.x)


@bug("relu", "mask forgotten")
def _(call):
    """your dx is dy everywhere: it is dy only where x > 0, and 0 elsewhere"""
    return call.dy


@bug("relu", "mask of dy")
def _(call):
    """your mask is dy > 0: the mask is x > 0"""
    return call.dy * (call.dy > 0)


@bug("relu", "1 at 0")
def _(call):
    """your dx is dy at x = 0: the convention is 0 there, so the mask is x > 0"""
    return call.dy * (call.x >= 0)


@bug("relu", "upstream forgotten")
def _(call):
    """your dx is the mask alone: multiply it by dy"""
    return (call.x > 0).astype(call.dy.dtype)


@bug("relu", "mask written into x")
def _(call):
    """your backward changes x: make a new array, mask = x > 0, and do not assign to x[x <= 0]"""
    right = call.right
    if call.x.flags.writeable:
        call.x[call.x <= 0] = 0
    return right


@bug("relu6", "no upper bound")
def _(call):
    """your dx is dy where x > 6: it is 0 there, because y is constant"""
    return call.dy * (call.x > 0)


@bug("relu6", "1 at 6")
def _(call):
    """your dx is dy at x = 6: the convention is 0 there"""
    return call.dy * ((call.x > 0) & (call.x <= 6))


@bug("leaky_relu", "slope forgotten")
def _(call):
    """your dx is 0 where x < 0: it is dy·negative_slope there"""
    return call.dy * (call.x > 0)


@bug("leaky_relu", "always the default slope")
def _(call):
    """your dx always uses the slope 0.01: use negative_slope"""
    return call.again(negative_slope=0.01)


@bug("leaky_relu", "both slopes at 0")
def _(call):
    """your dx at x = 0 is dy·(1 + slope): only one of the masks x > 0 and x ≤ 0 may include 0"""
    return call.dy * ((call.x >= 0) + call.setting("negative_slope") * (call.x <= 0))


@bug("silu", "product rule forgotten")
def _(call):
    """your dx is dy·σ(x): both factors of x·σ(x) depend on x, use the product rule"""
    return call.dy / (1 + np.exp(-call.x))


@bug("silu", "first term forgotten")
def _(call):
    """your dx is dy·x·σ·(1 − σ): both factors of x·σ(x) depend on x, use the product rule"""
    return call.right[0] - call.dy / (1 + np.exp(-call.x))


@bug("gelu", "density forgotten")
def _(call):
    """your dx is dy·Φ(x): both factors of x·Φ(x) depend on x, use the product rule"""
    return call.dy * np.divide(call.y, call.x, out=np.full_like(call.y, 0.5), where=call.x != 0)


@bug("gelu", "the other approximation")
def _(call):
    """your dx is the derivative of the other formula: look at the setting `approximate`"""
    return call.again(approximate="none" if call.setting("approximate") == "tanh" else "tanh")


def bounds(call):
    low = call.setting("min")
    high = call.setting("max")
    return -math.inf if low is None else low, math.inf if high is None else high


@bug("clip", "mask forgotten")
def _(call):
    """your dx is dy outside the bounds: it is 0 there, because y is constant"""
    return call.dy


@bug("clip", "dy clipped")
def _(call):
    """your dx is dy clipped: the bounds are for x, so dx is dy where x is between them, and 0 elsewhere"""
    return np.clip(call.dy, *bounds(call))


@bug("clip", "0 at the bounds")
def _(call):
    """your dx is 0 where x equals a bound: the convention is dy there"""
    low, high = bounds(call)
    return call.dy * ((call.x > low) & (call.x < high))
