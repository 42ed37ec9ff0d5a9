"""Bugs of losses, of the softmax family, and of dropout."""

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


# All losses.


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


# Cross entropy and negative log-likelihood.


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


# Softmax.


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
