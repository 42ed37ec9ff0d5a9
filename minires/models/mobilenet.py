"""MobileNetV2, made for phones: few parameters and multiply-adds  [Sandler et al. 2018, arXiv:1801.04381].

A bottleneck of ResNet is wide, narrow, wide. An inverted residual is narrow, wide, narrow, and what is wide is cheap,
because its 3×3 convolution is depthwise: each channel has one filter of its own, and sees no other channel (Fig. 3b).

    x ──┬────────────────────────────────────────────────────────────────────────────── + ──
    (C) └ 1×1·norm·ReLU6 ─ (t·C) ─ depthwise 3×3·norm·ReLU6 ─ (t·C) ─ 1×1·norm ─ (C) ───┘

No ReLU follows the last norm nor the add, because it would destroy too much of so few channels (§3.2). The shortcut is
there where the shape stays. Parameters have torchvision's names, numbers and first values.
"""

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.initialization import init_convolutions
from minires.models.mobile import conv_norm_activation, factor, rounded_width
from minires.models.registry import define, register
from minires.nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential, init
from minires.nn.checks import whole
from minires.ops import residual_add
from minires.random import generator
from minires.tensor import Tensor

TABLE_2 = (  # expansion t, channels c, blocks n, stride s of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(Module):
    """H(x) = x + F(x), or F(x) where the shape changes; F = 1×1 up, depthwise 3×3, 1×1 down  [§3.3, Table 1].

    x (N,in_channels,H,W) -> (N,out_channels,H/stride,W/stride). expand_ratio: how many times as many channels there
    are in the middle; with 1 there is no first 1×1 convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, *, expand_ratio: float = 6, rng: Rng = None
    ) -> None:
        rng = generator(rng)
        width = round(in_channels * expand_ratio)
        expand = [] if expand_ratio == 1 else [conv_norm_activation(in_channels, width, activation=ReLU6, rng=rng)]
        self.conv = Sequential(
            *expand,
            conv_norm_activation(width, width, 3, stride, groups=width, activation=ReLU6, rng=rng),
            Conv2d(width, out_channels, 1, bias=False, rng=rng),
            BatchNorm2d(out_channels),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: TensorLike) -> Tensor:
        f = self.conv(x)
        return residual_add(x, f) if self.has_shortcut else f


class MobileNetV2(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 224×224 images  [Sandler et al. 2018, Table 2].

    width_mult: a factor of all widths but the last, which never shrinks. Widths are rounded to multiples of
    round_nearest. dropout: before the classifier.
    """

    image_size = 224  # height and width of the images in the paper

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        round_nearest: int = 8,
        dropout: float = 0.2,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        num_classes = whole(num_classes, "num_classes", "MobileNetV2")
        divisor = whole(round_nearest, "round_nearest", "MobileNetV2")
        scale = factor("MobileNetV2: width_mult", width_mult)
        channels = rounded_width(32 * scale, divisor)
        last = rounded_width(1280 * max(1.0, scale), divisor)
        in_channels = whole(in_channels, "in_channels", "MobileNetV2")
        layers: list[Module] = [conv_norm_activation(in_channels, channels, 3, 2, activation=ReLU6, rng=rng)]
        for t, c, n, s in TABLE_2:
            out = rounded_width(c * scale, divisor)
            for i in range(n):
                layers.append(InvertedResidual(channels, out, s if i == 0 else 1, expand_ratio=t, rng=rng))
                channels = out
        layers.append(conv_norm_activation(channels, last, activation=ReLU6, rng=rng))
        self.features = Sequential(*layers)
        self.classifier = Sequential(Dropout(dropout, rng=rng), Linear(last, num_classes, rng=rng))
        init_convolutions(self, "fan_out", rng)
        init.normal_(self.classifier[1].weight, 0.0, 0.01, rng=rng)
        init.zeros_(self.classifier[1].bias)

    def forward(self, x: TensorLike) -> Tensor:
        x = self.features(x)  # (N,C,224,224) -> (N,1280,7,7)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.classifier(ops.flatten(x, start_dim=1))


class CifarMobileNetV2(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 32×32 and any size from 1 up.

    The three stages of a CIFAR ResNet, with n inverted residuals each; the paper has no such network. depth: 9n + 3,
    with the first convolution, the 1×1 convolution at the end, and the classifier.
    width: the channels of the first stage; the next ones have 2 and 4 times as many. expand_ratio: of each block.
    """

    image_size = 32

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        width: int = 16,
        expand_ratio: float = 6,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarMobileNetV2") < 12 or depth % 9 != 3:
            raise OptionError(f"a CIFAR MobileNetV2 has 9n + 3 layers (12, 21, 30, …), got depth {depth}")
        rng = generator(rng)
        in_channels = whole(in_channels, "in_channels", "CifarMobileNetV2")
        num_classes = whole(num_classes, "num_classes", "CifarMobileNetV2")
        channels = C = whole(width, "width", "CifarMobileNetV2")
        layers: list[Module] = [conv_norm_activation(in_channels, C, 3, activation=ReLU6, rng=rng)]
        for out, s in ((C, 1), (2 * C, 2), (4 * C, 2)):
            for i in range(depth // 9):
                stride = s if i == 0 else 1
                layers.append(InvertedResidual(channels, out, stride, expand_ratio=expand_ratio, rng=rng))
                channels = out
        layers.append(conv_norm_activation(channels, 4 * channels, activation=ReLU6, rng=rng))
        self.features = Sequential(*layers)
        self.linear = Linear(4 * channels, num_classes, rng=rng)
        init_convolutions(self, "fan_out", rng)

    def forward(self, x: TensorLike) -> Tensor:
        x = self.features(x)  # (N,C,32,32) -> (N,16·width,8,8)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: mobilenet_v2(num_classes=10) -> network.
mobilenet_v2 = define(MobileNetV2)
mobilenet21 = define(CifarMobileNetV2, 21)

register(globals())  # finds these functions: create("mobilenet_v2") takes the name of the variable
