"""Adam with decoupled weight decay."""

import math

from minires.arrays import array_module
from minires.errors import OptionError
from minires.optim.optimizer import Optimizer, in_range


class AdamW(Optimizer):
    """x ← x − lr·λ·x; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε).

    g = ∂L/∂x, λ weight_decay, m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = updates of x so far
    [Loshchilov & Hutter 2019, Alg. 2]. As in torch.optim.AdamW, lr scales the decay; in the paper its schedule does.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, group):
        super().check(group)
        group["eps"] = in_range("eps", group["eps"], 0)
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise OptionError(f"betas must be two numbers, got {group['betas']!r}")
        group["betas"] = tuple(in_range("betas", beta, 0, 1, open_above=True) for beta in group["betas"])

    def slots(self, group):
        return "exp_avg", "exp_avg_sq"

    def update(self, x, dx, state, group, t):
        xp = array_module(x)
        if not state:
            state.update(exp_avg=xp.zeros_like(x), exp_avg_sq=xp.zeros_like(x))
        beta1, beta2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m *= beta1
        m += (1 - beta1) * dx
        v *= beta2
        v += (1 - beta2) * (dx * dx)
        x *= 1 - group["lr"] * group["weight_decay"]
        x -= (group["lr"] / (1 - beta1**t)) * m / (xp.sqrt(v) / math.sqrt(1 - beta2**t) + group["eps"])
