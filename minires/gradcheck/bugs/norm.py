"""Bugs of batch, layer and group normalization."""

import copy

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.op import registry

AXES = (0, 2, 3)


def per_channel(v):
    """(C,) -> (1,C,1,1)."""
    return v.reshape(1, -1, 1, 1)


def images(call):
    """Batch norm of (N,C,H,W), and not of (N,C) or (N,C,L)."""
    return call.dy.ndim == 4


def training(call):
    return images(call) and call.setting("training")


def training_on_many(call):
    """Of two values a channel m/(m − 1) is 2, and so this looks like another mistake."""
    return training(call) and BatchNorm(call).m > 2


def evaluation(call):
    return images(call) and not call.setting("training")


class BatchNorm:
    """Batch norm by its definition: x̂, 1/√(σ² + ε), m. Its statistics are the call's, or those of the images `of`."""

    def __init__(self, call, of=None):
        x, self.weight, _ = call.arrays
        self.dy, self.m = call.dy, x.size // x.shape[1]
        if of is None and not call.setting("training"):
            mean, self.var = call.static["running_mean"], call.static["running_var"]
        else:
            of = x if of is None else of
            mean = of.mean(AXES)
            self.var = of.var(AXES)
        self.inv_std = 1 / np.sqrt(self.var + call.setting("eps"))
        self.x_hat = (x - per_channel(mean)) * per_channel(self.inv_std)

    def dx(self, mean_term=1.0, variance_term=1.0, axes=AXES):
        """dx in training, with factors for its two terms and other axes for its means."""
        mean_dy = self.dy.mean(axes, keepdims=True)
        mean_dy_x_hat = (self.dy * self.x_hat).mean(axes, keepdims=True)
        dx = self.dy - mean_term * mean_dy - variance_term * self.x_hat * mean_dy_x_hat
        return per_channel(self.weight * self.inv_std) * dx

    def dweight(self):
        return (self.dy * self.x_hat).sum(AXES)


@bug("batch_norm", "mean term missing", when=training)
def _(call):
    """your dx misses −⟨dy⟩: the batch mean depends on x too"""
    return call.but(x=BatchNorm(call).dx(mean_term=0))


@bug("batch_norm", "variance term missing", when=training)
def _(call):
    """your dx misses −x̂·⟨dy·x̂⟩: the batch variance depends on x too"""
    return call.but(x=BatchNorm(call).dx(variance_term=0))


@bug("batch_norm", "statistics taken for constants", when=training)
def _(call):
    """your dx treats mean and variance as constants: in training both depend on x, which adds two terms"""
    return call.but(x=BatchNorm(call).dx(mean_term=0, variance_term=0))


@bug("batch_norm", "m − 1 for m", when=training_on_many)
def _(call):
    """your dx is divided by m − 1: within the batch the variance is the biased one, divide by m = N·H·W"""
    norm = BatchNorm(call)
    return call.but(x=norm.dx(variance_term=norm.m / (norm.m - 1)))


@bug("batch_norm", "variance term halved", when=training)
def _(call):
    """your dx has half of −x̂·⟨dy·x̂⟩: the ½ from the root cancels with the 2 from the square"""
    return call.but(x=BatchNorm(call).dx(variance_term=0.5))


@bug("batch_norm", "sums for means", when=training)
def _(call):
    """your dx subtracts sums of dy and dy·x̂: divide both by m = N·H·W"""
    norm = BatchNorm(call)
    return call.but(x=norm.dx(mean_term=norm.m, variance_term=norm.m))


@bug("batch_norm", "sign of the mean term", when=training)
def _(call):
    """your dx adds ⟨dy⟩: subtract it"""
    return call.but(x=BatchNorm(call).dx(mean_term=-1))


@bug("batch_norm", "means over N only", when=training)
def _(call):
    """your dx takes its means over N only: take them over N, H and W"""
    return call.but(x=BatchNorm(call).dx(axes=0))


@bug("batch_norm", "1/√(σ² + ε) forgotten in dx", when=images)
def _(call):
    """your dx misses the factor 1/√(σ² + ε): multiply by it"""
    return call.but(x=call.right[0] / per_channel(BatchNorm(call).inv_std))


@bug("batch_norm", "γ forgotten in dx", when=images)
def _(call):
    """your dx misses the factor γ (weight): multiply by it"""
    x, weight, bias = call.arrays
    return call.but(x=call.again(x, np.ones_like(weight), bias)[0])


@bug("batch_norm", "ε forgotten", when=images)
def _(call):
    """your gradients use 1/√σ²: use 1/√(σ² + ε), as the forward does"""
    return call.again(eps=0.0)


@bug("batch_norm", "ε outside the root", when=images)
def _(call):
    """your dx uses 1/(σ + ε): ε is inside the root, use 1/√(σ² + ε)"""
    norm = BatchNorm(call)
    return call.but(x=call.right[0] / per_channel(norm.inv_std * (np.sqrt(norm.var) + call.setting("eps"))))


@bug("batch_norm", "training formula in evaluation", when=evaluation)
def _(call):
    """your dx has the terms of mean and variance in evaluation too: they are constants there"""
    return call.but(x=BatchNorm(call).dx())


@bug("batch_norm", "batch statistics in evaluation", when=evaluation)
def _(call):
    """your gradients use the batch's statistics in evaluation: use the running ones, as the forward does"""
    norm = BatchNorm(call, of=call.x)
    return call.but(x=norm.dx(mean_term=0, variance_term=0), weight=norm.dweight())


@bug("batch_norm", "running statistics in training", when=images)
def _(call):
    """your gradients are those of evaluation, with the running statistics: in training use the batch's"""
    return call.right if call.setting("running_mean") is None else call.again(training=False)


@bug("batch_norm", "statistics of the first image", when=training)
def _(call):
    """your dweight uses mean and variance of the first image: use those of the batch"""
    return call.but(weight=BatchNorm(call, of=call.x[:1]).dweight())


@bug("batch_norm", "dγ of x", when=images)
def _(call):
    """your dweight (dγ) is Σ dy·x: use the normalized x̂, dγ = Σ dy·x̂"""
    return call.but(weight=(call.dy * call.x).sum(AXES))


@bug("batch_norm", "dγ not centered", when=images)
def _(call):
    """your dweight (dγ) uses x/√(σ² + ε): subtract the mean from x first"""
    return call.but(weight=(call.dy * call.x * per_channel(BatchNorm(call).inv_std)).sum(AXES))


@bug("batch_norm", "dγ not divided by σ", when=images)
def _(call):
    """your dweight (dγ) uses x − μ: divide it by √(σ² + ε)"""
    return call.but(weight=call.right[1] / BatchNorm(call).inv_std)


@bug("batch_norm", "dγ of y", when=images)
def _(call):
    """your dweight (dγ) is Σ dy·y: use x̂, which is y before γ and β, dγ = Σ dy·x̂"""
    return call.but(weight=(call.dy * call.y).sum(AXES))


@bug("batch_norm", "dγ averaged", when=images)
def _(call):
    """your dweight (dγ) is the mean of dy·x̂: take the sum over N, H and W"""
    return call.but(weight=call.right[1] / BatchNorm(call).m)


@bug("batch_norm", "dβ averaged over the batch", when=images)
def _(call):
    """your dbias (dβ) is averaged over the batch: sum dy over N, H and W, do not divide"""
    return call.but(bias=call.right[2] / max(len(call.dy), 1))


@bug("batch_norm", "dβ times γ", when=images)
def _(call):
    """your dbias (dβ) has a factor γ: β is added after the multiplication by γ, so dβ = Σ dy"""
    return call.but(bias=call.right[2] * call.arrays[1])


@bug("batch_norm", "dγ with axes of length 1", when=images)
def _(call):
    """your dweight (dγ) has shape (1,C,1,1): weight has shape (C,), sum without keepdims"""
    return call.but(weight=per_channel(call.right[1]))


@bug("batch_norm", "dy centered in place", when=images)
def _(call):
    """your backward changes dy: write dy = dy - mean, not dy -= mean"""
    right = call.right
    if call.setting("training") and call.dy.flags.writeable:
        call.dy -= call.dy.mean(AXES, keepdims=True)
    return right


def without_mask(call, dy=None):
    """The gradients of batch_norm from the same dy, or from another, as if no ReLU followed."""
    return registry["batch_norm"].raw(*call.arrays, **copy.deepcopy(call.static))[1](call.dy if dy is None else dy)


@bug("batch_norm_relu", "mask of the ReLU forgotten")
def _(call):
    """your gradients use dy where the ReLU gave 0: multiply dy by (y > 0) first"""
    return without_mask(call)


@bug("batch_norm_relu", "mask of the ReLU for dx only")
def _(call):
    """your dweight and dbias sum dy where the ReLU gave 0: multiply dy by (y > 0) before everything else"""
    return (call.right[0], *without_mask(call)[1:])


@bug("batch_norm_relu", "mask of the ReLU for positive γ", when=images)
def _(call):
    """your mask is that of x̂ > −β/γ, which takes γ for positive: use y > 0"""
    negative = per_channel(call.arrays[1] < 0)
    return without_mask(call, np.where(negative ^ (call.y > 0), call.dy, 0))


# Layer and group norm: the statistics are those of one sample.

BOTH = ("layer_norm", "group_norm")


class SampleNorm:
    """Both by their definition. In group norm all arrays have the shape (N,G,C/G,…).

    axes: those of the means; affine_axes: those that dweight and dbias sum over, counted in the shape of x.
    """

    def __init__(self, call):
        x, *affine = call.arrays
        self.shape = x.shape
        self.eps = call.setting("eps")
        if call.op == "layer_norm":
            shape = call.setting("normalized_shape") or (affine[0].shape if affine else x.shape[-1:])
            lead = x.ndim - (len(shape) if isinstance(shape, tuple) else 1)
            self.axes = tuple(range(lead, x.ndim))
            self.affine_axes = tuple(range(lead))
            gamma_shape = shape
        else:
            N, C, *rest = x.shape
            G = call.setting("num_groups")
            x = x.reshape(N, G, C // G, *rest)
            self.axes = tuple(range(2, x.ndim))
            self.affine_axes = (0, *range(2, len(self.shape)))
            gamma_shape = (G, C // G, *[1] * len(rest))
        self.gamma = affine[0].reshape(gamma_shape) if affine else 1.0
        self.dy = call.dy.reshape(x.shape)
        self.var = x.var(axis=self.axes, keepdims=True)
        self.m = x.size // max(self.var.size, 1)
        self.inv_std = 1 / np.sqrt(self.var + self.eps)
        self.x_hat = (x - x.mean(axis=self.axes, keepdims=True)) * self.inv_std

    def dx(self, mean_term=1.0, variance_term=1.0, axes=None, gamma_last=False):
        """dx, with factors for its two terms. gamma_last: multiply by γ after the means, which is wrong."""
        axes = axes or self.axes
        g = self.dy if gamma_last else self.dy * self.gamma
        mean_g = g.mean(axis=axes, keepdims=True)
        mean_g_x_hat = (g * self.x_hat).mean(axis=axes, keepdims=True)
        dx = self.inv_std * (g - mean_term * mean_g - variance_term * self.x_hat * mean_g_x_hat)
        return (dx * self.gamma if gamma_last else dx).reshape(self.shape)


@bug(BOTH, "mean term missing")
def _(call):
    """your dx misses −⟨g⟩, g = γ·dy: the mean depends on x too"""
    return call.but(x=SampleNorm(call).dx(mean_term=0))


@bug(BOTH, "variance term missing")
def _(call):
    """your dx misses −x̂·⟨g·x̂⟩, g = γ·dy: the variance depends on x too"""
    return call.but(x=SampleNorm(call).dx(variance_term=0))


@bug(BOTH, "γ after the means")
def _(call):
    """your dx multiplies by γ at the end: γ differs within one mean, so begin with g = γ·dy"""
    return call.but(x=SampleNorm(call).dx(gamma_last=True))


@bug(BOTH, "γ forgotten")
def _(call):
    """your dx misses γ (weight): begin with g = γ·dy"""
    x, *affine = call.arrays
    return call.but(x=call.again(x, *map(np.ones_like, affine))[0])


@bug(BOTH, "ε forgotten")
def _(call):
    """your gradients use 1/√σ²: use 1/√(σ² + ε), as the forward does"""
    return call.again(eps=0.0)


@bug(BOTH, "dγ of x")
def _(call):
    """your dweight (dγ) is Σ dy·x: use the normalized x̂, dγ = Σ dy·x̂"""
    return call.but(weight=(call.dy * call.x).sum(axis=SampleNorm(call).affine_axes))


@bug(BOTH, "dγ and dβ averaged")
def _(call):
    """your dweight (dγ) and dbias (dβ) are means: take the sums, do not divide"""
    _, *daffine = call.right
    means = [dv if dv is None else dv * (dv.size / max(call.dy.size, 1)) for dv in daffine]
    return call.but(**dict(zip(("weight", "bias"), means)))


@bug("layer_norm", "unbiased variance in dx")
def _(call):
    """your dx uses the variance with divisor m − 1 (ddof=1, torch.std): layer norm divides by m"""
    norm = SampleNorm(call)
    unbiased = norm.var * norm.m / max(norm.m - 1, 1)
    return call.but(x=call.right[0] / norm.inv_std / np.sqrt(unbiased + norm.eps))


@bug("layer_norm", "dβ over the first axis only")
def _(call):
    """your dbias (dβ) is the sum over the first axis only: sum over all axes that bias does not have"""
    return call.but(bias=call.dy.sum(axis=0))


@bug("group_norm", "means of a channel", when=lambda call: call.dy.ndim > 2)
def _(call):
    """your dx takes its means over each channel: take them over all channels of the group"""
    norm = SampleNorm(call)
    return call.but(x=norm.dx(axes=norm.axes[1:]))


@bug("group_norm", "channels c mod G in a group")
def _(call):
    """your group g has the channels g, g + G, …: a group is C/G neighbours, x.reshape(N, G, C // G, …)"""
    x, *affine = call.arrays
    order = np.arange(x.shape[1]).reshape(-1, call.setting("num_groups")).T.ravel()
    dx = np.empty_like(x)
    dx[:, order] = call.again(x[:, order], *(v[order] for v in affine), dy=call.dy[:, order])[0]
    return call.but(x=dx)


@bug("group_norm", "one group for all")
def _(call):
    """your dx is that of one group, as in layer norm: take the means over each group"""
    return call.but(x=call.again(num_groups=1)[0])
