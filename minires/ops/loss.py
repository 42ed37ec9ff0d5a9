"""Losses."""

import math

from minires.arrays import array_module
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import op

REDUCTIONS = ("mean", "sum", "none")


def _check_reduction(name, reduction):
    if reduction not in REDUCTIONS:
        raise OptionError(f"{name}: reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


@op(integers=("target",))
def cross_entropy(logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    """ℓ = −Σ_k q_k·log p_k with p = softmax(logits): ∂ℓ/∂logits = p·Σ_k q_k − q.

    q_k = w_k·((1 − ε)·[k = target] + ε/K), with class weights w and label smoothing ε  [Szegedy et al. 2016, §7].
    Samples whose target is ignore_index count for nothing; "mean" divides by the Σ w_target of the others.

    logits (N,K) or (N,K,…), target integers (N,) or (N,…) -> a scalar, or target's shape with reduction="none".
    Raises IndexError for a target outside 0 … K−1.
    """
    xp = array_module(logits)
    _check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if getattr(target, "dtype", None) is None or target.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: target must hold class numbers as integers, got "
                         f"{getattr(target, 'dtype', type(target).__name__)}")
    if logits.ndim < 2 or not logits.shape[1] or target.shape != logits.shape[:1] + logits.shape[2:]:
        raise ShapeError(f"cross_entropy: logits (N,K,…) are {logits.shape}, target (N,…) is {target.shape}")
    K = logits.shape[1]
    if weight is not None and weight.shape != (K,):
        raise ShapeError(f"cross_entropy: weight has shape {weight.shape}, {K} classes need ({K},)")

    # (N,K,…) -> (N,…,K) -> (M,K); (N,…) -> (M,)
    moved = xp.moveaxis(logits, 1, -1)
    x, t = moved.reshape(-1, K), target.reshape(-1)
    counts = t != ignore_index
    if bool((counts & ((t < 0) | (t >= K))).any()):
        raise IndexError(f"cross_entropy: target {int(t[counts & ((t < 0) | (t >= K))][0])} is no class of 0 … {K - 1}")

    z = x - x.real.max(axis=1, keepdims=True)
    log_p = z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))
    real = x.real.dtype
    w = xp.ones(K, real) if weight is None else weight.astype(real)
    at = xp.arange(len(t)), xp.where(counts, t, 0)
    w_t = w[at[1]] * counts
    losses = log_p[at] * (w_t * -(1 - label_smoothing))
    if label_smoothing:
        losses -= (log_p @ w) * (counts * (label_smoothing / K)).astype(real)
    total = w_t.sum() if reduction == "mean" else 1.0
    y = losses.reshape(target.shape) if reduction == "none" else losses.sum() / total
    shape = target.shape

    def backward(dy):
        q = (w * (label_smoothing / K)) * counts[:, None].astype(real)
        q[at] += w_t * (1 - label_smoothing)
        dx = xp.exp(log_p) * q.sum(axis=1, keepdims=True) - q
        dx *= dy.reshape(-1, 1) if reduction == "none" else dy / total
        return xp.moveaxis(dx.reshape((*shape[:1], *shape[1:], K)), -1, 1), None  # (M,K) -> (N,…,K) -> (N,K,…)
    return y, backward


@op
def mse_loss(input, target, *, reduction="mean"):
    """ℓ = (input − target)², averaged, summed or left: ∂ℓ/∂input = 2(input − target)·∂L/∂ℓ, ∂ℓ/∂target its negative."""
    _check_reduction("mse_loss", reduction)
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss: input {input.shape} and target {target.shape} differ")
    d = input - target
    m = max(math.prod(input.shape), 1) if reduction == "mean" else 1

    def backward(dy):
        dx = d * (2 / m) * dy
        return dx, -dx
    square = d * d
    return square if reduction == "none" else square.sum() / m, backward
