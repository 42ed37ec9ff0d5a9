"""Adam with decoupled weight decay."""

import math

from minires.arrays import array_module
from minires.optim.optimizer import Optimizer, in_range


class AdamW(Optimizer):
    """x ← x − lr·λ·x; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε).

    g = ∂L/∂x, λ weight_decay, m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = steps so far
    [Loshchilov & Hutter 2019, Alg. 2]. As torch.optim.AdamW, which counts t for each parameter by itself: the same
    unless a parameter is without a gradient in some steps.
    """

    slots = ("exp_avg", "exp_avg_sq")

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, group):
        super().check(group)
        in_range("eps", group["eps"], 0)
        for beta in group["betas"]:
            in_range("betas", beta, 0, 1, open_above=True)

    def update(self, x, dx, state, group):
        xp = array_module(x)
        if not state:
            state.update(exp_avg=xp.zeros_like(x), exp_avg_sq=xp.zeros_like(x))
        beta1, beta2 = group["betas"]
        m, v, t = state["exp_avg"], state["exp_avg_sq"], self.steps
        m *= beta1
        m += (1 - beta1) * dx
        v *= beta2
        v += (1 - beta2) * (dx * dx)
        x *= 1 - group["lr"] * group["weight_decay"]
        x -= (group["lr"] / (1 - beta1**t)) * m / (xp.sqrt(v) / math.sqrt(1 - beta2**t) + group["eps"])
