"""Bugs of losses of each element: binary cross entropy, and the distances l1, smooth l1 and mse."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.gradcheck.bugs.loss.all_losses import BINARY, is_mean, sigmoid

# Binary cross entropy with logits: dinput = ((1 − t)·σ(x) − p·t·σ(−x))·part, p = pos_weight.


def of_binary(call, name):
    """weight or pos_weight, 1 if there is none."""
    value = call.setting(name)
    return 1.0 if value is None else value


@bug(BINARY, "divided by Σ w", when=is_mean)
def _(call):
    """your gradients are divided by the sum of the weights: divide by the number of all elements"""
    weight = of_binary(call, "weight")
    return tuple(g / np.broadcast_to(weight, g.shape).mean() for g in call.right)


@bug(BINARY, "weight forgotten")
def _(call):
    """your gradients ignore weight: multiply by it"""
    return call.again(weight=None)


@bug(BINARY, "pos_weight forgotten")
def _(call):
    """your gradients ignore pos_weight: multiply the part of the positive class by it"""
    return call.again(pos_weight=None)


@bug(BINARY, "pos_weight on both classes")
def _(call):
    """your dinput multiplies all of σ(x) − t by pos_weight: only the positive class t has it"""
    return call.but(input=call.again(pos_weight=None)[0] * of_binary(call, "pos_weight"))


@bug(BINARY, "gradient of the probability")
def _(call):
    """your dinput is that for σ(x), (σ − t)/(σ(1 − σ)): continue back through the sigmoid, dinput = σ − t"""
    return call.but(input=call.right[0] / np.maximum(sigmoid(call.x) * sigmoid(-call.x), 1e-9))


@bug(BINARY, "sigmoid's slope twice")
def _(call):
    """your dinput has an extra factor σ(1 − σ): it cancels with that of the logarithm, dinput = σ − t"""
    return call.but(input=call.right[0] * sigmoid(call.x) * sigmoid(-call.x))


@bug(BINARY, "sign")
def _(call):
    """your dinput has the wrong sign: it is σ(x) − t"""
    return call.but(input=-call.right[0])


@bug(BINARY, "no gradient for the target")
def _(call):
    """your dtarget is None: the loss depends on the target too, dtarget = ln σ(−x) − pos_weight·ln σ(x)"""
    return call.right[0], None


@bug(BINARY, "target's gradient without pos_weight")
def _(call):
    """your dtarget is −x: with pos_weight it is ln σ(−x) − pos_weight·ln σ(x)"""
    part = call.dy * of_binary(call, "weight") / (call.x.size if is_mean(call) else 1)
    return call.but(target=-call.x * part)


# Distances.


def difference(call):
    """d = input − target, and the part of dy that one element receives."""
    d = call.arrays[0] - call.arrays[1]
    return d, call.dy / (d.size if is_mean(call) else 1)


@bug("l1_loss", "the difference for its sign")
def _(call):
    """your gradients are those of d²/2, d = input − target: the derivative of |d| is sign(d)"""
    d, part = difference(call)
    return d * part, -d * part


@bug("l1_loss", "1 at 0")
def _(call):
    """your dinput is 1 where input = target: the convention is 0"""
    d, part = difference(call)
    return call.but(input=np.where(d >= 0, 1, -1) * part)


def has_beta(call):
    return call.setting("beta") > 0


@bug("smooth_l1_loss", "beta forgotten in the slope", when=has_beta)
def _(call):
    """your dinput is d = input − target near 0: divide by β, it is d/β where |d| < β"""
    d, part = difference(call)
    return call.but(input=np.clip(d, -1, 1) * part)


@bug("smooth_l1_loss", "factor 2")
def _(call):
    """your dinput is 2d/β near 0, d = input − target: the derivative of d²/(2β) is d/β"""
    d, _ = difference(call)
    return call.but(input=np.where(np.abs(d) < call.setting("beta"), 2, 1) * call.right[0])


@bug("smooth_l1_loss", "squared everywhere", when=has_beta)
def _(call):
    """your dinput is d/β everywhere, d = input − target: where |d| ≥ β it is sign(d)"""
    d, part = difference(call)
    return call.but(input=d / call.setting("beta") * part)


@bug("smooth_l1_loss", "absolute everywhere")
def _(call):
    """your dinput is sign(d) everywhere, d = input − target: where |d| < β it is d/β"""
    d, part = difference(call)
    return call.but(input=np.sign(d) * part)


@bug("mse_loss", "factor 2 forgotten")
def _(call):
    """your gradients miss the factor 2: the derivative of d² is 2d"""
    return tuple(g / 2 for g in call.right)


@bug("mse_loss", "sign of the difference")
def _(call):
    """your dinput is that of target − input: it is 2·(input − target)"""
    return call.but(input=call.right[1])
