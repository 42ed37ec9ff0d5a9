"""Losses of the difference d = input − target."""

from minires.arrays import array_module
from minires.errors import ShapeError
from minires.op import op
from minires.ops.reduction import check_reduction, reduced
from minires.settings import in_range


def _difference(name, input, target, reduction):
    """d = input − target, once the arguments have been checked."""
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input {input.shape} and target {target.shape} differ")
    return input - target


def _absolute(d):
    """|d|; for complex d (the gradient check) −d where the real part is negative, else d."""
    return array_module(d).where(d.real < 0, -d, d)


@op
def mse_loss(input, target, *, reduction="mean"):
    """ℓ = d², averaged, summed or left: ∂ℓ/∂input = 2d, ∂ℓ/∂target = −2d, times ∂L/∂ℓ."""
    d = _difference("mse_loss", input, target, reduction)
    y, m = reduced(d * d, reduction)

    def backward(dy):
        dx = d * (2 / m) * dy
        return dx, -dx

    return y, backward


@op
def l1_loss(input, target, *, reduction="mean"):
    """ℓ = |d|, averaged, summed or left: ∂ℓ/∂input = sign d (0 at 0), ∂ℓ/∂target its negative, times ∂L/∂ℓ."""
    d = _difference("l1_loss", input, target, reduction)
    y, m = reduced(_absolute(d), reduction)

    def backward(dy):
        dx = array_module(d).sign(d.real) * (dy / m)
        return dx, -dx

    return y, backward


@op
def smooth_l1_loss(input, target, *, reduction="mean", beta=1.0):
    """ℓ = d²/(2β) where |d| < β, else |d| − β/2: ∂ℓ/∂input = d/β, but at least −1 and at most 1  [Girshick 2015, §2.3].

    Averaged, summed or left; ∂ℓ/∂target is the negative. β = 0 is l1_loss.
    """
    beta = in_range("smooth_l1_loss: beta", beta, 0)
    if beta == 0:
        return l1_loss.raw(input, target, reduction=reduction)
    d = _difference("smooth_l1_loss", input, target, reduction)
    xp = array_module(d)
    distance = _absolute(d)
    y, m = reduced(xp.where(distance.real < beta, d * d * (0.5 / beta), distance - 0.5 * beta), reduction)

    def backward(dy):
        dx = xp.clip(d.real / beta, -1, 1) * (dy / m)
        return dx, -dx

    return y, backward
