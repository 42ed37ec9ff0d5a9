"""Bugs that several losses share."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.op import registry

BINARY = "binary_cross_entropy_with_logits"
DISTANCES = ("l1_loss", "smooth_l1_loss", "mse_loss")


def softmax(x, dim):
    return registry["softmax"].raw(x, dim=dim)[0]


def sigmoid(x):
    return registry["sigmoid"].raw(x)[0]


def is_mean(call):
    """reduction="mean": bugs of the mean are right with the other reductions."""
    return call.setting("reduction") == "mean"


@bug(("cross_entropy", "nll_loss", BINARY, *DISTANCES), "upstream forgotten")
def _(call):
    """your gradients ignore dy: multiply by dy"""
    return call.again(dy=np.ones_like(call.dy))


@bug((BINARY, *DISTANCES), "not averaged", when=is_mean)
def _(call):
    """your gradients are not divided by the number of elements: the loss is a mean, so divide"""
    return call.again(reduction="sum")


@bug(DISTANCES, "averaged over the batch only", when=is_mean)
def _(call):
    """your gradients are divided by N: divide by the number of all elements, as the mean does"""
    return tuple(g * math.prod(g.shape[1:]) for g in call.right)


@bug(DISTANCES, "sign of the target")
def _(call):
    """your dtarget has the wrong sign: the loss depends on input − target, so dtarget = −dinput"""
    return call.but(target=call.right[0])


@bug(DISTANCES, "no gradient for the target")
def _(call):
    """your dtarget is None: the loss depends on the target too, dtarget = −dinput"""
    return call.right[0], None
