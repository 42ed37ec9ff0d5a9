"""Wide ResNets: WRN-28-10 and WRN-16-4 for CIFAR, and wide ResNet-50-2 and 101-2 for ImageNet.

Fewer blocks with k times the channels  [Zagoruyko & Komodakis 2016, arXiv:1605.07146]. For CIFAR they are
pre-activation blocks, with dropout between their convolutions (Fig. 1d and Table 1):

    16 ── N blocks of 16k ── N blocks of 32k ── N blocks of 64k ── norm ─ relu ─ mean ─ linear
              32×32              16×16               8×8

    a block: norm ─ relu ─ 3×3 ─ norm ─ relu ─ dropout ─ 3×3, with a shortcut beside it as in preact.py

For ImageNet they are ResNets whose 3×3 convolutions have twice the channels, with torchvision's names.
"""

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.blocks import Bottleneck, make_stage
from minires.models.initialization import init_convolutions, zero_branches
from minires.models.preact import PreActBasicBlock
from minires.models.registry import define, register
from minires.models.resnet import ResNet
from minires.nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, chain, init
from minires.nn.checks import flag, whole
from minires.ops import relu
from minires.random import generator
from minires.tensor import Tensor


class WideBlock(PreActBasicBlock):
    """F = conv2∘dropout∘relu∘bn2∘conv1∘relu∘bn1  [Fig. 1d]. dropout: the probability p; else as PreActBasicBlock."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        *,
        shortcut: str | None = "B",
        dropout: float = 0.0,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        super().__init__(in_channels, channels, stride, shortcut=shortcut, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)

    def rest(self, a):
        return chain(a, self.conv1, self.bn2, relu, self.dropout, self.conv2)


class CifarWideResNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 32×32 and any size from 1 up.

    depth: 6N + 4. widen: k, by which there are more channels than in a CIFAR ResNet.
    dropout: p between the convolutions of a block; the paper takes 0.3 for CIFAR where it takes any.
    shortcut: "B", or None for a plain network. zero_init_residual: weights 0 in the last convolution of each branch.
    """

    image_size = 32

    def __init__(
        self,
        depth: int,
        widen: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        dropout: float = 0.0,
        shortcut: str | None = "B",
        zero_init_residual: bool = False,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarWideResNet") < 10 or depth % 6 != 4:
            raise OptionError(f"a CIFAR wide ResNet has 6N + 4 layers (10, 16, 22, 28, …), got depth {depth}")
        flag(zero_init_residual, "zero_init_residual", "CifarWideResNet")
        k = whole(widen, "widen", "CifarWideResNet")
        n = (depth - 4) // 6
        rng = generator(rng)
        in_channels = whole(in_channels, "in_channels", "CifarWideResNet")
        num_classes = whole(num_classes, "num_classes", "CifarWideResNet")
        options = {"dropout": dropout, "shortcut": shortcut, "rng": rng}
        self.conv1 = Conv2d(in_channels, 16, 3, padding=1, bias=False, rng=rng)
        self.layer1, width = make_stage(WideBlock, 16, 16 * k, n, stride=1, **options)
        self.layer2, width = make_stage(WideBlock, width, 32 * k, n, stride=2, **options)
        self.layer3, width = make_stage(WideBlock, width, 64 * k, n, stride=2, **options)
        self.bn = BatchNorm2d(width)
        self.linear = Linear(width, num_classes, rng=rng)
        init_convolutions(self, "fan_out", rng)
        init.zeros_(self.linear.bias)
        if zero_init_residual:
            zero_branches(self)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.layer1, self.layer2, self.layer3, self.bn, relu)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: wide_resnet16_4(num_classes=100).
wide_resnet50_2 = define(ResNet, Bottleneck, (3, 4, 6, 3), width_per_group=64 * 2)
wide_resnet101_2 = define(ResNet, Bottleneck, (3, 4, 23, 3), width_per_group=64 * 2)
wide_resnet16_4 = define(CifarWideResNet, 16, 4)
wide_resnet28_10 = define(CifarWideResNet, 28, 10)

register(globals())  # finds these functions: create("wide_resnet50_2") takes the name of the variable
