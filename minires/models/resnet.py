"""ResNet-18/34/50/101/152 for ImageNet, and plain-18/34, the same without shortcuts  [He et al. 2015, Table 1].

Parameters have torchvision's names and numbers. Two things differ from the paper: bottlenecks stride in their 3×3
convolution unless variant="v1", and the classifier starts uniform, as torch's Linear does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import DTypeError, OptionError
from minires.models.blocks import BasicBlock, Block, Bottleneck, make_stage
from minires.models.initialization import init_convolutions, zero_branches
from minires.models.registry import define, register
from minires.models.variants import add_stochastic_depth
from minires.nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, chain
from minires.nn.checks import flag, whole
from minires.ops import relu
from minires.random import generator
from minires.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class BlockOptions(TypedDict, total=False):
        """Further settings of a block, for type checkers: without it they accept any name in **options."""

        variant: str
        groups: int
        width_per_group: int
        reduction: int


class ResNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 224×224 and any size from 33 up.

    blocks: their number in each of the four stages. shortcut: "B" (projection), "A" (padding) or None (plain).
    zero_init_residual: γ = 0 in the last norm of each branch, so a block starts as the identity [Goyal 2017].
    stochastic_depth: how likely the last block is left out in training; the first blocks less  [Huang et al. 2016].
    """

    image_size = 224  # height and width of the images in the paper

    def __init__(
        self,
        block: type[Block],
        blocks: Sequence[int],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        shortcut: str | None = "B",
        zero_init_residual: bool = False,
        stochastic_depth: float = 0.0,
        rng: Rng = None,
        **block_options: "Unpack[BlockOptions]",
    ) -> None:
        if not isinstance(block, type):
            raise DTypeError(f"ResNet: block must be a class such as BasicBlock, got {block!r}")
        flag(zero_init_residual, "zero_init_residual", "ResNet")
        if not isinstance(blocks, (tuple, list)) or len(blocks) != 4:
            raise OptionError(f"ResNet: blocks must be four numbers, of the blocks in each stage, got {blocks!r}")
        rng = generator(rng)
        blocks = [whole(n, "blocks", "ResNet") for n in blocks]
        in_channels = whole(in_channels, "in_channels", "ResNet")
        num_classes = whole(num_classes, "num_classes", "ResNet")
        options = {"shortcut": shortcut, "rng": rng, **block_options}
        self.conv1 = Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(64)
        self.maxpool = MaxPool2d(3, stride=2, padding=1)
        self.layer1, width = make_stage(block, 64, 64, blocks[0], stride=1, **options)
        self.layer2, width = make_stage(block, width, 128, blocks[1], stride=2, **options)
        self.layer3, width = make_stage(block, width, 256, blocks[2], stride=2, **options)
        self.layer4, width = make_stage(block, width, 512, blocks[3], stride=2, **options)
        self.fc = Linear(width, num_classes, rng=rng)
        init_convolutions(self, "fan_out", rng)
        if zero_init_residual:
            zero_branches(self)
        add_stochastic_depth(self, stochastic_depth, rng)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.conv1, self.bn1, relu, self.maxpool)  # (N,C,224,224) -> (N,64,56,56)
        x = chain(x, self.layer1, self.layer2, self.layer3, self.layer4)  # -> (N,width,7,7)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.fc(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: resnet18(num_classes=10) -> network.
resnet18 = define(ResNet, BasicBlock, (2, 2, 2, 2))
resnet34 = define(ResNet, BasicBlock, (3, 4, 6, 3))
resnet50 = define(ResNet, Bottleneck, (3, 4, 6, 3))
resnet101 = define(ResNet, Bottleneck, (3, 4, 23, 3))
resnet152 = define(ResNet, Bottleneck, (3, 8, 36, 3))
plain18 = define(ResNet, BasicBlock, (2, 2, 2, 2), shortcut=None)
plain34 = define(ResNet, BasicBlock, (3, 4, 6, 3), shortcut=None)

register(globals())  # finds these functions: create("resnet18") takes the name of the variable
