"""Normalisation: batch norm over the pictures, layer norm over the features, group norm over groups of channels."""

from minires import kernels
from minires.arrays import array_module, is_array
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import op
from minires.settings import in_range, integer


@op
def batch_norm(x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, for each channel over its m = N·H·W values  [Ioffe & Szegedy 2015, Alg. 1].

    In training μ and σ² are the batch's own (σ² biased, /m), and depend on x:
        ∂L/∂x = γ/√(σ² + ε) · (∂L/∂y − ⟨∂L/∂y⟩ − x̂·⟨∂L/∂y · x̂⟩),  ⟨·⟩ the mean over the m values.
    Otherwise they are the running statistics, and constants: ∂L/∂x = γ/√(σ² + ε) · ∂L/∂y.
    ∂L/∂γ = Σ ∂L/∂y·x̂, ∂L/∂β = Σ ∂L/∂y. kernels/readable/norm.py derives them, and computes them in that order.

    x (N,C,H,W), (N,C,L) or (N,C), weight γ and bias β (C,) -> y of x's shape.
    In training the running statistics, if given, become (1 − momentum)·running + momentum·batch in place, with the
    unbiased variance (/(m − 1)), as in PyTorch.
    Raises ShapeError for wrong lengths and when training on a single value a channel.
    """
    shape = x.shape
    x = as_map("batch_norm", x)
    mean, inv_std = statistics("batch_norm", x, weight, bias, running_mean, running_var, training, momentum, eps)
    y = kernels.normalize(x, mean, inv_std, weight, bias)  # γ·x̂ + β

    def backward(dy):
        dx, dw, db = batch_norm_gradients(dy.reshape(x.shape), x, mean, inv_std, weight, training)
        return dx.reshape(shape), dw, db

    return y.reshape(shape), backward


def statistics(op, x, weight, bias, running_mean, running_var, training, momentum, eps):
    """μ and 1/√(σ² + ε) of each channel of x (N,C,H,W) -> (C,) and (C,); in training the running ones move on."""
    N, C, H, W = x.shape
    m = N * H * W
    count = check_norm(
        op, f"x has {C} channels", C, m, weight, bias, running_mean, running_var, training, momentum, eps
    )
    if training:
        mean, var = kernels.mean_var(x)
        if running_mean is not None:
            kernels.update_running_stats(running_mean, running_var, mean, var, momentum, count)
    else:
        mean = running_mean.copy()
        var = running_var  # a copy, because training changes it before some backward
    return mean, kernels.inv_std(var, eps)


def batch_norm_gradients(dy, x, mean, inv_std, weight, training, out=None):
    """∂L/∂x, ∂L/∂γ and ∂L/∂β from ∂L/∂y and x (N,C,H,W); ∂L/∂x is written into out if given, which may be dy."""
    db, dw = kernels.normalize_sums(dy, x, mean, inv_std)  # Σ ∂L/∂y, Σ ∂L/∂y·x̂
    if training:
        dx = kernels.normalize_dx(dy, x, mean, inv_std, weight, db, dw, out)
    else:
        dx = kernels.scale(dy, weight * inv_std)
    return dx, dw.astype(dy.dtype, copy=False), db.astype(dy.dtype, copy=False)


def as_map(op, x):
    """x as a map: (N,C) -> (N,C,1,1), (N,C,L) -> (N,C,L,1). Raises ShapeError for other ranks."""
    if x.ndim not in (2, 3, 4):
        raise ShapeError(f"{op}: x must be (N,C,H,W), (N,C,L) or (N,C), got {x.shape}")
    return x if x.ndim == 4 else x.reshape(*x.shape, *[1] * (4 - x.ndim))


def check_norm(op, having, C, m, weight, bias, running_mean, running_var, training, momentum, eps):
    """Raise if these do not fit C channels of m values each -> how many values the whole batch has for a channel.

    Processes may have a part of the batch each.
    """
    for name, v in (("weight", weight), ("bias", bias), ("running_mean", running_mean), ("running_var", running_var)):
        if v is not None and not is_array(v):
            raise DTypeError(f"{op}: {name} must be an array of {C} numbers, got {v!r}")
        if v is not None and v.shape != (C,):
            raise ShapeError(f"{op}: {name} has shape {v.shape}, {having} and needs ({C},)")
    if (running_mean is None) != (running_var is None):
        raise ShapeError(f"{op}: running_mean and running_var come together, got only one of them")
    if running_mean is None and not training:
        raise ShapeError(f"{op}: training=False needs running_mean and running_var")
    in_range(f"{op}: eps", eps, 0)
    if training and running_mean is not None:
        _check_remembering(op, running_mean, running_var, momentum)
    count = kernels.batch_count(m)
    if training and count < 2:
        raise ShapeError(
            f"{op}: training needs more than one value a channel, {having} and {m} values for each; "
            "use a larger batch, or eval()"
        )
    return count


def _check_remembering(op, running_mean, running_var, momentum):
    """Raise if the statistics of a batch could not be mixed into the running ones, in place."""
    in_range(f"{op}: momentum", momentum, 0, 1)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running.dtype.kind != "f":
            raise DTypeError(f"{op}: {name} must be floats, which training changes in place, got {running.dtype}")
        if not getattr(running.flags, "writeable", True):
            raise OptionError(f"{op}: {name} is read-only, and training changes it in place; pass a copy")


@op
def layer_norm(x, weight=None, bias=None, *, normalized_shape=None, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, μ and σ² over the last axes of each sample  [Ba et al. 2016, eq. 3].

    ∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) with g = γ·∂L/∂y and ⟨·⟩ the mean over those axes.
    x (…,*normalized_shape), weight γ and bias β of normalized_shape (by default weight's shape, or the last axis).
    """
    if normalized_shape is None:
        normalized_shape = weight.shape if weight is not None else x.shape[-1:]
    lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    shape = tuple([integer("layer_norm: normalized_shape", n) for n in lengths])
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: x {x.shape} does not end with the normalized shape {shape}")
    if 0 in shape:
        raise ShapeError(f"layer_norm: nothing to take a mean of in x {x.shape}")
    for name, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.shape != shape:
            raise ShapeError(f"layer_norm: {name} has shape {v.shape}, it must be {shape}")
    in_range("layer_norm: eps", eps, 0)
    axes = tuple(range(-len(shape), 0))
    lead = tuple(range(x.ndim - len(shape)))
    x_hat, inv_std = _standardised(x, axes, eps)
    y = x_hat if weight is None else x_hat * weight
    y = y if bias is None else y + bias
    has_bias = bias is not None

    def backward(dy):
        dx = _standardised_dx(dy if weight is None else dy * weight, x_hat, inv_std, axes)
        dw = None if weight is None else (dy * x_hat).sum(axis=lead)
        db = dy.sum(axis=lead) if has_bias else None
        return dx, dw, db

    return y, backward


@op
def group_norm(x, weight=None, bias=None, *, num_groups, eps=1e-5):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, μ and σ² over a group of channels of each sample  [Wu & He 2018, eq. 1–3].

    ∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) with g = γ·∂L/∂y and ⟨·⟩ the mean over the group, as in layer_norm.
    x (N,C,…), weight γ and bias β (C,) -> y (N,C,…). With num_groups = C it is an instance norm.
    """
    num_groups = integer("group_norm: num_groups", num_groups)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: x must be (N,C,…), got {x.shape}")
    N, C, *rest = x.shape
    if num_groups < 1 or C % num_groups:
        raise ShapeError(f"group_norm: num_groups={num_groups} must divide the {C} channels of x")
    if 0 in (C, *rest):
        raise ShapeError(f"group_norm: nothing to take a mean of in x {x.shape}")
    for name, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.shape != (C,):
            raise ShapeError(f"group_norm: {name} has shape {v.shape}, x has {C} channels and needs ({C},)")
    in_range("group_norm: eps", eps, 0)
    shape, in_groups = x.shape, (N, num_groups, C // num_groups, *rest)
    axes = tuple(range(2, len(in_groups)))
    lead = (0, *range(2, x.ndim))
    x_hat, inv_std = _standardised(x.reshape(in_groups), axes, eps)  # (N,C,…) -> (N,G,C/G,…)
    x_hat = x_hat.reshape(shape)
    gamma = None if weight is None else weight.reshape(C, *[1] * len(rest))  # (C,) -> (C,…), which fits (N,C,…)
    y = x_hat if gamma is None else x_hat * gamma
    y = y if bias is None else y + bias.reshape(C, *[1] * len(rest))
    has_bias = bias is not None

    def backward(dy):
        g = dy if gamma is None else dy * gamma
        dx = _standardised_dx(g.reshape(in_groups), x_hat.reshape(in_groups), inv_std, axes).reshape(shape)
        dw = None if gamma is None else (dy * x_hat).sum(axis=lead)
        db = dy.sum(axis=lead) if has_bias else None
        return dx, dw, db

    return y, backward


def _standardised(x, axes, eps):
    """x̂ = (x − μ)/√(σ² + ε) with the mean and the biased variance over the axes, and 1/√(σ² + ε)."""
    x_hat = x - x.mean(axis=axes, keepdims=True)
    inv_std = 1 / array_module(x).sqrt((x_hat * x_hat).mean(axis=axes, keepdims=True) + eps)
    x_hat *= inv_std
    return x_hat, inv_std


def _standardised_dx(g, x_hat, inv_std, axes):
    """∂L/∂x = (g − ⟨g⟩ − x̂·⟨g·x̂⟩)/√(σ² + ε) from g = ∂L/∂x̂, ⟨·⟩ the mean over the axes."""
    dx = g - g.mean(axis=axes, keepdims=True) - x_hat * (g * x_hat).mean(axis=axes, keepdims=True)
    dx *= inv_std
    return dx
