"""Losses of classifiers: scores of the classes, compared with the right class."""

import math

import numpy as np

from minires import kernels
from minires.arrays import array_module, is_array
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import op
from minires.ops.activation import log_softmax
from minires.ops.reduction import check_reduction, reduced
from minires.settings import in_range, integer


@op(integers=("target",))
def cross_entropy(logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    """ℓ = −Σ_k q_k·log p_k with p = softmax(logits): ∂ℓ/∂logits = p·Σ_k q_k − q (kernels/readable/loss.py).

    q_k = w_k·((1 − ε)·t_k + ε/K), with class weights w and label smoothing ε  [Szegedy et al. 2016, §7].
    Of a class number as target t_k is [k = target]. Given as floats, the target is the probabilities t_k themselves:
    then "mean" divides by the number of samples, and ∂ℓ/∂t_k = −w_k·(1 − ε)·log p_k.
    Samples whose target is ignore_index count for nothing, whatever their logits are.
    "mean" divides by the Σ w_target of the others; where there are none it is NaN, and all gradients are 0.

    logits (N,K) or (N,K,…), target integers (N,) or (N,…), or floats (N,K) or (N,K,…)
    -> a scalar, or (N,) or (N,…) with reduction="none".
    Raises IndexError for a target outside 0 … K−1; on a GPU, where looking would mean waiting, the loss becomes NaN.
    """
    check_reduction("cross_entropy", reduction)
    label_smoothing = in_range("cross_entropy: label_smoothing", label_smoothing, 0, 1)
    if is_array(target) and target.dtype.kind in "fc":
        return _of_probabilities(logits, target, weight, ignore_index, label_smoothing, reduction)
    x, t, w, shape = _as_rows("cross_entropy", "logits", logits, target, weight, ignore_index)
    losses, w_t, log_p = kernels.cross_entropy(x, t, w, label_smoothing, ignore_index)
    y, m = reduced(losses.reshape(shape), reduction, w_t)
    logits_shape = logits.shape

    def backward(dy):
        scale = (dy / m).reshape(-1)
        dx = kernels.cross_entropy_dx(log_p, t, w, label_smoothing, ignore_index, scale)  # scale·(p·Σq − q)
        return _from_rows(dx, logits_shape), None

    return y, backward


def _of_probabilities(logits, target, weight, ignore_index, smoothing, reduction):
    """Cross-entropy where the target is the probabilities t_k."""
    if logits.ndim < 2 or not logits.shape[1] or target.shape != logits.shape:
        raise DTypeError(
            "cross_entropy: target must hold class numbers as integers, or as floats the probabilities of "
            f"all classes of the logits {logits.shape}; got {target.dtype} {target.shape}"
        )
    if target.real.dtype != logits.real.dtype:
        raise DTypeError(f"cross_entropy: mixes {logits.dtype} logits and {target.dtype} probabilities; convert one")
    if ignore_index != -100:
        raise OptionError(
            f"cross_entropy: ignore_index={ignore_index} goes with class numbers; a sample with a row of "
            "zeros for probabilities counts for nothing, too"
        )
    xp = array_module(logits)
    K = logits.shape[1]
    w = _class_weights("cross_entropy", logits, weight)
    w = 1.0 if w is None else w.reshape(K, *[1] * (logits.ndim - 2))  # (K,) -> (K,…), which fits (N,K,…)
    log_p, _ = log_softmax.raw(logits, dim=1)
    q = w * ((1 - smoothing) * target + smoothing / K)
    y, m = reduced(-kernels.sums(q * log_p, (1,)), reduction)

    def backward(dy):
        dy = (xp.expand_dims(dy, 1) if dy.ndim else dy) / m  # (N,…) -> (N,1,…)
        dx = dy * (xp.exp(log_p) * kernels.sums(q, (1,), keepdims=True) - q)
        return dx, dy * (log_p * (w * (smoothing - 1)))

    return y, backward


@op(integers=("target",))
def nll_loss(log_p, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """ℓ = −w_target·log p_target: ∂ℓ/∂log p_k = −w_k·[k = target]; cross_entropy is nll_loss(log_softmax(logits)).

    log_p (N,K) or (N,K,…); target and the rest as the class numbers of cross_entropy.
    """
    check_reduction("nll_loss", reduction)
    x, t, w, shape = _as_rows("nll_loss", "log_p", log_p, target, weight, ignore_index)
    xp = array_module(x)
    is_counted = t != ignore_index
    is_class = (t >= 0) & (t < x.shape[1])  # on a GPU the targets were not checked, so some may be no class
    targets = xp.arange(len(t)), xp.where(is_class, t, 0)
    w = xp.ones(x.shape[1], x.real.dtype) if w is None else w
    w_t = xp.where(is_counted, xp.where(is_class, w[targets[1]], math.nan), 0)
    losses = xp.where(is_counted, -x[targets], 0) * w_t
    y, m = reduced(losses.reshape(shape), reduction, w_t)
    log_p_shape, rows = log_p.shape, x.shape

    def backward(dy):
        dx = xp.zeros(rows, dy.dtype)
        dx[targets] = xp.where(is_counted, (dy / m).reshape(-1), 0) * -w_t  # where no sample counts, m is NaN
        return _from_rows(dx, log_p_shape), None

    return y, backward


def _as_rows(name, scores, x, target, weight, ignore_index):
    """x (N,K,…) as rows (M,K), class numbers (N,…) as t (M,), weight as w (K,), and target's shape, once checked.

    t and w are copies: what is done to the caller's arrays before backward does not reach them.
    """
    xp = array_module(x)
    if isinstance(target, (list, tuple)):
        try:
            target = xp.asarray(target)
        except ValueError:
            raise DTypeError(f"{name}: target must hold class numbers as integers, got the list {target}") from None
    if not is_array(target) or target.dtype.kind not in "iu":
        raise DTypeError(
            f"{name}: target must hold class numbers as integers, got {getattr(target, 'dtype', type(target).__name__)}"
        )
    if x.ndim < 2 or not x.shape[1] or target.shape != x.shape[:1] + x.shape[2:]:
        alone = x.ndim == 1 and target.ndim == 0
        raise ShapeError(
            f"{name}: {scores} (N,K,…) are {x.shape}, target (N,…) is {target.shape}"
            + f"; of one sample give a batch of one: {scores}[None], target[None]" * alone
        )
    K = x.shape[1]
    w = _class_weights(name, x, weight)
    ignore_index = integer(f"{name}: ignore_index", ignore_index)
    if target.dtype == np.uint64:  # what int64 cannot hold would wrap around, to −100 for one, and be ignored
        target = target.clip(max=(1 << 63) - 1)
    rows = xp.ascontiguousarray(xp.moveaxis(x, 1, -1).reshape(-1, K))  # sums of neighbours in memory lose no digits
    t = target.reshape(-1).astype(np.int64)  # (N,K,…) -> (N,…,K) -> (M,K)
    outside = kernels.first_outside(t, K, ignore_index)
    if outside is not None:
        raise IndexError(f"{name}: target {outside} is no class of 0 … {K - 1}")
    return rows, t, w, target.shape


def _from_rows(rows, shape):
    """Rows (M,K) -> (N,…,K) -> (N,K,…), the given shape."""
    return array_module(rows).moveaxis(rows.reshape((shape[0], *shape[2:], shape[1])), -1, 1)


def _class_weights(name, x, weight):
    """The weights of the K classes of x (N,K,…) as a copy of x's precision, or None."""
    if weight is None:
        return None
    if not is_array(weight):
        raise DTypeError(f"{name}: weight must be an array of a number a class, got {type(weight).__name__}")
    if weight.shape != x.shape[1:2]:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, {x.shape[1]} classes need ({x.shape[1]},)")
    return weight.astype(x.real.dtype)


@op
def binary_cross_entropy_with_logits(input, target, *, weight=None, reduction="mean", pos_weight=None):
    """ℓ = −w·(p·t·ln σ(x) + (1 − t)·ln σ(−x)), x the input, t the target: two classes for each element of x.

    ∂ℓ/∂x = w·((1 − t)·σ(x) − p·t·σ(−x)), ∂ℓ/∂t = w·(ln σ(−x) − p·ln σ(x)).
    weight w and pos_weight p broadcast to x's shape: w for an element, p for its positive class  [torch's].
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input {input.shape} and target {target.shape} differ")
    w = _broadcast(name, "weight", weight, input)
    p = _broadcast(name, "pos_weight", pos_weight, input)
    x, t, p_t = input, target, p * target
    positive = _softplus(-x)  # −ln σ(x), the loss of the positive class
    negative = _softplus(x)  # −ln σ(−x), the loss of the negative class
    y, m = reduced(w * (p_t * positive + (1 - t) * negative), reduction)

    def backward(dy):
        dy = w * (dy / m)
        xp = array_module(positive)
        return dy * ((1 - t) * xp.exp(-positive) - p_t * xp.exp(-negative)), dy * (p * positive - negative)

    return y, backward


def _softplus(x):
    """ln(1 + eˣ), written with e^(−|x|) so that nothing overflows."""
    xp = array_module(x)
    return xp.where(x.real > 0, x, 0) + xp.log1p(xp.exp(xp.where(x.real > 0, -x, x)))


def _broadcast(name, setting, value, x):
    """A weight as a copy of x's precision, 1.0 for None."""
    if value is None:
        return 1.0
    if not is_array(value):
        raise DTypeError(f"{name}: {setting} must be an array, got {type(value).__name__}")
    try:
        array_module(x).broadcast_to(value, x.shape)
    except ValueError:
        raise ShapeError(f"{name}: {setting} {value.shape} does not broadcast to the input {x.shape}") from None
    return value.astype(x.real.dtype)
