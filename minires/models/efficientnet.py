"""EfficientNet-B0 to B7: one network, made deeper, wider and finer by one number  [Tan & Le 2019, arXiv:1905.11946].

Its block is MobileNetV2's inverted residual with a squeeze and excitation, which weighs the channels:

    x ──┬───────────────────────────────────────────────────────────────────────────────── + ──
    (C) └ 1×1·norm·SiLU ─ (t·C) ─ depthwise k×k·norm·SiLU ─ (t·C) ─ SE ─ 1×1·norm ─ (C) ───┘

With d times as many blocks, w times as many channels and r times as many pixels in each direction, a convolutional
network has about d·w²·r² times as many multiply-adds. With 2ᶲ times as many to spend, grow all three together (eq. 3):

    d = αᶲ    w = βᶲ    r = γᶲ    with α = 1.2, β = 1.1, γ = 1.15, so that α·β²·γ² ≈ 2

The paper found α, β and γ by trying small B0s, and then grew B0 by them. compound_scaling(φ) computes d, w and the
image size. The published B1 to B7 are rounded by hand and lie near φ = 0.5, 1, 2, 3.5, 5, 6 and 7, with less depth than
that. So they are listed below (PUBLISHED). Parameters have torchvision's names, numbers and first values.
"""

import math
from typing import Any

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.initialization import init_convolutions
from minires.models.mobile import conv_norm_activation, factor, rounded_width
from minires.models.registry import define, register
from minires.models.squeeze_excitation import SqueezeExcitation
from minires.nn import Conv2d, Dropout, Linear, Module, Sequential, SiLU, StochasticDepth, init
from minires.nn.checks import whole
from minires.ops import residual_add, silu
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor

TABLE_1 = (  # B0: expansion t, kernel k, stride s of the first block, channels c, blocks n
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
PUBLISHED = (  # depth and width as factors of B0's, image size, dropout, and the norms' eps and momentum
    (1.0, 1.0, 224, 0.2, 1e-5, 0.1),  # B0
    (1.1, 1.0, 240, 0.2, 1e-5, 0.1),
    (1.2, 1.1, 260, 0.3, 1e-5, 0.1),
    (1.4, 1.2, 300, 0.3, 1e-5, 0.1),
    (1.8, 1.4, 380, 0.4, 1e-5, 0.1),
    (2.2, 1.6, 456, 0.4, 1e-3, 0.01),
    (2.6, 1.8, 528, 0.5, 1e-3, 0.01),
    (3.1, 2.0, 600, 0.5, 1e-3, 0.01),  # B7
)


def compound_scaling(phi: float) -> tuple[float, float, int]:
    """(depth, width, image size) for 2ᶲ times the multiply-adds of B0: EfficientNet(*compound_scaling(1.0)).

    depth = 1.2ᶲ and width = 1.1ᶲ are factors of B0's, the image size is 224·1.15ᶲ  [Tan & Le 2019, eq. 3 and §4].
    Raises OptionError for a φ below 0 or above 20.
    """
    phi = in_range("compound_scaling: phi", phi, 0, 20)
    return 1.2**phi, 1.1**phi, round(224 * 1.15**phi)


class MBConv(Module):
    """H(x) = x + F(x), or F(x) where the shape changes; F = 1×1 up, depthwise k×k, SE, 1×1 down  [§4].

    x (N,in_channels,H,W) -> (N,out_channels,H/stride,W/stride). expand_ratio: how many times as many channels there
    are in the middle. SE squeezes them to a quarter of in_channels. drop: how likely F(x) of an image is left out in
    training  [Huang et al. 2016]. eps and momentum: of the norms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        *,
        expand_ratio: float = 6,
        drop: float = 0.0,
        eps: float = 1e-5,
        momentum: float = 0.1,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        norm: dict[str, Any] = {"eps": eps, "momentum": momentum, "rng": rng}
        width = rounded_width(in_channels * expand_ratio)
        expand = [] if width == in_channels else [conv_norm_activation(in_channels, width, activation=SiLU, **norm)]
        self.block = Sequential(
            *expand,
            conv_norm_activation(width, width, kernel_size, stride, groups=width, activation=SiLU, **norm),
            SqueezeExcitation(width, max(1, in_channels // 4), activation=silu, rng=rng),
            conv_norm_activation(width, out_channels, **norm),
        )
        self.stochastic_depth = StochasticDepth(drop, "row", rng=rng)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: TensorLike) -> Tensor:
        f = self.block(x)
        return residual_add(x, self.stochastic_depth(f)) if self.has_shortcut else f


class EfficientNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes): B0 with other depth, width and image size  [Tan & Le 2019].

    depth, width: factors of B0's; blocks are rounded up, channels to multiples of 8. image_size: what it is made for.
    dropout: before the classifier. stochastic_depth_prob: p; block l of L is left out for an image in training with
    probability p·l/L, l from 0. norm_eps, norm_momentum: of all norms.
    """

    def __init__(
        self,
        depth: float,
        width: float,
        image_size: int = 224,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        stochastic_depth_prob: float = 0.2,
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        name = type(self).__name__
        depth = factor(f"{name}: depth", depth)
        width = factor(f"{name}: width", width)
        num_classes = whole(num_classes, "num_classes", name)
        in_channels = whole(in_channels, "in_channels", name)
        drop = in_range(f"{name}: stochastic_depth_prob", stochastic_depth_prob, 0, 1)
        norm: dict[str, Any] = {"eps": norm_eps, "momentum": norm_momentum, "rng": rng}
        self.image_size = whole(image_size, "image_size", name)

        channels = rounded_width(32 * width)
        layers = [conv_norm_activation(in_channels, channels, 3, 2, activation=SiLU, **norm)]
        blocks = [math.ceil(n * depth) for *_, n in TABLE_1]
        before = 0  # how many blocks there are before this one
        for (t, k, s, c, _), n in zip(TABLE_1, blocks):
            out = rounded_width(c * width)
            stage = Sequential()
            for i in range(n):
                options: dict[str, Any] = {"expand_ratio": t, "drop": drop * before / sum(blocks), **norm}
                stage.append(MBConv(channels, out, k, s if i == 0 else 1, **options))
                channels = out
                before += 1
            layers.append(stage)
        layers.append(conv_norm_activation(channels, 4 * channels, activation=SiLU, **norm))
        self.features = Sequential(*layers)
        self.classifier = Sequential(Dropout(dropout, rng=rng), Linear(4 * channels, num_classes, rng=rng))
        self._init_weights(rng)

    def _init_weights(self, rng):
        """As in torchvision: the bound of the classifier depends on its outputs, not on its inputs."""
        init_convolutions(self, "fan_out", rng)
        for module in self.modules():
            if isinstance(module, Conv2d) and module.bias is not None:
                init.zeros_(module.bias)
        linear = self.classifier[1]
        bound = 1 / math.sqrt(linear.out_features)
        init.uniform_(linear.weight, -bound, bound, rng=rng)
        init.zeros_(linear.bias)

    def forward(self, x: TensorLike) -> Tensor:
        x = self.features(x)  # (N,C,224,224) -> (N,1280,7,7)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.classifier(ops.flatten(x, start_dim=1))


class EfficientNetB(EfficientNet):
    """EfficientNet-B0 to B7 as published, by their number; see PUBLISHED. dropout=None is the published one.

    x (N,in_channels,H,W) -> logits (N,num_classes).
    """

    def __init__(
        self,
        number: int,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float | None = None,
        stochastic_depth_prob: float = 0.2,
        rng: Rng = None,
    ) -> None:
        if whole(number, "number", "EfficientNetB", 0) >= len(PUBLISHED):
            raise OptionError(
                f"EfficientNetB: there are B0 to B7, got {number}; EfficientNet takes any depth and width"
            )
        depth, width, image_size, published_dropout, eps, momentum = PUBLISHED[number]
        super().__init__(
            depth,
            width,
            image_size,
            num_classes=num_classes,
            in_channels=in_channels,
            dropout=published_dropout if dropout is None else dropout,
            stochastic_depth_prob=stochastic_depth_prob,
            norm_eps=eps,
            norm_momentum=momentum,
            rng=rng,
        )


# define(class, its arguments) makes a function of the options that are left: efficientnet_b0(num_classes=10).
efficientnet_b0 = define(EfficientNetB, 0)
efficientnet_b1 = define(EfficientNetB, 1)
efficientnet_b2 = define(EfficientNetB, 2)
efficientnet_b3 = define(EfficientNetB, 3)
efficientnet_b4 = define(EfficientNetB, 4)
efficientnet_b5 = define(EfficientNetB, 5)
efficientnet_b6 = define(EfficientNetB, 6)
efficientnet_b7 = define(EfficientNetB, 7)

register(globals())  # finds these functions: create("efficientnet_b0") takes the name of the variable
