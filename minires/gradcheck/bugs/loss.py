"""Bugs of losses, of the softmax family, and of dropout."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.tensor import registry


def softmax(x, dim):
    return registry["softmax"].raw(x, dim=dim)[0]


def of_mean(gradients):
    """A bug of reduction="mean": the other reductions are right."""
    return lambda call: gradients(call) if call.setting("reduction") == "mean" else call.right


class Entropy:
    """∂L/∂logits = (p·Σ q − q)·share by its definition, q_k = w_k·((1 − ε)·[k = target] + ε/K); axes as in logits."""

    def __init__(self, call):
        logits, target = call.arrays
        K, ignored = logits.shape[1], call.setting("ignore_index")
        weight, smoothing = call.setting("weight"), call.setting("label_smoothing")
        w = np.ones(K) if weight is None else weight
        w = w.astype(logits.dtype).reshape(1, K, *[1] * (logits.ndim - 2))
        one_hot = np.eye(K, dtype=logits.dtype)[np.where(target == ignored, 0, target)]  # (N,…,K)
        self.one_hot = np.moveaxis(one_hot, -1, 1) * np.expand_dims(target != ignored, 1)
        self.counted = self.one_hot.sum(axis=1, keepdims=True)
        self.w_target = (self.one_hot * w).sum(axis=1, keepdims=True)
        self.q = (1 - smoothing) * self.one_hot * w + smoothing / K * self.counted * w
        self.sum_q = self.q.sum(axis=1, keepdims=True)
        self.p = softmax(logits, 1)
        reduction = call.setting("reduction")
        self.share = np.expand_dims(call.dy, 1) if reduction == "none" else call.dy
        if reduction == "mean":
            self.share = self.share / self.w_target.sum()

    def dlogits(self, **changed):
        """The gradient with another p, q or sum_q."""
        p, q, sum_q = (changed.get(name, getattr(self, name)) for name in ("p", "q", "sum_q"))
        return (p * sum_q - q) * self.share


bug("cross_entropy", "not averaged", "your dlogits is not divided by the number of samples, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum")))
bug("cross_entropy", "averaged though a sum", "your dlogits is averaged over the samples, though the loss is a sum")(
    lambda call: call.but(logits=call.right[0] / max(call.arrays[1].size, 1)) if call.setting("reduction") == "sum"
    else call.right)
bug("cross_entropy", "divided by N",
    "your dlogits is divided by N: the mean divides by the sum of the weights of the targets that count")(
    of_mean(lambda call: call.but(logits=call.again(reduction="sum")[0] / max(call.arrays[1].size, 1))))
bug("cross_entropy", "weights forgotten in the denominator",
    "your dlogits is divided by the number of targets that count: divide by the sum of their class weights")(
    of_mean(lambda call: call.but(logits=call.again(reduction="sum")[0] / max(Entropy(call).counted.sum(), 1))))
bug("cross_entropy", "averaged over pictures, not pixels",
    "your dlogits is divided by N alone: a mean over a map divides by all N·H·W targets")(
    of_mean(lambda call: call.but(logits=call.right[0] * (call.arrays[1].size / max(len(call.arrays[1]), 1)))))
bug("cross_entropy", "one-hot forgotten", "your dlogits is softmax alone: subtract 1 at the target")(
    lambda call: call.but(logits=Entropy(call).dlogits(q=0)))
bug("cross_entropy", "sign", "your dlogits has the wrong sign: it is softmax − one-hot")(
    lambda call: call.but(logits=-call.right[0]))
bug("cross_entropy", "class weights forgotten", "your dlogits ignores the class weights")(
    lambda call: call.again(weight=None))
bug("cross_entropy", "class weights forgotten in front of softmax",
    "your dlogits is p − q: with class weights or smoothing, p is multiplied by Σ q")(
    lambda call: call.but(logits=Entropy(call).dlogits(sum_q=Entropy(call).counted)))
bug("cross_entropy", "label smoothing forgotten", "your dlogits ignores label_smoothing")(
    lambda call: call.again(label_smoothing=0.0))
bug("cross_entropy", "ignored targets counted",
    "your dlogits is not 0 where the target is ignore_index: mask these samples")(
    lambda call: call.again(ignore_index=-100) if 0 <= call.setting("ignore_index") < call.arrays[0].shape[1]
    else call.right)


@bug("cross_entropy", "smoothing over the other classes",
     "your label smoothing gives ε/(K − 1) to the other classes: all K classes get ε/K, the target too")
def _(call):
    K = call.arrays[0].shape[1]
    return call.again(label_smoothing=min(call.setting("label_smoothing") * K / max(K - 1, 1), 1.0))


bug("cross_entropy", "softmax over the samples",
    "your softmax runs over the samples: it runs over the classes, axis 1")(
    lambda call: call.but(logits=Entropy(call).dlogits(p=softmax(call.arrays[0], 0))) if len(call.arrays[0])
    else call.right)
bug("cross_entropy", "gradient of the probabilities",
    "your dlogits is −q/p, the gradient with respect to the probabilities: carry it on through softmax")(
    lambda call: call.but(logits=-Entropy(call).q / Entropy(call).p * Entropy(call).share))
bug("cross_entropy", "upstream forgotten", "your dlogits ignores dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy)))


@bug("cross_entropy", "one-hot taken off in place",
     "your dlogits differs from call to call: p[range(N), target] -= 1 changes the p that the next call needs, copy it")
def _(call):
    call.state["calls"] = call.state.get("calls", 0) + 1
    return call.but(logits=Entropy(call).dlogits(q=call.state["calls"] * Entropy(call).q))


bug("mse_loss", "factor 2 forgotten", "your gradients miss the factor 2 of the square")(
    lambda call: tuple(g / 2 for g in call.right))
bug("mse_loss", "not averaged", "your gradients are not divided by the number of elements, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum")))
bug("mse_loss", "averaged over the batch only", "your gradients are divided by N: a mean divides by all elements")(
    of_mean(lambda call: tuple(g * math.prod(g.shape[1:]) for g in call.right)))
bug("mse_loss", "sign of the target",
    "your dtarget has the sign of dinput: (input − target)² falls where the other rises")(
    lambda call: call.but(target=call.right[0]))
bug("mse_loss", "sign of the difference", "your dinput is that of (target − input): it is 2(input − target)")(
    lambda call: call.but(input=call.right[1]))
bug("mse_loss", "upstream forgotten", "your gradients ignore dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy)))
bug("mse_loss", "no gradient for the target", "your dtarget is None: the loss depends on the target too, −dinput")(
    lambda call: (call.right[0], None))


def summed(call, v):
    """Σ v along dim, kept."""
    return v.sum(axis=call.setting("dim"), keepdims=True)


def spread(call):
    """logsumexp's dy with its axis back."""
    return call.dy if call.setting("keepdim") else np.expand_dims(call.dy, call.static["dim"])


bug("softmax", "diagonal only", "your dx is dy·y·(1 − y): each y depends on every x, so dx = y·(dy − Σ dy·y)")(
    lambda call: call.dy * call.y * (1 - call.y))
bug("softmax", "Σ dy for Σ dy·y", "your dx subtracts Σ dy: it is Σ dy·y")(
    lambda call: call.y * (call.dy - summed(call, call.dy)))
bug("softmax", "sum over everything", "your Σ dy·y runs over all axes: over dim only")(
    lambda call: call.y * (call.dy - (call.dy * call.y).sum()))
bug("softmax", "sum over the last axis", "your Σ dy·y runs over the last axis, whatever dim says")(
    lambda call: call.y * (call.dy - (call.dy * call.y).sum(axis=-1, keepdims=True)))
bug("log_softmax", "sum forgotten", "your dx is dy − softmax·dy: it is dy − softmax·Σ dy")(
    lambda call: call.dy - np.exp(call.y) * call.dy)
bug("log_softmax", "Σ dy taken for 1", "your dx is dy − softmax, as if dy were one-hot: it is dy − softmax·Σ dy")(
    lambda call: call.dy - np.exp(call.y))
bug("log_softmax", "y for softmax", "your dx is dy − y·Σ dy: y is the logarithm, softmax is exp(y)")(
    lambda call: call.dy - call.y * summed(call, call.dy))
bug("logsumexp", "softmax forgotten", "your dx is dy for all: it is dy·softmax(x)")(
    lambda call: np.broadcast_to(spread(call), call.arrays[0].shape))
bug("logsumexp", "not divided by the sum", "your dx is dy·eˣ: divide by Σ eˣ")(
    lambda call: spread(call) * np.exp(call.arrays[0]))
bug("logsumexp", "softmax of the first axis", "your softmax runs over axis 0, whatever dim says")(
    lambda call: spread(call) * softmax(call.arrays[0], 0) if len(call.arrays[0]) else call.right[0])


bug("dropout", "another mask", "your dx draws a new mask: keep the forward's")(
    lambda call: call.again(rng=np.random.default_rng([4, 2])) if call.setting("training") else call.right)


@bug("dropout", "scale forgotten", "your dx misses the factor 1/(1 − p)")
def _(call):
    return call.right[0] * (1 - call.setting("p")) if call.setting("training") else call.right


@bug("dropout", "mask forgotten", "your dx lets everything through: multiply by the mask")
def _(call):
    return call.dy / (1 - call.setting("p")) if call.setting("training") and call.setting("p") < 1 else call.right


bug("dropout", "drops in evaluation", "your dx drops in evaluation too, where the forward lets everything through")(
    lambda call: call.right if call.setting("training") else call.again(training=True, rng=0))
