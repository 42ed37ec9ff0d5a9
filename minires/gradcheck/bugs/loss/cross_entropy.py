"""Bugs of cross entropy and of the negative log-likelihood."""

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.gradcheck.bugs.loss.all_losses import is_mean, softmax
from minires.op import registry


class CrossEntropy:
    """dlogits = (p·Σ q − q)·part by its definition, with q_k = w_k·((1 − ε)·t_k + ε/K); axes as in logits.

    t_k is 1 at the target and 0 elsewhere, or the target itself if it holds probabilities. part: dy of one sample.
    """

    def __init__(self, call):
        logits, target = call.arrays
        K = logits.shape[1]
        ignored = call.setting("ignore_index")
        weight = call.setting("weight")
        smoothing = call.setting("label_smoothing")
        w = np.ones(K) if weight is None else weight
        w = w.astype(logits.dtype).reshape(1, K, *[1] * (logits.ndim - 2))
        if target.dtype.kind == "f":
            self.t = target
            self.counted = self.w_target = np.ones_like(target[:, :1])
        else:
            one_hot = np.eye(K, dtype=logits.dtype)[np.where(target == ignored, 0, target)]  # (N,…,K)
            self.t = np.moveaxis(one_hot, -1, 1) * np.expand_dims(target != ignored, 1)
            self.counted = self.t.sum(axis=1, keepdims=True)
            self.w_target = (self.t * w).sum(axis=1, keepdims=True)
        self.q = (1 - smoothing) * self.t * w + smoothing / K * self.counted * w
        self.sum_q = self.q.sum(axis=1, keepdims=True)
        self.p = softmax(logits, 1)
        reduction = call.setting("reduction")
        self.part = np.expand_dims(call.dy, 1) if reduction == "none" else call.dy
        if reduction == "mean":
            self.part = self.part / self.w_target.sum()

    def dlogits(self, **changed):
        """The gradient with another p, q or sum_q."""
        p, q, sum_q = (changed.get(name, getattr(self, name)) for name in ("p", "q", "sum_q"))
        return (p * sum_q - q) * self.part


def samples(call):
    """How many targets there are."""
    return max(call.x.size // call.x.shape[1], 1)


def of_probabilities(call):
    """The target holds probabilities, so it has a gradient."""
    return call.arrays[1].dtype.kind == "f"


@bug("cross_entropy", "not averaged", when=is_mean)
def _(call):
    """your dlogits is not divided by the number of samples: the loss is a mean, so divide"""
    return call.again(reduction="sum")


@bug("cross_entropy", "averaged though a sum", when=lambda call: call.setting("reduction") == "sum")
def _(call):
    """your dlogits is divided by the number of samples: with reduction="sum" do not divide"""
    return call.but(logits=call.right[0] / samples(call))


@bug("cross_entropy", "divided by N", when=is_mean)
def _(call):
    """your dlogits is divided by N: divide by the sum of the class weights of the targets that count"""
    return call.but(logits=call.again(reduction="sum")[0] / samples(call))


@bug("cross_entropy", "weights forgotten in the denominator", when=is_mean)
def _(call):
    """your dlogits is divided by the number of targets that count: divide by the sum of their class weights"""
    return call.but(logits=call.again(reduction="sum")[0] / max(CrossEntropy(call).counted.sum(), 1))


@bug("cross_entropy", "averaged over images, not pixels", when=is_mean)
def _(call):
    """your dlogits is divided by N: with a target for each pixel divide by all N·H·W targets"""
    return call.but(logits=call.right[0] * (samples(call) / max(len(call.arrays[1]), 1)))


@bug("cross_entropy", "one-hot forgotten")
def _(call):
    """your dlogits is the softmax alone: subtract 1 at the target"""
    return call.but(logits=CrossEntropy(call).dlogits(q=0))


@bug("cross_entropy", "sign")
def _(call):
    """your dlogits has the wrong sign: it is softmax − one-hot"""
    return call.but(logits=-call.right[0])


@bug("cross_entropy", "class weights forgotten")
def _(call):
    """your dlogits ignores the class weights: multiply by the weight of the target's class"""
    return call.again(weight=None)


@bug("cross_entropy", "class weights forgotten in front of softmax")
def _(call):
    """your dlogits is p − q: with class weights it is p·Σq − q"""
    norm = CrossEntropy(call)
    return call.but(logits=norm.dlogits(sum_q=norm.counted))


@bug("cross_entropy", "label smoothing forgotten")
def _(call):
    """your dlogits ignores label_smoothing: the target's class has 1 − ε + ε/K, the others have ε/K"""
    return call.again(label_smoothing=0.0)


@bug(
    "cross_entropy",
    "ignored targets counted",
    when=lambda call: 0 <= call.setting("ignore_index") < call.arrays[0].shape[1],
)
def _(call):
    """your dlogits is not 0 where the target is ignore_index: set it to 0 for these samples"""
    return call.again(ignore_index=-100)


@bug("cross_entropy", "smoothing over the other classes")
def _(call):
    """your label smoothing gives ε/(K − 1) to the other classes: give ε/K to all K classes"""
    K = call.x.shape[1]
    return call.again(label_smoothing=min(call.setting("label_smoothing") * K / max(K - 1, 1), 1.0))


@bug("cross_entropy", "softmax over the samples", when=lambda call: len(call.x))
def _(call):
    """your softmax is over the samples, axis 0: take it over the classes, axis 1"""
    return call.but(logits=CrossEntropy(call).dlogits(p=softmax(call.x, 0)))


@bug("cross_entropy", "gradient of the probabilities")
def _(call):
    """your dlogits is −q/p, the gradient for the probabilities p: continue back through the softmax"""
    loss = CrossEntropy(call)
    return call.but(logits=-loss.q / loss.p * loss.part)


@bug("cross_entropy", "one-hot subtracted in place")
def _(call):
    """your dlogits changes from call to call: p[range(N), target] -= 1 changes p, work on a copy of p"""
    call.state["calls"] = call.state.get("calls", 0) + 1
    loss = CrossEntropy(call)
    return call.but(logits=loss.dlogits(q=call.state["calls"] * loss.q))


@bug("cross_entropy", "no gradient for the probabilities", when=of_probabilities)
def _(call):
    """your dtarget is None: a target of probabilities has the gradient −w·(1 − ε)·log p"""
    return call.but(target=None)


@bug("cross_entropy", "sign of the probabilities' gradient", when=of_probabilities)
def _(call):
    """your dtarget has the wrong sign: it is −w·(1 − ε)·log p"""
    return call.but(target=-call.right[1])


@bug("cross_entropy", "smoothing forgotten in the probabilities' gradient", when=of_probabilities)
def _(call):
    """your dtarget misses the factor 1 − ε of the label smoothing: it is −w·(1 − ε)·log p"""
    return call.but(target=call.right[1] / (1 - call.setting("label_smoothing")))


@bug("cross_entropy", "probabilities assumed to sum to 1", when=of_probabilities)
def _(call):
    """your dlogits is p − q: the target's probabilities need not sum to 1, it is p·Σq − q"""
    return call.but(logits=CrossEntropy(call).dlogits(sum_q=1))


@bug("nll_loss", "sign")
def _(call):
    """your dlog_p has the wrong sign: it is −w at the target"""
    return (-call.right[0],)


@bug("nll_loss", "softmax differentiated too")
def _(call):
    """your dlog_p is that of cross_entropy: the input is log p here, so dlog_p is −w at the target, 0 elsewhere"""
    return (registry["cross_entropy"].raw(*call.arrays, **call.static)[1](call.dy)[0],)


@bug("nll_loss", "not averaged", when=is_mean)
def _(call):
    """your dlog_p is not divided by the sum of the class weights: the loss is a mean, so divide"""
    return call.again(reduction="sum")


@bug("nll_loss", "divided by N", when=is_mean)
def _(call):
    """your dlog_p is divided by N: divide by the sum of the class weights of the targets that count"""
    return (call.again(reduction="sum")[0] / samples(call),)


@bug("nll_loss", "class weights forgotten")
def _(call):
    """your dlog_p ignores the class weights: multiply by the weight of the target's class"""
    return call.again(weight=None)


@bug("nll_loss", "ignored targets counted", when=lambda call: call.setting("ignore_index") >= 0)
def _(call):
    """your dlog_p is not 0 where the target is ignore_index: set it to 0 for these samples"""
    return call.again(ignore_index=-100)
