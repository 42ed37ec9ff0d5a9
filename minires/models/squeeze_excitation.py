"""Squeeze and excitation: weigh each channel by what the whole map shows  [Hu et al. 2018, arXiv:1709.01507, Fig. 2].

    x ─┬──────────────────────────────────────────────── × ─ y
       └ mean ─ fc1 ─ activation ─ fc2 ─ sigmoid ─ s ────┘
         (C)   (C/r)              (C)

The mean over a map squeezes each channel into one number. Two small layers look at all of them, and excite or dampen
each channel. Parameters have the names of torchvision and timm.
"""

from collections.abc import Callable
from typing import Any

from minires.annotations import Rng, TensorLike
from minires.nn import AdaptiveAvgPool2d, Conv2d, Module, chain
from minires.ops import relu, sigmoid
from minires.random import generator
from minires.tensor import Tensor

__all__ = ["SqueezeExcitation"]


class SqueezeExcitation(Module):
    """y = x·σ(W₂·relu(W₁·⟨x⟩ + b₁) + b₂), one factor a channel; ⟨x⟩ is the mean over its map  [§3, eq. 2–4].

    x (N,channels,H,W) -> (N,channels,H,W). squeezed: the width between the two layers, which are 1×1 convolutions.
    activation: in place of the ReLU.
    """

    def __init__(
        self, channels: int, squeezed: int, *, activation: Callable[[Any], Any] = relu, rng: Rng = None
    ) -> None:
        rng = generator(rng)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(channels, squeezed, 1, rng=rng)
        self.fc2 = Conv2d(squeezed, channels, 1, rng=rng)
        self.activation = activation

    def forward(self, x: TensorLike) -> Tensor:
        return x * chain(x, self.avgpool, self.fc1, self.activation, self.fc2, sigmoid)
