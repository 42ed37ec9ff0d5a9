"""Bugs of a convolution and its batch norm in one."""

import numpy as np

from minires.gradcheck.bugs.bug import bug


class Pixels:
    """A 1×1 convolution and its batch norm in training, by their definition, on the m pixels as rows."""

    def __init__(self, call):
        x, w, gamma, _ = call.arrays
        dy = call.dy * (call.y > 0) if call.setting("relu") else call.dy
        self.W = w[:, :, 0, 0]
        X = rows(x)
        dY = rows(dy)
        self.m = len(X)
        self.mean_x = X.mean(axis=0)
        z = X @ self.W.T
        self.mean = z.mean(axis=0)
        self.var = z.var(axis=0)
        self.s = 1 / np.sqrt(self.var + call.setting("eps"))
        a = gamma * self.s
        self.b = a * self.s * (dY * (z - self.mean) * self.s).mean(axis=0)
        self.c = a * dY.mean(axis=0)
        self.centred = X - self.mean_x

    def as_map(self, rows, x):
        N, C, H, W = x.shape
        return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)


def rows(x):
    # (N,C,H,W) -> (N·H·W,C)
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def in_training(name, hint, **missing):
    """A bug of the training formula, which misses what missing[argument](Pixels) gives."""

    @bug("conv_norm", name, hint)
    def _(call):
        if not call.setting("training"):
            return call.right
        pixels = Pixels(call)
        (x, w, *_) = call.arrays
        (dx, dw, *_) = call.right
        wrong = {}
        if "x" in missing:
            wrong["x"] = dx + pixels.as_map(missing["x"](pixels), x)
        if "weight" in missing:
            wrong["weight"] = dw + missing["weight"](pixels).reshape(w.shape)
        return call.but(**wrong)


def each(v):
    """v (O,) beside the weights."""
    return v.reshape(-1, 1, 1, 1)


def scale(call):
    """s = 1/√(σ² + ε)"""
    return Pixels(call).s if call.setting("training") else 1 / np.sqrt(call.static["running_var"] + call.setting("eps"))


in_training(
    "scatter matrix missing in dw",
    "your dw misses −b·W·S: the batch variance depends on w too",
    weight=lambda p: p.b[:, None] * (p.W @ p.centred.T @ p.centred),
)
in_training(
    "mean missing in dw",
    "your dw misses −c·m·⟨x⟩ᵀ: the batch mean depends on w too",
    weight=lambda p: np.outer(p.c, p.m * p.mean_x),
)
in_training(
    "scatter matrix not centred",
    "your dw takes Σ x·xᵀ for S: take the mean off x first",
    weight=lambda p: -p.b[:, None] * (p.W @ np.outer(p.mean_x, p.m * p.mean_x)),
)
in_training(
    "variance missing in dx",
    "your dx misses −Wᵀ·b·W·(x − ⟨x⟩): the batch variance depends on x too",
    x=lambda p: p.centred @ (p.W.T @ (p.b[:, None] * p.W)),
)
in_training(
    "mean missing in dx",
    "your dx misses −Wᵀ·c: the batch mean depends on x too",
    x=lambda p: np.broadcast_to(p.c @ p.W, p.centred.shape),
)
in_training(
    "x not centred in dx",
    "your dx has x for x − ⟨x⟩ in −Wᵀ·b·W·(x − ⟨x⟩): take the mean off first",
    x=lambda p: np.broadcast_to(-p.mean_x @ (p.W.T @ (p.b[:, None] * p.W)), p.centred.shape),
)


@bug(
    "conv_norm",
    "statistics taken for constants",
    "your gradients take mean and variance for constants: in training they depend on x and w",
)
def _(call):
    if not call.setting("training"):
        return call.right
    pixels = Pixels(call)
    return call.again(training=False, running_mean=pixels.mean, running_var=pixels.var)


bug("conv_norm", "γ·s forgotten in dw", "your dw is that of the convolution alone: it has the factor γ·s")(
    lambda call: call.but(weight=call.right[1] / each(call.arrays[2] * scale(call)))
)
bug("conv_norm", "s forgotten in dx", "your dx misses the factor s = 1/√(σ² + ε)")(
    lambda call: (
        call.right
        if call.setting("training")
        else call.but(x=call.again(*call.arrays[:2], call.arrays[2] / scale(call), call.arrays[3])[0])
    )
)
bug("conv_norm", "dγ not divided by σ", "your dγ misses the factor s = 1/√(σ² + ε)")(
    lambda call: call.but(gamma=call.right[2] / scale(call))
)


@bug("conv_norm", "dγ not centred", "your dγ is s·Σ w·G: take μ·Σ dy off first")
def _(call):
    mean = Pixels(call).mean if call.setting("training") else call.static["running_mean"]
    return call.but(gamma=call.right[2] + scale(call) * mean * call.right[3])


bug("conv_norm", "mask of the ReLU forgotten", "your backward lets dy through where the ReLU behind gave 0")(
    lambda call: call.again(relu=False)
)
