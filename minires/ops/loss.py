"""Losses."""

import math

from minires import kernels
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
    Raises IndexError for a target outside 0 … K−1; on a GPU, where looking would mean waiting, the loss becomes NaN.
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
    if weight is not None and getattr(weight, "dtype", None) is None:
        raise DTypeError(f"cross_entropy: weight must be an array of a number a class, got {type(weight).__name__}")
    if weight is not None and weight.shape != (K,):
        raise ShapeError(f"cross_entropy: weight has shape {weight.shape}, {K} classes need ({K},)")

    # (N,K,…) -> (N,…,K) -> (M,K); (N,…) -> (M,)
    x, t = xp.moveaxis(logits, 1, -1).reshape(-1, K), target.reshape(-1)
    outside = kernels.first_outside(t, K, ignore_index)
    if outside is not None:
        raise IndexError(f"cross_entropy: target {outside} is no class of 0 … {K - 1}")

    losses, w_t, log_p = kernels.cross_entropy(x, t, weight, label_smoothing, ignore_index)
    total = w_t.sum() if reduction == "mean" else 1.0
    y = losses.reshape(target.shape) if reduction == "none" else losses.sum() / total
    shape = logits.shape

    def backward(dy):
        scale = dy.reshape(-1) if reduction == "none" else dy / total
        dx = kernels.cross_entropy_dx(log_p, t, weight, label_smoothing, ignore_index, scale)  # scale·(p·Σq − q)
        return xp.moveaxis(dx.reshape((shape[0], *shape[2:], K)), -1, 1), None  # (M,K) -> (N,…,K) -> (N,K,…)
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
