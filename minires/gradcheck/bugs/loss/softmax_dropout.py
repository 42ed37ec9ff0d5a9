"""Bugs of softmax, log_softmax and logsumexp, and of dropout."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.gradcheck.bugs.loss.all_losses import softmax


def sum_along(call, v):
    """Σ v along dim, which is kept with length 1."""
    return v.sum(axis=call.setting("dim"), keepdims=True)


def expanded(call):
    """logsumexp's dy with its axis back."""
    return call.dy if call.setting("keepdim") else np.expand_dims(call.dy, call.static["dim"])


@bug("softmax", "diagonal only")
def _(call):
    """your dx is dy·y·(1 − y): each y depends on every x, so dx = y·(dy − Σ dy·y)"""
    return call.dy * call.y * (1 - call.y)


@bug("softmax", "Σ dy for Σ dy·y")
def _(call):
    """your dx subtracts Σ dy: subtract Σ dy·y"""
    return call.y * (call.dy - sum_along(call, call.dy))


@bug("softmax", "sum over everything")
def _(call):
    """your Σ dy·y is over all axes: sum over dim only"""
    return call.y * (call.dy - (call.dy * call.y).sum())


@bug("softmax", "sum over the last axis")
def _(call):
    """your Σ dy·y is always over the last axis: sum over dim"""
    return call.y * (call.dy - (call.dy * call.y).sum(axis=-1, keepdims=True))


@bug("log_softmax", "sum forgotten")
def _(call):
    """your dx is dy − softmax·dy: sum dy in the second term, dx = dy − softmax·Σ dy"""
    return call.dy - np.exp(call.y) * call.dy


@bug("log_softmax", "Σ dy taken for 1")
def _(call):
    """your dx is dy − softmax, as if dy were one-hot: dx = dy − softmax·Σ dy"""
    return call.dy - np.exp(call.y)


@bug("log_softmax", "y for softmax")
def _(call):
    """your dx is dy − y·Σ dy: y is the logarithm, the softmax is exp(y)"""
    return call.dy - call.y * sum_along(call, call.dy)


@bug("logsumexp", "softmax forgotten")
def _(call):
    """your dx is dy for each element: multiply by the softmax of x"""
    return np.broadcast_to(expanded(call), call.x.shape)


@bug("logsumexp", "not divided by the sum")
def _(call):
    """your dx is dy·eˣ: divide by Σ eˣ"""
    return expanded(call) * np.exp(call.x)


@bug("logsumexp", "softmax of the first axis", when=lambda call: len(call.x))
def _(call):
    """your softmax is always over axis 0: take it over dim"""
    return expanded(call) * softmax(call.x, 0)


# Dropout.


def training(call):
    return call.setting("training")


@bug("dropout", "another mask", when=training)
def _(call):
    """your dx uses a new random mask: use the mask of the forward"""
    return call.again(rng=np.random.default_rng([4, 2]))


@bug("dropout", "scale forgotten", when=training)
def _(call):
    """your dx misses the factor 1/(1 − p): multiply by it, as the forward does"""
    return call.right[0] * (1 - call.setting("p"))


@bug("dropout", "mask forgotten", when=lambda call: training(call) and call.setting("p") < 1)
def _(call):
    """your dx is not 0 where the forward dropped: multiply by the mask"""
    return call.dy / (1 - call.setting("p"))


@bug("dropout", "drops in evaluation", when=lambda call: not training(call))
def _(call):
    """your dx drops elements in evaluation: the forward is y = x there, so dx = dy"""
    return call.again(training=True, rng=0)
