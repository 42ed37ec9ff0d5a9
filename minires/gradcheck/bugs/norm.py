"""Bugs of batch, layer and group normalisation."""

import copy

import numpy as np

from minires.gradcheck.bugs.bug import bug
from minires.op import registry

AXES = (0, 2, 3)


def each(v):
    """v (C,) beside a map."""
    return v.reshape(1, -1, 1, 1)


class Batch:
    """Batch norm by its definition: x̂, 1/√(σ² + ε), m; with the statistics of the pictures `of`, or of the call."""

    def __init__(self, call, of=None):
        x, self.weight, _ = call.arrays
        self.dy, self.m = call.dy, x.size // x.shape[1]
        if of is None and not call.setting("training"):
            mean, self.var = call.static["running_mean"], call.static["running_var"]
        else:
            of = x if of is None else of
            mean = of.mean(AXES)
            self.var = of.var(AXES)
        self.scale = 1 / np.sqrt(self.var + call.setting("eps"))
        self.x_hat = (x - each(mean)) * each(self.scale)

    def dx(self, mean_term=1.0, variance_term=1.0, axes=AXES):
        """∂L/∂x in training, its two terms weighted, its means taken over the axes."""
        means = self.dy.mean(axes, keepdims=True), (self.dy * self.x_hat).mean(axes, keepdims=True)
        return each(self.weight * self.scale) * (self.dy - mean_term * means[0] - variance_term * self.x_hat * means[1])

    def dgamma(self):
        return (self.dy * self.x_hat).sum(AXES)


def norm_bug(name, hint):
    """A bug of batch norm of maps: without a map nothing is wrong."""

    def enter(gradients):
        bug("batch_norm", name, hint)(lambda call: call.right if call.dy.ndim != 4 else gradients(call))
        return gradients

    return enter


def in_training(dx):
    """A bug of the training formula, Batch -> dx: in evaluation nothing is wrong."""
    return lambda call: call.but(x=dx(Batch(call))) if call.setting("training") else call.right


norm_bug("mean term missing", "your dx misses −⟨dy⟩: the batch mean depends on x too")(
    in_training(lambda batch: batch.dx(mean_term=0))
)
norm_bug("variance term missing", "your dx misses −x̂·⟨dy·x̂⟩: the batch variance depends on x too")(
    in_training(lambda batch: batch.dx(variance_term=0))
)
norm_bug(
    "statistics taken for constants",
    "your dx takes mean and variance for constants: in training they depend on x, which adds two terms",
)(in_training(lambda batch: batch.dx(0, 0)))
norm_bug("m − 1 for m", "your dx divides by m − 1: within the batch the variance is the biased one, over m")(
    in_training(lambda batch: batch.dx(variance_term=batch.m / (batch.m - 1)))
)
norm_bug("variance term halved", "your dx has half of −x̂·⟨dy·x̂⟩: the ½ of the root meets the 2 of the square")(
    in_training(lambda batch: batch.dx(variance_term=0.5))
)
norm_bug("sums for means", "your dx subtracts sums of dy and dy·x̂: divide both by m = N·H·W")(
    in_training(lambda batch: batch.dx(batch.m, batch.m))
)
norm_bug("sign of the mean term", "your dx adds ⟨dy⟩: it is subtracted")(
    in_training(lambda batch: batch.dx(mean_term=-1))
)
norm_bug("means over N only", "your dx takes its means over N only: a channel has m = N·H·W values")(
    in_training(lambda batch: batch.dx(axes=0))
)
norm_bug("1/√(σ² + ε) forgotten in dx", "your dx misses the factor 1/√(σ² + ε)")(
    lambda call: call.but(x=call.right[0] / each(Batch(call).scale))
)
norm_bug("γ forgotten in dx", "your dx misses the factor γ")(
    lambda call: call.but(x=call.again(call.arrays[0], np.ones_like(call.arrays[1]), call.arrays[2])[0])
)
norm_bug("ε forgotten", "your gradients use 1/√σ² for 1/√(σ² + ε)")(lambda call: call.again(eps=0.0))


@norm_bug("ε outside the root", "your dx uses 1/(σ + ε) for 1/√(σ² + ε)")
def _(call):
    batch = Batch(call)
    return call.but(x=call.right[0] / each(batch.scale * (np.sqrt(batch.var) + call.setting("eps"))))


norm_bug(
    "training formula in evaluation",
    "your dx differentiates mean and variance in evaluation too, where they are constants",
)(lambda call: call.right if call.setting("training") else call.but(x=Batch(call).dx()))


@norm_bug(
    "batch statistics in evaluation",
    "your gradients use the batch's statistics in evaluation: take the running ones, as the forward does",
)
def _(call):
    if call.setting("training"):
        return call.right
    batch = Batch(call, of=call.arrays[0])
    return call.but(x=batch.dx(0, 0), weight=batch.dgamma())


norm_bug(
    "running statistics in training",
    "your gradients are those of evaluation, with the running statistics: in training take the batch's",
)(lambda call: call.right if call.setting("running_mean") is None else call.again(training=False))


@norm_bug("statistics of the first picture", "your dγ uses mean and variance of the first picture: take the batch's")
def _(call):
    if not call.setting("training"):
        return call.right
    return call.but(weight=Batch(call, of=call.arrays[0][:1]).dgamma())


norm_bug("dγ of x", "your dγ is Σ dy·x: it is Σ dy·x̂, with the normalised x")(
    lambda call: call.but(weight=(call.dy * call.arrays[0]).sum(AXES))
)
norm_bug("dγ not centred", "your dγ uses x/√(σ² + ε): take the mean off x first")(
    lambda call: call.but(weight=(call.dy * call.arrays[0] * each(Batch(call).scale)).sum(AXES))
)
norm_bug("dγ not divided by σ", "your dγ uses x − μ: divide by √(σ² + ε)")(
    lambda call: call.but(weight=call.right[1] / Batch(call).scale)
)
norm_bug("dγ of y", "your dγ is Σ dy·y: it is Σ dy·x̂, before γ and β")(
    lambda call: call.but(weight=(call.dy * call.y).sum(AXES))
)
norm_bug("dγ averaged", "your dγ is a mean: it is the sum of dy·x̂ over N, H and W")(
    lambda call: call.but(weight=call.right[1] / Batch(call).m)
)
norm_bug("dβ averaged over the batch", "your dβ looks averaged over the batch: add dy up over N, H and W")(
    lambda call: call.but(bias=call.right[2] / max(len(call.dy), 1))
)
norm_bug("dβ times γ", "your dβ has a factor γ: β is added after the multiplication")(
    lambda call: call.but(bias=call.right[2] * call.arrays[1])
)
norm_bug("dγ with axes of length 1", "your dγ has shape (1,C,1,1): leave keepdims away, γ is (C,)")(
    lambda call: call.but(weight=each(call.right[1]))
)


@norm_bug("dy centred in place", "your backward changes dy: write dy = dy - mean, not dy -= mean")
def _(call):
    right = call.right
    if call.setting("training") and call.dy.flags.writeable:
        call.dy -= call.dy.mean(AXES, keepdims=True)
    return right


def unmasked(call):
    """batch_norm's gradients from the same dy, as if no ReLU stood behind it."""
    return registry["batch_norm"].raw(*call.arrays, **copy.deepcopy(call.static))[1](call.dy)


bug("batch_norm_relu", "mask of the ReLU forgotten", "your backward lets dy through where the ReLU behind gave 0")(
    unmasked
)
bug(
    "batch_norm_relu",
    "mask of the ReLU for dx only",
    "your dγ and dβ add up dy where the ReLU behind gave 0: mask dy before everything else",
)(lambda call: (call.right[0], *unmasked(call)[1:]))


class Layer:
    """Layer norm by its definition: x̂, 1/√(σ² + ε), γ, and the axes over which means are taken."""

    def __init__(self, call):
        x, *rest = call.arrays
        shape = call.setting("normalized_shape") or (rest[0].shape if rest else x.shape[-1:])
        self.axes = tuple(range(-len(shape), 0)) if isinstance(shape, tuple) else (-1,)
        self.lead = tuple(range(x.ndim - len(self.axes)))
        self.gamma = rest[0] if rest else np.ones(shape, x.dtype)
        self.var = x.var(axis=self.axes, keepdims=True)
        self.eps = call.setting("eps")
        self.dy = call.dy
        self.scale = 1 / np.sqrt(self.var + self.eps)
        self.x_hat = (x - x.mean(axis=self.axes, keepdims=True)) * self.scale

    def dx(self, mean_term=1.0, variance_term=1.0, gamma_last=False):
        """∂L/∂x, its two terms weighted; γ belongs to dy before the means are taken."""
        g = self.dy if gamma_last else self.dy * self.gamma
        dx = self.scale * (
            g
            - mean_term * g.mean(axis=self.axes, keepdims=True)
            - variance_term * self.x_hat * (g * self.x_hat).mean(axis=self.axes, keepdims=True)
        )
        return dx * self.gamma if gamma_last else dx


bug("layer_norm", "mean term missing", "your dx misses −⟨g⟩: the mean of a sample depends on x too")(
    lambda call: call.but(x=Layer(call).dx(mean_term=0))
)
bug("layer_norm", "variance term missing", "your dx misses −x̂·⟨g·x̂⟩: the variance of a sample depends on x too")(
    lambda call: call.but(x=Layer(call).dx(variance_term=0))
)
bug(
    "layer_norm",
    "γ after the means",
    "your dx multiplies by γ at the end: γ differs within a sample, so g = γ·dy is first",
)(lambda call: call.but(x=Layer(call).dx(gamma_last=True)))
bug("layer_norm", "γ forgotten", "your dx misses γ: begin with g = γ·dy")(
    lambda call: call.but(x=call.again(call.arrays[0], *map(np.ones_like, call.arrays[1:]))[0])
)
bug("layer_norm", "ε forgotten", "your gradients use 1/√σ² for 1/√(σ² + ε)")(lambda call: call.again(eps=0.0))


@bug(
    "layer_norm",
    "unbiased variance in dx",
    "your dx uses the variance over m − 1 (ddof=1, torch.std): layer norm's is over m",
)
def _(call):
    layer = Layer(call)
    m = layer.x_hat.size // max(layer.var.size, 1)
    return call.but(x=call.right[0] / layer.scale / np.sqrt(layer.var * m / max(m - 1, 1) + layer.eps))


bug("layer_norm", "dγ of x", "your dγ is Σ dy·x: it is Σ dy·x̂, with the normalised x")(
    lambda call: call.but(weight=(call.dy * call.arrays[0]).sum(axis=Layer(call).lead))
)
bug("layer_norm", "dγ and dβ averaged", "your dγ and dβ are means over the samples: they are sums")(
    lambda call: call.but(
        **{
            name: dv * (dv.size / max(call.dy.size, 1))
            for name, dv in zip(("weight", "bias"), call.right[1:])
            if dv is not None
        }
    )
)
bug(
    "layer_norm",
    "dβ over the first axis only",
    "your dβ is added up over the first axis only: over all those before γ's",
)(lambda call: call.but(bias=call.dy.sum(axis=0)))


class Groups:
    """Group norm by its definition, in the shape (N,G,C/G,…): x̂, 1/√(σ² + ε), g = γ·dy and the axes of the means."""

    def __init__(self, call, groups=None):
        x, *rest = call.arrays
        N, C, *self.rest = self.shape = x.shape
        G = groups or call.setting("num_groups")
        self.grouped = (N, G, C // G, *self.rest)
        self.axes = tuple(range(2, x.ndim + 1))
        self.gamma = self.by_channel(rest[0] if rest else np.ones(C))
        grouped = x.reshape(self.grouped)
        self.var = grouped.var(axis=self.axes, keepdims=True)
        self.eps = call.setting("eps")
        self.scale = 1 / np.sqrt(self.var + self.eps)
        self.dy = call.dy
        self.x_hat = (grouped - grouped.mean(axis=self.axes, keepdims=True)) * self.scale

    def by_channel(self, v):
        return v.reshape(-1, *[1] * len(self.rest))

    def dx(self, mean_term=1.0, variance_term=1.0, axes=None, gamma_last=False):
        """∂L/∂x, its two terms weighted, its means taken over the axes; γ belongs to dy before they are."""
        axes = axes or self.axes
        g = (self.dy if gamma_last else self.dy * self.gamma).reshape(self.grouped)
        dx = self.scale * (
            g
            - mean_term * g.mean(axis=axes, keepdims=True)
            - variance_term * self.x_hat * (g * self.x_hat).mean(axis=axes, keepdims=True)
        )
        return dx.reshape(self.shape) * (self.gamma if gamma_last else 1)


bug("group_norm", "mean term missing", "your dx misses −⟨g⟩: the mean of a group depends on x too")(
    lambda call: call.but(x=Groups(call).dx(mean_term=0))
)
bug("group_norm", "variance term missing", "your dx misses −x̂·⟨g·x̂⟩: the variance of a group depends on x too")(
    lambda call: call.but(x=Groups(call).dx(variance_term=0))
)
bug(
    "group_norm",
    "γ after the means",
    "your dx multiplies by γ at the end: the channels of a group have different γ, so g = γ·dy is first",
)(lambda call: call.but(x=Groups(call).dx(gamma_last=True)))
bug("group_norm", "γ forgotten", "your dx misses γ: begin with g = γ·dy")(
    lambda call: call.but(x=call.again(call.arrays[0], *map(np.ones_like, call.arrays[1:]))[0])
)
bug("group_norm", "ε forgotten", "your gradients use 1/√σ² for 1/√(σ² + ε)")(lambda call: call.again(eps=0.0))
bug(
    "group_norm",
    "means of a channel",
    "your dx takes its means over the map of each channel: over all channels of the group",
)(lambda call: call.but(x=Groups(call).dx(axes=Groups(call).axes[1:])) if call.dy.ndim > 2 else call.right)
bug(
    "group_norm",
    "channels dealt out in turn",
    "your groups are the channels c mod G: a group is C/G neighbours, x.reshape(N, G, C/G, …)",
)(lambda call: call.but(x=in_turn(call)))
bug("group_norm", "one group for all", "your dx is that of one group, a layer norm: take the means by group")(
    lambda call: call.but(x=call.again(num_groups=1)[0])
)
bug("group_norm", "dγ of x", "your dγ is Σ dy·x: it is Σ dy·x̂, with the normalised x")(
    lambda call: call.but(weight=(call.dy * call.arrays[0]).sum(axis=(0, *range(2, call.dy.ndim))))
)
bug("group_norm", "dγ and dβ averaged", "your dγ and dβ are means over samples and maps: they are sums")(
    lambda call: call.but(
        **{
            name: dv * (dv.size / max(call.dy.size, 1))
            for name, dv in zip(("weight", "bias"), call.right[1:])
            if dv is not None
        }
    )
)


def in_turn(call):
    """dx where group g has the channels g, g + G, g + 2G, …"""
    x, *affine = call.arrays
    C = x.shape[1]
    order = np.arange(C).reshape(-1, call.setting("num_groups")).T.ravel()
    dx = np.empty_like(x)
    dx[:, order] = call.again(x[:, order], *(v[order] for v in affine), dy=call.dy[:, order])[0]
    return dx
