"""The CIFAR ResNets of 6n + 2 layers [He et al. 2015, §4.2], plain and pre-activation ones.

Three stages have n basic blocks each, with 16, 32 and 64 channels at 32×32, 16×16 and 8×8 pixels. With the first
convolution and the classifier these are 6n + 2 layers. The paper's shortcut is option A, which has no parameters.
So a plain network has the same parameters as its residual twin.
"""

from typing import TYPE_CHECKING

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.blocks import BasicBlock, Block, PreActBlock, make_stage
from minires.models.initialization import begin_branches, init_convolutions, zero_branches
from minires.models.orders import ORDERS
from minires.models.registry import define, register
from minires.models.variants import ChannelAffine, add_stochastic_depth, remove_norms
from minires.nn import BatchNorm2d, Conv2d, Linear, Module, chain, init
from minires.nn.checks import flag, one_of, whole
from minires.ops import relu
from minires.random import generator
from minires.tensor import Tensor


class CifarResNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 32×32 and any size from 1 up.

    depth: 6n + 2. width: the channels of the first stage; the next ones have 2 and 4 times as many.
    shortcut, where the shape changes: "A" (padding) or "B" (projection); None for a plain network.
    zero_init_residual: weights 0 in the last layer of each branch.
    Further options are for experiments. shortcut: another kind; see make_shortcut. order: of the parts of a block; see
    orders.py. norm: "batch"; None leaves a factor and a bias a channel in place of each norm.
    branches: how their weights begin, "he", "scaled" or "fixup"; see begin_branches.
    stochastic_depth: how likely the last block is left out in training; the first blocks less  [Huang et al. 2016].
    """

    block: type[Block] = BasicBlock
    image_size = 32  # height and width of the images in the paper

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        width: int = 16,
        shortcut: str | None = "A",
        zero_init_residual: bool = False,
        order: str = "original",
        norm: str | None = "batch",
        branches: str = "he",
        stochastic_depth: float = 0.0,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarResNet") < 8 or depth % 6 != 2:
            raise OptionError(f"a CIFAR ResNet has 6n + 2 layers (8, 14, 20, …), got depth {depth}")
        flag(zero_init_residual, "zero_init_residual", "CifarResNet")
        one_of(order, ORDERS, "order", "CifarResNet")
        if norm not in ("batch", None):
            raise OptionError(f"norm must be 'batch' or None, got {norm!r}")
        if order != "original" and self.block is not BasicBlock:
            raise OptionError(f"order {order!r} is one of basic blocks, not of {self.block.__name__}")
        block = self.block if order == "original" else ORDERS[order]
        n = (depth - 2) // 6
        rng = generator(rng)
        in_channels = whole(in_channels, "in_channels", "CifarResNet")
        num_classes = whole(num_classes, "num_classes", "CifarResNet")
        C = whole(width, "width", "CifarResNet")
        self.conv1 = Conv2d(in_channels, C, 3, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(C)
        self.layer1, channels = make_stage(block, C, C, n, stride=1, shortcut=shortcut, rng=rng)
        self.layer2, channels = make_stage(block, channels, 2 * C, n, stride=2, shortcut=shortcut, rng=rng)
        self.layer3, channels = make_stage(block, channels, 4 * C, n, stride=2, shortcut=shortcut, rng=rng)
        self.linear = Linear(channels, num_classes, rng=rng)
        init_convolutions(self, "fan_in", rng)
        init.kaiming_normal_(self.linear.weight, rng=rng)
        if norm is None:
            remove_norms(self)
        begin_branches(self, branches)
        if zero_init_residual:
            zero_branches(self)
        add_stochastic_depth(self, stochastic_depth, rng)
        self.order = order

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.bn1, relu, self.layer1, self.layer2, self.layer3)
        if self.order == "relu_first":
            x = relu(x)  # because the last block has none
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


class PreActCifarResNet(CifarResNet):
    """CifarResNet of pre-activation blocks, with a norm and a ReLU after the last block  [He et al. 2016, Appendix].

    The number of parameters is the same. The norm of 16 channels after conv1 becomes one of 64 at the end, and the two
    blocks that widen normalize 16 and 32 channels instead of 32 and 64. In the paper the first activation comes before
    the first block splits; here that shortcut takes x itself, as all others do.
    """

    block = PreActBlock
    bn: BatchNorm2d

    if not TYPE_CHECKING:  # a checker uses CifarResNet's __init__, because **options would accept every name

        def __init__(self, depth, **options):
            super().__init__(depth, **options)
            del self.bn1  # the first block has its own
            channels = self.linear.in_features
            self.bn = BatchNorm2d(channels) if options.get("norm", "batch") else ChannelAffine(channels)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.layer1, self.layer2, self.layer3, self.bn, relu)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.linear(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: resnet20(num_classes=10) -> network.
resnet8 = define(CifarResNet, 8)
resnet14 = define(CifarResNet, 14)
resnet20 = define(CifarResNet, 20)
resnet32 = define(CifarResNet, 32)
resnet44 = define(CifarResNet, 44)
resnet56 = define(CifarResNet, 56)
resnet110 = define(CifarResNet, 110)
resnet1202 = define(CifarResNet, 1202)
plain8 = define(CifarResNet, 8, shortcut=None)
plain14 = define(CifarResNet, 14, shortcut=None)
plain20 = define(CifarResNet, 20, shortcut=None)
plain32 = define(CifarResNet, 32, shortcut=None)
plain44 = define(CifarResNet, 44, shortcut=None)
plain56 = define(CifarResNet, 56, shortcut=None)
plain110 = define(CifarResNet, 110, shortcut=None)
preact_resnet20 = define(PreActCifarResNet, 20, order="original")
preact_resnet32 = define(PreActCifarResNet, 32, order="original")
preact_resnet44 = define(PreActCifarResNet, 44, order="original")
preact_resnet56 = define(PreActCifarResNet, 56, order="original")
preact_resnet110 = define(PreActCifarResNet, 110, order="original")

register(globals())  # finds these functions: create("resnet20") takes the name of the variable
