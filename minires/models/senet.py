"""SE-ResNets for ImageNet and CIFAR: ResNets whose branches weigh their channels  [Hu et al. 2018, arXiv:1709.01507].

    x ──┬── F ──┬────────────────────────────────── × ── + ── relu        (Fig. 3)
        │       └ mean ─ fc1 ─ relu ─ fc2 ─ sigmoid ─┘    │
        │         (C)   (C/r)         (C)                 │
        └─────────────────────────────────────────────────┘

The part at the right is a SqueezeExcitation, which has a file of its own. Parameters have the names and
numbers of timm's SE-ResNets, `seresnet50` there.
"""

from typing import TYPE_CHECKING

from minires.models.blocks import BasicBlock, Bottleneck
from minires.models.registry import define, register
from minires.models.resnet import ResNet
from minires.models.resnet_cifar import CifarResNet
from minires.models.squeeze_excitation import SqueezeExcitation
from minires.nn.checks import whole
from minires.random import generator


class SEBasicBlock(BasicBlock):
    """BasicBlock with a SqueezeExcitation at the end of F. reduction: C channels are squeezed to C/reduction."""

    least = 8  # channels between the two layers, as in timm

    if not TYPE_CHECKING:  # a checker uses BasicBlock's __init__, because **options would accept every name

        def __init__(self, in_channels, channels, stride=1, *, reduction=16, rng=None, **options):
            rng = generator(rng)
            super().__init__(in_channels, channels, stride, rng=rng, **options)
            self.se = squeeze_excitation(channels, reduction, self.least, rng)

    def F(self, x):
        return self.se(super().F(x))


class SEBottleneck(Bottleneck):
    """Bottleneck with a SqueezeExcitation at the end of F. reduction: C channels are squeezed to C/reduction."""

    least = 8

    if not TYPE_CHECKING:  # as above

        def __init__(self, in_channels, channels, stride=1, *, reduction=16, rng=None, **options):
            rng = generator(rng)
            super().__init__(in_channels, channels, stride, rng=rng, **options)
            self.se = squeeze_excitation(channels * self.expansion, reduction, self.least, rng)

    def F(self, x):
        return self.se(super().F(x))


class SECifarBlock(SEBasicBlock):
    """SEBasicBlock for few channels: 16, 32 and 64 of them are squeezed to 1, 2 and 4, as the paper's r = 16 says."""

    least = 1


def squeeze_excitation(channels, reduction, least, rng):
    """A SqueezeExcitation to channels/reduction channels, but not to fewer than `least`."""
    return SqueezeExcitation(channels, max(channels // whole(reduction, "reduction", "SE"), least), rng=rng)


class SECifarResNet(CifarResNet):
    """CifarResNet of blocks with a SqueezeExcitation  [Hu et al. 2018, Table 4]."""

    block = SECifarBlock


# define(class, its arguments) makes a function of the options that are left: se_resnet50(num_classes=10) -> network.
se_resnet18 = define(ResNet, SEBasicBlock, (2, 2, 2, 2))
se_resnet34 = define(ResNet, SEBasicBlock, (3, 4, 6, 3))
se_resnet50 = define(ResNet, SEBottleneck, (3, 4, 6, 3))
se_resnet101 = define(ResNet, SEBottleneck, (3, 4, 23, 3))
se_resnet152 = define(ResNet, SEBottleneck, (3, 8, 36, 3))
se_resnet20 = define(SECifarResNet, 20, order="original")
se_resnet32 = define(SECifarResNet, 32, order="original")
se_resnet44 = define(SECifarResNet, 44, order="original")
se_resnet56 = define(SECifarResNet, 56, order="original")
se_resnet110 = define(SECifarResNet, 110, order="original")

register(globals())  # finds these functions: create("se_resnet50") takes the name of the variable
