"""Normalization: subtract a mean and divide by a standard deviation, then scale by γ and add β.

batch_norm takes both over all images, for each channel. layer_norm takes them over the features of a sample, and
group_norm over a group of its channels. kernels/readable/norm.py derives the gradient, which is that of all three.

As in every op, what has a gradient comes first: x, weight, bias. So the order of arguments is not PyTorch's.
"""

import math

from minires import kernels
from minires.arrays import array_module
from minires.errors import ShapeError
from minires.op import op
from minires.ops.norm_checks import RunningStats, check_channels, check_group_norm, check_layer_norm, check_statistics


@op
def batch_norm(x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, with the mean μ and variance σ² of a channel  [Ioffe & Szegedy 2015, Alg. 1].

    In training μ and σ² are computed from the m = N·H·W values of the channel; σ² divides by m. With s = 1/√(σ² + ε)

        dx = γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩)        ⟨·⟩ the mean over the m values

    Otherwise they are the running statistics, which do not depend on x: dx = γ·s·dy.
    In both cases dγ = Σ dy·x̂ and dβ = Σ dy. kernels/readable/norm.py derives this; dx is normalize_dx there.

    x (N,C,H,W), (N,C,L) or (N,C), weight γ and bias β (C,) -> y of x's shape.
    In training the running statistics, if given, become (1 − momentum)·running + momentum·batch in place, with the
    unbiased variance (/(m − 1)), as in PyTorch. nn.functional.batch_norm has PyTorch's order of arguments.
    Raises ShapeError for wrong lengths and when training on a single value a channel.
    """
    shape = x.shape
    x = as_feature_map("batch_norm", x)
    running = RunningStats(running_mean, running_var, momentum)
    check_channels("batch_norm", x.shape[1], "x", weight=weight, bias=bias)
    mean, inv_std = statistics("batch_norm", x, running, training, eps)  # μ and 1/√(σ² + ε): (C,)
    y = kernels.normalize(x, mean, inv_std, weight, bias)  # γ·x̂ + β

    def backward(dy):
        dx, dw, db = batch_norm_gradients(dy.reshape(x.shape), x, mean, inv_std, weight, training)
        return dx.reshape(shape), dw, db

    return y.reshape(shape), backward


def as_feature_map(op, x):
    """x as (N,C,H,W): (N,C) -> (N,C,1,1), (N,C,L) -> (N,C,L,1). Raises ShapeError for other ranks."""
    if x.ndim not in (2, 3, 4):
        raise ShapeError(f"{op}: x must be (N,C,H,W), (N,C,L) or (N,C), got {x.shape}")
    return x if x.ndim == 4 else x.reshape(*x.shape, *[1] * (4 - x.ndim))


def statistics(op, x, running, training, eps):
    """μ and 1/√(σ² + ε) of each channel of x (N,C,H,W) -> (C,) and (C,).

    In training they are the batch's, and the running statistics are updated; otherwise they are the running statistics.
    """
    N, C, H, W = x.shape
    m = kernels.batch_count(N * H * W)  # of the whole batch, of which x may be the part of one process
    check_channels(op, C, "x", running_mean=running.mean, running_var=running.var)
    check_statistics(op, m, running, training, eps)
    if training:
        mean, var = kernels.mean_var(x)
        if running.mean is not None:
            kernels.update_running_stats(running.mean, running.var, mean, var, running.momentum, m)
    else:
        mean = running.mean.copy()  # because training may change it before backward runs
        var = running.var
    return mean, kernels.inv_std(var, eps)


def batch_norm_gradients(dy, x, mean, inv_std, weight, training, out=None):
    """dx, dγ and dβ from dy and x (N,C,H,W); dx is written into out if given, which may be dy."""
    dw, db = kernels.normalize_sums(dy, x, mean, inv_std)  # Σ dy·x̂, Σ dy
    if training:
        dx = kernels.normalize_dx(dy, x, mean, inv_std, weight, dw, db, out)
    else:
        dx = kernels.scale(dy, weight * inv_std)
    return dx, dw.astype(dy.dtype, copy=False), db.astype(dy.dtype, copy=False)


@op
def layer_norm(x, weight=None, bias=None, *, normalized_shape=None, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, μ and σ² over the last axes of each sample  [Ba et al. 2016, eq. 3].

    ∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) with g = γ·∂L/∂y and ⟨·⟩ the mean over those axes
    (kernels/readable/layer_norm.py).
    x (…,*normalized_shape), weight γ and bias β of normalized_shape (by default weight's shape, or the last axis).
    nn.functional.layer_norm has PyTorch's order of arguments.
    """
    features = check_layer_norm(x, weight, bias, normalized_shape, eps)
    C = math.prod(features)
    shape = x.shape
    rows = x.reshape(math.prod(shape[: x.ndim - len(features)]), C)  # (…,*normalized_shape) -> (M,C)
    gamma = None if weight is None else weight.reshape(C)
    y, mean, inv_std = kernels.layer_norm(rows, gamma, None if bias is None else bias.reshape(C), eps)
    has_bias = bias is not None

    def backward(dy):
        dx, dw, db = kernels.layer_norm_gradients(dy.reshape(rows.shape), rows, mean, inv_std, gamma)
        return (
            dx.reshape(shape),
            None if gamma is None else dw.reshape(features),
            db.reshape(features) if has_bias else None,
        )

    return y.reshape(shape), backward


@op
def group_norm(x, weight=None, bias=None, *, num_groups, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, μ and σ² over a group of channels of each sample  [Wu & He 2018, eq. 1–3].

    ∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) with g = γ·∂L/∂y and ⟨·⟩ the mean over the group, as in layer_norm.
    x (N,C,…), weight γ and bias β (C,) -> y (N,C,…). With num_groups = C it is an instance norm.
    nn.functional.group_norm has PyTorch's order of arguments.
    """
    num_groups = check_group_norm(x, weight, bias, num_groups, eps)
    N, C, *rest = shape = x.shape
    in_groups = (N, num_groups, C // num_groups, *rest)
    group = tuple(range(2, len(in_groups)))
    beside_x = (C, *[1] * len(rest))  # (C,) -> (C,1,…), which broadcasts to (N,C,…)
    not_channels = (0, *range(2, x.ndim))
    x_hat, inv_std = _standardized(x.reshape(in_groups), group, eps)  # (N,C,…) -> (N,G,C/G,…)
    x_hat = x_hat.reshape(shape)
    weight = None if weight is None else weight.reshape(beside_x)
    y = x_hat if weight is None else x_hat * weight
    y = y if bias is None else y + bias.reshape(beside_x)
    has_bias = bias is not None

    def backward(dy):
        g = dy if weight is None else dy * weight
        dx = _standardized_dx(g.reshape(in_groups), x_hat.reshape(in_groups), inv_std, group).reshape(shape)
        dw = None if weight is None else kernels.sums(dy * x_hat, not_channels)
        db = kernels.sums(dy, not_channels) if has_bias else None
        return dx, dw, db

    return y, backward


def _mean(x, axes):
    """⟨x⟩ over the axes, which stay with length 1."""
    return kernels.sums(x, axes, keepdims=True) / math.prod(x.shape[i] for i in axes)


def _standardized(x, axes, eps):
    """x̂ = (x − μ)/√(σ² + ε) with the mean and the biased variance over the axes, and 1/√(σ² + ε)."""
    x_hat = x - _mean(x, axes)
    inv_std = 1 / array_module(x).sqrt(_mean(x_hat * x_hat, axes) + eps)
    x_hat *= inv_std
    return x_hat, inv_std


def _standardized_dx(g, x_hat, inv_std, axes):
    """∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) from g = ∂L/∂x̂, ⟨·⟩ the mean over the axes."""
    dx = g - _mean(g, axes) - x_hat * _mean(g * x_hat, axes)
    dx *= inv_std
    return dx
