"""Bugs of losses, of the softmax family, and of dropout."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.op import registry


def softmax(x, dim):
    return registry["softmax"].raw(x, dim=dim)[0]


def of_mean(gradients):
    """A bug of reduction="mean": the other reductions are right."""
    return lambda call: gradients(call) if call.setting("reduction") == "mean" else call.right


class Entropy:
    """∂L/∂logits = (p·Σ q − q)·share by its definition, q_k = w_k·((1 − ε)·t_k + ε/K); axes as in logits.

    t_k is [k = target], or the target itself where that holds probabilities.
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
        self.share = np.expand_dims(call.dy, 1) if reduction == "none" else call.dy
        if reduction == "mean":
            self.share = self.share / self.w_target.sum()

    def dlogits(self, **changed):
        """The gradient with another p, q or sum_q."""
        p, q, sum_q = (changed.get(name, getattr(self, name)) for name in ("p", "q", "sum_q"))
        return (p * sum_q - q) * self.share


def samples(call):
    """How many targets there are."""
    return max(call.arrays[0].size // call.arrays[0].shape[1], 1)


def of_probabilities(gradients):
    """A bug of the target's gradient, which there is where it holds probabilities."""
    return lambda call: call.but(target=gradients(call)) if call.arrays[1].dtype.kind == "f" else call.right


bug("cross_entropy", "not averaged", "your dlogits is not divided by the number of samples, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum"))
)
bug("cross_entropy", "averaged though a sum", "your dlogits is averaged over the samples, though the loss is a sum")(
    lambda call: call.but(logits=call.right[0] / samples(call)) if call.setting("reduction") == "sum" else call.right
)
bug(
    "cross_entropy",
    "divided by N",
    "your dlogits is divided by N: the mean divides by the sum of the weights of the targets that count",
)(of_mean(lambda call: call.but(logits=call.again(reduction="sum")[0] / samples(call))))
bug(
    "cross_entropy",
    "weights forgotten in the denominator",
    "your dlogits is divided by the number of targets that count: divide by the sum of their class weights",
)(of_mean(lambda call: call.but(logits=call.again(reduction="sum")[0] / max(Entropy(call).counted.sum(), 1))))
bug(
    "cross_entropy",
    "averaged over pictures, not pixels",
    "your dlogits is divided by N alone: a mean over a map divides by all N·H·W targets",
)(of_mean(lambda call: call.but(logits=call.right[0] * (samples(call) / max(len(call.arrays[1]), 1)))))
bug("cross_entropy", "one-hot forgotten", "your dlogits is softmax alone: subtract 1 at the target")(
    lambda call: call.but(logits=Entropy(call).dlogits(q=0))
)
bug("cross_entropy", "sign", "your dlogits has the wrong sign: it is softmax − one-hot")(
    lambda call: call.but(logits=-call.right[0])
)
bug("cross_entropy", "class weights forgotten", "your dlogits ignores the class weights")(
    lambda call: call.again(weight=None)
)
bug(
    "cross_entropy",
    "class weights forgotten in front of softmax",
    "your dlogits is p − q: with class weights or smoothing, p is multiplied by Σ q",
)(lambda call: call.but(logits=Entropy(call).dlogits(sum_q=Entropy(call).counted)))
bug("cross_entropy", "label smoothing forgotten", "your dlogits ignores label_smoothing")(
    lambda call: call.again(label_smoothing=0.0)
)
bug(
    "cross_entropy",
    "ignored targets counted",
    "your dlogits is not 0 where the target is ignore_index: mask these samples",
)(
    lambda call: (
        call.again(ignore_index=-100) if 0 <= call.setting("ignore_index") < call.arrays[0].shape[1] else call.right
    )
)


@bug(
    "cross_entropy",
    "smoothing over the other classes",
    "your label smoothing gives ε/(K − 1) to the other classes: all K classes get ε/K, the target too",
)
def _(call):
    K = call.arrays[0].shape[1]
    return call.again(label_smoothing=min(call.setting("label_smoothing") * K / max(K - 1, 1), 1.0))


bug(
    "cross_entropy", "softmax over the samples", "your softmax runs over the samples: it runs over the classes, axis 1"
)(
    lambda call: (
        call.but(logits=Entropy(call).dlogits(p=softmax(call.arrays[0], 0))) if len(call.arrays[0]) else call.right
    )
)
bug(
    "cross_entropy",
    "gradient of the probabilities",
    "your dlogits is −q/p, the gradient with respect to the probabilities: carry it on through softmax",
)(lambda call: call.but(logits=-Entropy(call).q / Entropy(call).p * Entropy(call).share))
bug("cross_entropy", "upstream forgotten", "your dlogits ignores dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)


@bug(
    "cross_entropy",
    "one-hot taken off in place",
    "your dlogits differs from call to call: p[range(N), target] -= 1 changes the p that the next call needs, copy it",
)
def _(call):
    call.state["calls"] = call.state.get("calls", 0) + 1
    return call.but(logits=Entropy(call).dlogits(q=call.state["calls"] * Entropy(call).q))


bug(
    "cross_entropy",
    "no gradient for the probabilities",
    "your dtarget is None: with probabilities as target the loss depends on them, −w·(1 − ε)·log p",
)(of_probabilities(lambda call: None))
bug("cross_entropy", "sign of the probabilities' gradient", "your dtarget has the wrong sign: it is −w·(1 − ε)·log p")(
    of_probabilities(lambda call: -call.right[1])
)
bug(
    "cross_entropy",
    "smoothing forgotten in the probabilities' gradient",
    "your dtarget misses the factor 1 − ε of the label smoothing",
)(of_probabilities(lambda call: call.right[1] / (1 - call.setting("label_smoothing"))))
bug(
    "cross_entropy",
    "probabilities taken to add up to 1",
    "your dlogits is p − q: probabilities need not add up to 1, and p is multiplied by Σ q",
)(lambda call: call.but(logits=Entropy(call).dlogits(sum_q=1)) if call.arrays[1].dtype.kind == "f" else call.right)


bug("nll_loss", "sign", "your dlog_p has the wrong sign: it is −w at the target")(lambda call: (-call.right[0],))
bug(
    "nll_loss",
    "softmax carried on",
    "your dlog_p is cross_entropy's: here log p is given, and dlog_p is −w at the target, 0 elsewhere",
)(lambda call: (registry["cross_entropy"].raw(*call.arrays, **call.static)[1](call.dy)[0],))
bug("nll_loss", "not averaged", "your dlog_p is not divided by the sum of the weights, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum"))
)
bug(
    "nll_loss",
    "divided by N",
    "your dlog_p is divided by N: the mean divides by the sum of the weights of the targets that count",
)(of_mean(lambda call: (call.again(reduction="sum")[0] / samples(call),)))
bug("nll_loss", "class weights forgotten", "your dlog_p ignores the class weights")(
    lambda call: call.again(weight=None)
)
bug("nll_loss", "ignored targets counted", "your dlog_p is not 0 where the target is ignore_index: mask these samples")(
    lambda call: call.again(ignore_index=-100) if call.setting("ignore_index") >= 0 else call.right
)
bug("nll_loss", "upstream forgotten", "your dlog_p ignores dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)


def sigmoid(x):
    return registry["sigmoid"].raw(x)[0]


class Binary:
    """∂L/∂input = ((1 − t)·σ(x) − p·t·σ(−x))·share by its definition, and what it is made of."""

    def __init__(self, call):
        self.x, self.t = call.arrays
        w = call.setting("weight")
        p = call.setting("pos_weight")
        self.w, self.p = 1.0 if w is None else w, 1.0 if p is None else p
        self.share = call.dy * self.w / (self.x.size if call.setting("reduction") == "mean" else 1)


BINARY = "binary_cross_entropy_with_logits"
bug(BINARY, "not averaged", "your gradients are not divided by the number of elements, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum"))
)
bug(BINARY, "divided by Σ w", "your gradients are divided by the sum of the weights: the mean divides by all elements")(
    of_mean(lambda call: tuple(g / np.broadcast_to(Binary(call).w, g.shape).mean() for g in call.right))
)
bug(BINARY, "weight forgotten", "your gradients ignore weight")(lambda call: call.again(weight=None))
bug(BINARY, "pos_weight forgotten", "your gradients ignore pos_weight")(lambda call: call.again(pos_weight=None))
bug(
    BINARY,
    "pos_weight on both classes",
    "your dinput multiplies all of σ(x) − t by pos_weight: only the positive class t has it",
)(lambda call: call.but(input=call.again(pos_weight=None)[0] * Binary(call).p))
bug(
    BINARY,
    "gradient of the probability",
    "your dinput is that of σ(x), (σ − t)/(σ(1 − σ)): carry it on through the sigmoid",
)(lambda call: call.but(input=call.right[0] / np.maximum(sigmoid(call.arrays[0]) * sigmoid(-call.arrays[0]), 1e-9)))
bug(
    BINARY,
    "sigmoid's slope twice",
    "your dinput has a factor σ(1 − σ) too many: it cancels against that of the logarithm",
)(lambda call: call.but(input=call.right[0] * sigmoid(call.arrays[0]) * sigmoid(-call.arrays[0])))
bug(BINARY, "sign", "your dinput has the wrong sign: it is σ(x) − t")(lambda call: call.but(input=-call.right[0]))
bug(
    BINARY,
    "no gradient for the target",
    "your dtarget is None: the loss depends on the target too, ln σ(−x) − p·ln σ(x)",
)(lambda call: (call.right[0], None))
bug(BINARY, "target's gradient without pos_weight", "your dtarget is −x: with pos_weight it is ln σ(−x) − p·ln σ(x)")(
    lambda call: call.but(target=-call.arrays[0] * Binary(call).share)
)
bug(BINARY, "upstream forgotten", "your gradients ignore dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)


def difference(call):
    """input − target, and dy with its share of a mean."""
    d = call.arrays[0] - call.arrays[1]
    return d, call.dy / (d.size if call.setting("reduction") == "mean" else 1)


for name in ("l1_loss", "smooth_l1_loss"):
    bug(name, "not averaged", "your gradients are not divided by the number of elements, though the loss is a mean")(
        of_mean(lambda call: call.again(reduction="sum"))
    )
    bug(name, "averaged over the batch only", "your gradients are divided by N: a mean divides by all elements")(
        of_mean(lambda call: tuple(g * math.prod(g.shape[1:]) for g in call.right))
    )
    bug(name, "sign of the target", "your dtarget has the sign of dinput: it is its negative")(
        lambda call: call.but(target=call.right[0])
    )
    bug(name, "upstream forgotten", "your gradients ignore dy: multiply by it")(
        lambda call: call.again(dy=np.ones_like(call.dy))
    )
    bug(name, "no gradient for the target", "your dtarget is None: the loss depends on the target too, −dinput")(
        lambda call: (call.right[0], None)
    )
bug("l1_loss", "the difference for its sign", "your gradients are those of d²/2: |d| has the slope sign d")(
    lambda call: tuple(sign * difference(call)[0] * difference(call)[1] for sign in (1, -1))
)
bug("l1_loss", "1 at 0", "your dinput is 1 where input = target: the convention is 0")(
    lambda call: call.but(input=np.where(difference(call)[0] >= 0, 1, -1) * difference(call)[1])
)
bug("smooth_l1_loss", "beta forgotten in the slope", "your dinput is d near 0: the slope is d/β, which reaches 1 at β")(
    lambda call: (
        call.but(input=np.clip(difference(call)[0], -1, 1) * difference(call)[1])
        if call.setting("beta")
        else call.right
    )
)
bug("smooth_l1_loss", "factor 2", "your dinput is 2d/β near 0: of d²/(2β) it is d/β")(
    lambda call: call.but(input=np.where(np.abs(difference(call)[0]) < call.setting("beta"), 2, 1) * call.right[0])
)
bug("smooth_l1_loss", "squared everywhere", "your dinput is d/β everywhere: from β on it is sign d")(
    lambda call: (
        call.but(input=difference(call)[0] / call.setting("beta") * difference(call)[1])
        if call.setting("beta")
        else call.right
    )
)
bug("smooth_l1_loss", "absolute everywhere", "your dinput is sign d everywhere: nearer than β it is d/β")(
    lambda call: call.but(input=np.sign(difference(call)[0]) * difference(call)[1])
)


bug("mse_loss", "factor 2 forgotten", "your gradients miss the factor 2 of the square")(
    lambda call: tuple(g / 2 for g in call.right)
)
bug("mse_loss", "not averaged", "your gradients are not divided by the number of elements, though the loss is a mean")(
    of_mean(lambda call: call.again(reduction="sum"))
)
bug("mse_loss", "averaged over the batch only", "your gradients are divided by N: a mean divides by all elements")(
    of_mean(lambda call: tuple(g * math.prod(g.shape[1:]) for g in call.right))
)
bug(
    "mse_loss",
    "sign of the target",
    "your dtarget has the sign of dinput: (input − target)² falls where the other rises",
)(lambda call: call.but(target=call.right[0]))
bug("mse_loss", "sign of the difference", "your dinput is that of (target − input): it is 2(input − target)")(
    lambda call: call.but(input=call.right[1])
)
bug("mse_loss", "upstream forgotten", "your gradients ignore dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)
bug("mse_loss", "no gradient for the target", "your dtarget is None: the loss depends on the target too, −dinput")(
    lambda call: (call.right[0], None)
)


def summed(call, v):
    """Σ v along dim, kept."""
    return v.sum(axis=call.setting("dim"), keepdims=True)


def spread(call):
    """logsumexp's dy with its axis back."""
    return call.dy if call.setting("keepdim") else np.expand_dims(call.dy, call.static["dim"])


bug("softmax", "diagonal only", "your dx is dy·y·(1 − y): each y depends on every x, so dx = y·(dy − Σ dy·y)")(
    lambda call: call.dy * call.y * (1 - call.y)
)
bug("softmax", "Σ dy for Σ dy·y", "your dx subtracts Σ dy: it is Σ dy·y")(
    lambda call: call.y * (call.dy - summed(call, call.dy))
)
bug("softmax", "sum over everything", "your Σ dy·y runs over all axes: over dim only")(
    lambda call: call.y * (call.dy - (call.dy * call.y).sum())
)
bug("softmax", "sum over the last axis", "your Σ dy·y runs over the last axis, whatever dim says")(
    lambda call: call.y * (call.dy - (call.dy * call.y).sum(axis=-1, keepdims=True))
)
bug("log_softmax", "sum forgotten", "your dx is dy − softmax·dy: it is dy − softmax·Σ dy")(
    lambda call: call.dy - np.exp(call.y) * call.dy
)
bug("log_softmax", "Σ dy taken for 1", "your dx is dy − softmax, as if dy were one-hot: it is dy − softmax·Σ dy")(
    lambda call: call.dy - np.exp(call.y)
)
bug("log_softmax", "y for softmax", "your dx is dy − y·Σ dy: y is the logarithm, softmax is exp(y)")(
    lambda call: call.dy - call.y * summed(call, call.dy)
)
bug("logsumexp", "softmax forgotten", "your dx is dy for all: it is dy·softmax(x)")(
    lambda call: np.broadcast_to(spread(call), call.arrays[0].shape)
)
bug("logsumexp", "not divided by the sum", "your dx is dy·eˣ: divide by Σ eˣ")(
    lambda call: spread(call) * np.exp(call.arrays[0])
)
bug("logsumexp", "softmax of the first axis", "your softmax runs over axis 0, whatever dim says")(
    lambda call: spread(call) * softmax(call.arrays[0], 0) if len(call.arrays[0]) else call.right[0]
)


bug("dropout", "another mask", "your dx draws a new mask: keep the forward's")(
    lambda call: call.again(rng=np.random.default_rng([4, 2])) if call.setting("training") else call.right
)


@bug("dropout", "scale forgotten", "your dx misses the factor 1/(1 − p)")
def _(call):
    return call.right[0] * (1 - call.setting("p")) if call.setting("training") else call.right


@bug("dropout", "mask forgotten", "your dx lets everything through: multiply by the mask")
def _(call):
    return call.dy / (1 - call.setting("p")) if call.setting("training") and call.setting("p") < 1 else call.right


bug("dropout", "drops in evaluation", "your dx drops in evaluation too, where the forward lets everything through")(
    lambda call: call.right if call.setting("training") else call.again(training=True, rng=0)
)
