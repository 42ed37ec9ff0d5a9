"""Bugs of a convolution and its batch norm in one op."""

import numpy as np

from minires.gradcheck.bugs.bug import bug


class OneByOne:
    """A 1×1 convolution z = W·x and its batch norm in training, by their definition; a row is one of the m pixels.

    dz = γ·s·dy − c − b·(z − μ), s = 1/√(σ² + ε); so dx = Wᵀ·dz and dW = dz·xᵀ have terms with b and c.
    """

    def __init__(self, call):
        x, w, gamma, _ = call.arrays
        self.shape = x.shape
        dy = rows(call.dy * (call.y > 0) if call.setting("relu") else call.dy)
        x = rows(x)
        self.W = w[:, :, 0, 0]
        self.m = len(x)
        self.mean_x = x.mean(axis=0)
        self.centered = x - self.mean_x
        z = x @ self.W.T
        self.mean = z.mean(axis=0)
        self.var = z.var(axis=0)
        self.s = 1 / np.sqrt(self.var + call.setting("eps"))
        self.c = gamma * self.s * dy.mean(axis=0)
        self.b = gamma * self.s**2 * (dy * (z - self.mean) * self.s).mean(axis=0)
        self.WtbW = self.W.T @ (self.b[:, None] * self.W)

    def images(self, rows):
        # (N·H·W,C) -> (N,C,H,W)
        N, C, H, W = self.shape
        return np.broadcast_to(rows, (N * H * W, C)).reshape(N, H, W, C).transpose(0, 3, 1, 2)


def rows(x):
    # (N,C,H,W) -> (N·H·W,C)
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def training(call):
    return call.setting("training")


def evaluation(call):
    return not call.setting("training")


def plus_dweight(call, dw):
    """The right gradients, with dw (O,C) added to that of the weight."""
    return call.but(weight=call.right[1] + dw[:, :, None, None])


def inv_std(call):
    """s = 1/√(σ² + ε)."""
    return OneByOne(call).s if training(call) else 1 / np.sqrt(call.static["running_var"] + call.setting("eps"))


@bug("conv_norm", "scatter matrix missing in dweight", when=training)
def _(call):
    """your dweight misses −b·W·S: the batch variance depends on weight too"""
    p = OneByOne(call)
    return plus_dweight(call, p.b[:, None] * (p.W @ p.centered.T @ p.centered))


@bug("conv_norm", "mean missing in dweight", when=training)
def _(call):
    """your dweight misses −c·m·⟨x⟩ᵀ: the batch mean depends on weight too"""
    p = OneByOne(call)
    return plus_dweight(call, np.outer(p.c, p.m * p.mean_x))


@bug("conv_norm", "scatter matrix not centered", when=training)
def _(call):
    """your dweight uses Σ x·xᵀ for S: subtract the mean from x first"""
    p = OneByOne(call)
    return plus_dweight(call, -p.b[:, None] * (p.W @ np.outer(p.mean_x, p.m * p.mean_x)))


@bug("conv_norm", "variance missing in dx", when=training)
def _(call):
    """your dx misses −Wᵀ·b·W·(x − ⟨x⟩): the batch variance depends on x too"""
    p = OneByOne(call)
    return call.but(x=call.right[0] + p.images(p.centered @ p.WtbW))


@bug("conv_norm", "mean missing in dx", when=training)
def _(call):
    """your dx misses −Wᵀ·c: the batch mean depends on x too"""
    p = OneByOne(call)
    return call.but(x=call.right[0] + p.images(p.c @ p.W))


@bug("conv_norm", "x not centered in dx", when=training)
def _(call):
    """your dx has x for x − ⟨x⟩ in −Wᵀ·b·W·(x − ⟨x⟩): subtract the mean first"""
    p = OneByOne(call)
    return call.but(x=call.right[0] - p.images(p.mean_x @ p.WtbW))


@bug("conv_norm", "statistics taken for constants", when=training)
def _(call):
    """your gradients treat mean and variance as constants: in training they depend on x and weight"""
    p = OneByOne(call)
    return call.again(training=False, running_mean=p.mean, running_var=p.var)


@bug("conv_norm", "γ·s forgotten in dweight")
def _(call):
    """your dweight is that of the convolution alone: multiply it by γ·s"""
    gamma = call.arrays[2]
    return call.but(weight=call.right[1] / (gamma * inv_std(call)).reshape(-1, 1, 1, 1))


@bug("conv_norm", "s forgotten in dx", when=evaluation)
def _(call):
    """your dx misses the factor s = 1/√(σ² + ε): multiply by it"""
    x, w, gamma, beta = call.arrays
    return call.but(x=call.again(x, w, gamma / inv_std(call), beta)[0])


@bug("conv_norm", "dγ not divided by σ")
def _(call):
    """your dgamma misses the factor s = 1/√(σ² + ε): multiply by it"""
    return call.but(gamma=call.right[2] / inv_std(call))


@bug("conv_norm", "dγ not centered")
def _(call):
    """your dgamma is s·Σ z·dy: subtract the mean from z first, dgamma = s·(Σ z·dy − μ·Σ dy)"""
    mean = OneByOne(call).mean if training(call) else call.static["running_mean"]
    return call.but(gamma=call.right[2] + inv_std(call) * mean * call.right[3])


@bug("conv_norm", "mask of the ReLU forgotten")
def _(call):
    """your gradients use dy where the ReLU gave 0: multiply dy by (y > 0) first"""
    return call.again(relu=False)


def only_dx_in_training(call):
    return training(call) and call.needs == (True, False, False, False)


@bug("conv_norm", "statistics taken for constants where the weights are fixed", when=only_dx_in_training)
def _(call):
    """your dx treats mean and variance as constants when it alone is needed: in training they depend on x"""
    p = OneByOne(call)
    return call.again(training=False, running_mean=p.mean, running_var=p.var)


@bug(("conv_norm", "batch_norm"), "running statistics read in backward", when=evaluation)
def _(call):
    """your backward reads the running statistics, which training may have changed: keep a copy in the forward"""
    return call.again(**call.later)


@bug("conv_norm", "mask of the ReLU for positive γ", when=training)
def _(call):
    """your mask is that of x̂ > −β/γ, which takes γ for positive: use y > 0"""
    if not call.setting("relu"):
        return call.right
    negative = call.arrays[2] < 0
    return call.again(relu=False, dy=np.where(negative[:, None, None] ^ (call.y > 0), call.dy, 0))
