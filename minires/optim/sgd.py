"""Stochastic gradient descent."""

from minires import kernels
from minires.annotations import Params
from minires.arrays import array_module
from minires.errors import OptionError
from minires.optim.optimizer import Optimizer
from minires.settings import in_range


class SGD(Optimizer):
    """v ← μ·v + (1 − dampening)·g with g = ∂L/∂x + λ·x; x ← x − lr·v, or x − lr·(g + μ·v) with nesterov.

    μ momentum, λ weight_decay. The first v is g, as in torch.optim.SGD  [Polyak 1964; Sutskever et al. 2013].
    μ and dampening are from 0 to 1. torch takes any μ, but above 1 v would grow even if all gradients were 0.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            maximize=maximize,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def check(self, group):
        super().check(group)
        for name in ("momentum", "dampening"):
            group[name] = in_range(name, group[name], 0, 1)
        if not isinstance(group["nesterov"], bool):
            raise OptionError(f"nesterov must be True or False, got {group['nesterov']!r}")
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise OptionError(
                "nesterov needs a momentum above 0 and no dampening, got momentum="
                f"{group['momentum']}, dampening={group['dampening']}"
            )

    def slots(self, group):
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, xs, dxs, states, group, t, first):
        if first and group["momentum"]:
            for x, state in zip(xs, states):
                state["momentum_buffer"] = array_module(x).empty_like(x)
        vs = [state.get("momentum_buffer") for state in states]
        kernels.sgd(
            xs,
            dxs,
            vs,
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            first=first,
        )
