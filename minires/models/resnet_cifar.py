"""The CIFAR ResNets of 6n + 2 layers [He et al. 2015, §4.2], their plain twins, and their pre-activation form.

Three stages of n basic blocks with 16, 32 and 64 channels on 32×32, 16×16 and 8×8 maps; the first convolution and the
classifier make 6n + 2. The paper's shortcut is option A, without parameters, so that a plain twin has as many.
"""

from typing import TYPE_CHECKING

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.blocks import BasicBlock, Block, PreActBlock, make_stage
from minires.models.registry import define
from minires.models.resnet import check_ends, init_convolutions, zero_branches
from minires.nn import BatchNorm2d, Conv2d, Linear, Module, chain, init
from minires.nn.checks import flag, whole
from minires.ops import relu
from minires.random import generator
from minires.tensor import Tensor


class CifarResNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes); made for 32×32, takes any size from 1 up.

    depth: 6n + 2; shortcut: "A" (padding), "B" (projections where the shape changes) or None (plain);
    zero_init_residual: weights 0 in the last layer of each branch.
    """

    block: type[Block] = BasicBlock

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: str | None = "A",
        zero_init_residual: bool = False,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarResNet") < 8 or depth % 6 != 2:
            raise OptionError(f"a CIFAR ResNet has 6n + 2 layers (8, 14, 20, …), got depth {depth}")
        flag(zero_init_residual, "zero_init_residual", "CifarResNet")
        n = (depth - 2) // 6
        rng = generator(rng)
        in_channels, num_classes = check_ends("CifarResNet", in_channels, num_classes)
        self.conv1 = Conv2d(in_channels, 16, 3, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(16)
        self.layer1, width = make_stage(self.block, 16, 16, n, stride=1, shortcut=shortcut, rng=rng)
        self.layer2, width = make_stage(self.block, width, 32, n, stride=2, shortcut=shortcut, rng=rng)
        self.layer3, width = make_stage(self.block, width, 64, n, stride=2, shortcut=shortcut, rng=rng)
        self.linear = Linear(width, num_classes, rng=rng)
        init_convolutions(self, "fan_in", rng)
        init.kaiming_normal_(self.linear.weight, rng=rng)
        if zero_init_residual:
            zero_branches(self)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.bn1, relu, self.layer1, self.layer2, self.layer3)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


class PreActCifarResNet(CifarResNet):
    """The same of pre-activation blocks, with a norm and a ReLU after the last of them  [He et al. 2016, Appendix].

    It has exactly as many parameters: the stem's norm of 16 channels becomes one of 64 at the end, and the two blocks
    that widen normalise 16 and 32 channels where the others have 32 and 64. The paper has the first activation before
    the first block splits; here the shortcut takes x itself there too.
    """

    block = PreActBlock
    bn: BatchNorm2d

    if not TYPE_CHECKING:  # a checker takes CifarResNet's options, and would accept every name for **options

        def __init__(self, depth, **options):
            super().__init__(depth, **options)
            del self.bn1  # the first block normalises for itself
            self.bn = BatchNorm2d(64)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.layer1, self.layer2, self.layer3, self.bn, relu)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


resnet8 = define("resnet8", CifarResNet, 8)
resnet20 = define("resnet20", CifarResNet, 20)
resnet32 = define("resnet32", CifarResNet, 32)
resnet44 = define("resnet44", CifarResNet, 44)
resnet56 = define("resnet56", CifarResNet, 56)
resnet110 = define("resnet110", CifarResNet, 110)
resnet1202 = define("resnet1202", CifarResNet, 1202)
plain8 = define("plain8", CifarResNet, 8, shortcut=None)
plain20 = define("plain20", CifarResNet, 20, shortcut=None)
plain32 = define("plain32", CifarResNet, 32, shortcut=None)
plain44 = define("plain44", CifarResNet, 44, shortcut=None)
plain56 = define("plain56", CifarResNet, 56, shortcut=None)
plain110 = define("plain110", CifarResNet, 110, shortcut=None)
preact_resnet20 = define("preact_resnet20", PreActCifarResNet, 20)
preact_resnet32 = define("preact_resnet32", PreActCifarResNet, 32)
preact_resnet44 = define("preact_resnet44", PreActCifarResNet, 44)
preact_resnet56 = define("preact_resnet56", PreActCifarResNet, 56)
preact_resnet110 = define("preact_resnet110", PreActCifarResNet, 110)
