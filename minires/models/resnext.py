"""ResNeXt-50 (32×4d), 101 (32×8d, 64×4d) for ImageNet, and ResNeXt-29 (8×64d) for CIFAR.

A bottleneck whose 3×3 convolution is split into groups, parallel to one another  [Xie et al. 2017, arXiv:1611.05431].
32×4d: 32 groups of 4 channels in the first stage. For about the same cost the network is wider there (Fig. 3c):

           256                      256
         1×1, 64                  1×1, 128
         3×3, 64         ->       3×3, 128, groups = 32
         1×1, 256                 1×1, 256
          + 256                    + 256
         ResNet-50                ResNeXt-50 (32×4d)

Parameters have torchvision's names and numbers.
"""

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.blocks import Bottleneck, make_stage
from minires.models.initialization import init_convolutions, zero_branches
from minires.models.registry import define, register
from minires.models.resnet import ResNet
from minires.nn import BatchNorm2d, Conv2d, Linear, Module, chain
from minires.nn.checks import flag, whole
from minires.ops import relu
from minires.random import generator
from minires.tensor import Tensor


class CifarResNeXt(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 32×32 and any size from 1 up  [Xie et al. 2017, §5.3].

    depth: 9n + 2. Three stages have n bottlenecks each, of 256, 512 and 1024 channels at 32×32, 16×16 and 8×8 pixels.
    groups, width_per_group: of the first stage; the second has twice the width, and the third four times.
    width: 64; another number makes all channels more or fewer in proportion, also those of the groups.
    shortcut: "B" (projection), "A" (padding) or None (plain).
    zero_init_residual: γ = 0 in the last norm of each branch.
    """

    image_size = 32

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        width: int = 64,
        shortcut: str | None = "B",
        groups: int = 8,
        width_per_group: int = 64,
        zero_init_residual: bool = False,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarResNeXt") < 11 or depth % 9 != 2:
            raise OptionError(f"a CIFAR ResNeXt has 9n + 2 layers (11, 20, 29, …), got depth {depth}")
        flag(zero_init_residual, "zero_init_residual", "CifarResNeXt")
        n = (depth - 2) // 9
        rng = generator(rng)
        in_channels = whole(in_channels, "in_channels", "CifarResNeXt")
        num_classes = whole(num_classes, "num_classes", "CifarResNeXt")
        options = {"shortcut": shortcut, "groups": groups, "width_per_group": width_per_group, "rng": rng}
        C = whole(width, "width", "CifarResNeXt")
        self.conv1 = Conv2d(in_channels, C, 3, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(C)
        self.layer1, channels = make_stage(Bottleneck, C, C, n, stride=1, **options)
        self.layer2, channels = make_stage(Bottleneck, channels, 2 * C, n, stride=2, **options)
        self.layer3, channels = make_stage(Bottleneck, channels, 4 * C, n, stride=2, **options)
        self.linear = Linear(channels, num_classes, rng=rng)
        init_convolutions(self, "fan_out", rng)
        if zero_init_residual:
            zero_branches(self)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.bn1, relu, self.layer1, self.layer2, self.layer3)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: resnext50_32x4d(num_classes=10).
resnext50_32x4d = define(ResNet, Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4)
resnext101_32x8d = define(ResNet, Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8)
resnext101_64x4d = define(ResNet, Bottleneck, (3, 4, 23, 3), groups=64, width_per_group=4)
resnext29_8x64d = define(CifarResNeXt, 29, groups=8, width_per_group=64)
resnext20 = define(CifarResNeXt, 20, groups=8)

register(globals())  # finds these functions: create("resnext50_32x4d") takes the name of the variable
