"""What a block adds to its branch: shortcuts that change x, because the question is what the identity is good for.

He et al. 2016, arXiv:1603.05027, §3 and Table 1 put h(x) in place of x. Here S(x) is x where the shape stays and its
padding where it changes, and a block computes h(x) + F(x):

    scale            ½·S(x) + ½·F(x)
    exclusive_gate   (1 − g(x))·S(x) + g(x)·F(x),   g(x) = σ(W_g x + b_g) with 1×1 weights, b_g = −6 at first
    shortcut_gate    (1 − g(x))·S(x) + F(x),        b_g = 0 at first
    dropout          S(x) with half of its elements 0, + F(x)
"""

from minires.annotations import TensorLike
from minires.nn import Conv2d, Dropout, Module, Sequential, init
from minires.ops import pad, sigmoid
from minires.tensor import Tensor

__all__ = ["PadShortcut"]


class PadShortcut(Module):
    """Option A: every stride-th pixel, and zero channels on both sides. No parameters  [He et al. 2015, §3.3]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: TensorLike) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return pad(x, pad=(0, 0, 0, 0, self.before, self.after))


class WeighingShortcut(Module):
    """A shortcut h that weighs the branch, too: the block computes h(x) + branch_weight(x)·F(x)."""

    def branch_weight(self, x: TensorLike) -> Tensor | float:
        raise NotImplementedError


class ScaledShortcut(WeighingShortcut):
    """h(x) = ½·S(x), which leaves the weight ½ for F: over L blocks the identity carries 2⁻ᴸ of the gradient."""

    scale = 0.5

    def __init__(self, straight: Module) -> None:
        self.straight = straight

    def forward(self, x: TensorLike) -> Tensor:
        return self.straight(x) * self.scale

    def branch_weight(self, x):
        return 1 - self.scale


class GatedShortcut(Module):
    """h(x) = (1 − g(x))·S(x) with the gate g(x) = σ(W_g x + b_g), one number a channel and pixel.

    bias: b_g at first; the smaller it is, the closer h(x) is to the identity.
    """

    def __init__(self, straight: Module, gate: Conv2d, bias: float) -> None:
        self.straight = straight
        self.gate = gate  # x (N,C,H,W) -> (N,O,OH,OW), as S(x)
        init.constant_(gate.bias, bias)

    def g(self, x):
        return sigmoid(self.gate(x))

    def forward(self, x: TensorLike) -> Tensor:
        return (1 - self.g(x)) * self.straight(x)


class ExclusiveGatedShortcut(GatedShortcut, WeighingShortcut):
    """h(x) = (1 − g(x))·S(x), which leaves the weight g(x) for F, as in a highway network  [Srivastava et al. 2015]."""

    def branch_weight(self, x):
        return self.g(x)


def _scale(straight, in_channels, out_channels, stride, rng):
    return ScaledShortcut(straight)


def _exclusive_gate(straight, in_channels, out_channels, stride, rng):
    gate = Conv2d(in_channels, out_channels, 1, stride, rng=rng)
    return ExclusiveGatedShortcut(straight, gate, bias=-6.0)  # the paper's best; above it fails


def _shortcut_gate(straight, in_channels, out_channels, stride, rng):
    gate = Conv2d(in_channels, out_channels, 1, stride, rng=rng)
    return GatedShortcut(straight, gate, bias=0.0)


def _dropout(straight, in_channels, out_channels, stride, rng):
    return Sequential(straight, Dropout(0.5, rng=rng))


KINDS = {  # of make_shortcut(): (S, in_channels, out_channels, stride, rng) -> h
    "scale": _scale,
    "exclusive_gate": _exclusive_gate,
    "shortcut_gate": _shortcut_gate,
    "dropout": _dropout,
}
