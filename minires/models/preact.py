"""Pre-activation ResNet-18/34/50/101/152/200 for ImageNet, "v2"  [He et al. 2016, arXiv:1603.05027, §5 and Table 5].

Norm and ReLU come before each convolution, and nothing comes after the add:

    x ──┬─ norm ─ relu ─┬─ 1×1 ─ norm ─ relu ─ 3×3 ─ norm ─ relu ─ 1×1 ── + ──
        │               └─ 1×1 ─┐ where the shape changes                 │
        └───────────────────────┴─────────────────────────────────────────┘

As in the authors' code and in timm's resnetv2, a shortcut that changes the shape starts after the first ReLU, and has
no norm. Names are those of ResNet, with the last norm as `bn`.
"""

from typing import TYPE_CHECKING, Any

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.blocks import Block, make_shortcut
from minires.models.registry import define, register
from minires.models.resnet import ResNet
from minires.nn import BatchNorm2d, Conv2d, Identity, Sequential, chain
from minires.ops import relu, residual_add
from minires.random import generator
from minires.tensor import Tensor


class ActivationFirstBlock(Block):
    """H(x) = x + F(x), or P·a + F(x) where the shape changes, with a = relu(bn1(x)) and a projection P.

    F = rest∘relu∘bn1. A subclass has bn1, the downsample of projection_shortcut(), and rest().
    """

    ends_in_relu = False

    @property
    def projects(self) -> bool:
        """Whether the shortcut changes the shape, and so starts at a = relu(bn1(x))."""
        return self.residual and not isinstance(self.downsample, Identity)

    def activated(self, x):
        return chain(x, self.bn1, relu)

    def rest(self, a):
        raise NotImplementedError

    def F(self, x):
        return self.rest(self.activated(x))

    def shortcut(self, x: TensorLike) -> Any:
        return self.downsample(self.activated(x) if self.projects else x)

    def forward(self, x: TensorLike) -> Tensor:
        start: Any = self.activated(x) if self.projects else x  # where both ways start
        f = self.branch_or_none(start, self.rest if self.projects else self.F)
        if not self.residual:
            return start if f is None else f
        return self.downsample(start) if f is None else residual_add(self.downsample(start), f)


def projection_shortcut(kind, in_channels, out_channels, stride, rng):
    """A 1×1 convolution without norm, but the identity where the shape stays; None for kind None, a plain block."""
    if kind not in ("B", None):
        raise OptionError(f"shortcut must be 'B' or None here, got {kind!r}")
    if kind is None or (stride == 1 and in_channels == out_channels):
        return make_shortcut(kind, in_channels, out_channels, stride)
    return Sequential(Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng))


class PreActBasicBlock(ActivationFirstBlock):
    """F = conv2∘relu∘bn2∘conv1∘relu∘bn1, two 3×3 convolutions  [He et al. 2016, Fig. 4e].

    x (N,in_channels,H,W) -> (N,channels,H/stride,W/stride). shortcut: "B", or None for a plain block.
    """

    expansion = 1

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str | None = "B", rng: Rng = None
    ) -> None:
        rng = generator(rng)
        self.bn1 = BatchNorm2d(in_channels)
        self.conv1 = Conv2d(in_channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.downsample = projection_shortcut(shortcut, in_channels, channels, stride, rng)

    def rest(self, a):
        return chain(a, self.conv1, self.bn2, relu, self.conv2)

    @property
    def last(self):
        return self.conv2


class PreActBottleneck(ActivationFirstBlock):
    """F = conv3∘relu∘bn3∘conv2∘relu∘bn2∘conv1∘relu∘bn1: 1×1 down, 3×3 with the stride, 1×1 up to 4·channels.

    x (N,in_channels,H,W) -> (N,4·channels,H/stride,W/stride). shortcut as in PreActBasicBlock.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str | None = "B", rng: Rng = None
    ) -> None:
        rng = generator(rng)
        out = channels * self.expansion
        self.bn1 = BatchNorm2d(in_channels)
        self.conv1 = Conv2d(in_channels, channels, 1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn3 = BatchNorm2d(channels)
        self.conv3 = Conv2d(channels, out, 1, bias=False, rng=rng)
        self.downsample = projection_shortcut(shortcut, in_channels, out, stride, rng)

    def rest(self, a):
        return chain(a, self.conv1, self.bn2, relu, self.conv2, self.bn3, relu, self.conv3)

    @property
    def last(self):
        return self.conv3


class PreActResNet(ResNet):
    """ResNet of pre-activation blocks, with a norm and a ReLU after the last block and none after conv1.

    x (N,in_channels,H,W) -> logits (N,num_classes). The first norm is that of the first block, behind the max-pool.
    """

    bn: BatchNorm2d

    if not TYPE_CHECKING:  # a checker uses ResNet's __init__, because **options would accept every name

        def __init__(self, block, blocks, **options):
            super().__init__(block, blocks, **options)
            del self.bn1  # the first block has its own
            self.bn = BatchNorm2d(self.fc.in_features)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.maxpool)  # (N,C,224,224) -> (N,64,56,56)
        x = chain(x, self.layer1, self.layer2, self.layer3, self.layer4, self.bn, relu)  # -> (N,width,7,7)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.fc(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: preact_resnet50(num_classes=10).
preact_resnet18 = define(PreActResNet, PreActBasicBlock, (2, 2, 2, 2))
preact_resnet34 = define(PreActResNet, PreActBasicBlock, (3, 4, 6, 3))
preact_resnet50 = define(PreActResNet, PreActBottleneck, (3, 4, 6, 3))
preact_resnet101 = define(PreActResNet, PreActBottleneck, (3, 4, 23, 3))
preact_resnet152 = define(PreActResNet, PreActBottleneck, (3, 8, 36, 3))
preact_resnet200 = define(PreActResNet, PreActBottleneck, (3, 24, 36, 3))

register(globals())  # finds these functions: create("preact_resnet50") takes the name of the variable
