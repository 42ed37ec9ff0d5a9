"""Adam, and Adam with decoupled weight decay."""

from minires import kernels
from minires.annotations import Params
from minires.arrays import array_module
from minires.errors import OptionError
from minires.optim.optimizer import Optimizer
from minires.settings import in_range


class Adam(Optimizer):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε) with g = ∂L/∂x + λ·x.

    λ weight_decay, m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = updates of x so far  [Kingma & Ba 2015, Alg. 1].
    """

    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        if amsgrad:
            raise OptionError(
                f"{type(self).__name__}: amsgrad is not implemented; leave it out, as torch does by default"
            )
        super().__init__(params, maximize=maximize, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, group):
        super().check(group)
        group["eps"] = in_range("eps", group["eps"], 0)
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise OptionError(f"betas must be two numbers, got {group['betas']!r}")
        group["betas"] = tuple(in_range("betas", beta, 0, 1, open_above=True) for beta in group["betas"])

    def slots(self, group):
        return "exp_avg", "exp_avg_sq"

    def update(self, xs, dxs, states, group, t, first):
        if first:
            for x, state in zip(xs, states):
                zeros_like = array_module(x).zeros_like
                state.update(exp_avg=zeros_like(x), exp_avg_sq=zeros_like(x))
        ms, vs = ([state[name] for state in states] for name in self.slots(group))
        beta1, beta2 = group["betas"]
        kernels.adam(
            xs,
            dxs,
            ms,
            vs,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.decoupled,
            t=t,
        )


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: x ← x − lr·λ·x, then Adam's step with g = ∂L/∂x.

    lr scales the decay, as in torch.optim.AdamW; in the paper only its schedule does  [Loshchilov & Hutter 2019].
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
