"""DenseNet-121/161/169/201 for ImageNet, and DenseNet-BC-100 for CIFAR  [Huang et al. 2017, arXiv:1608.06993].

A residual block adds, H(x) = x + F(x). A dense layer keeps both, H(x) = [x, F(x)]: their channels follow each other.
So each layer sees the outputs of all layers before it, unchanged. It needs to find only k new channels itself; k is the
growth rate.

         ┌──────────────────────────────────────────────┐
    x ───┤                                              ├─ [x, F(x)]
    (C)  └─ norm·relu·1×1 ─ (4k) ─ norm·relu·3×3 ─ (k) ─┘  (C + k)

Such layers form a block (Fig. 1). Between two blocks a transition halves the channels and the height and width:
norm, ReLU, 1×1 convolution, 2×2 average pool. Parameters have torchvision's names and numbers.
"""

import re
from collections.abc import Sequence

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.initialization import init_convolutions
from minires.models.registry import define, register
from minires.nn import AvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential, chain, init
from minires.nn.checks import whole
from minires.ops import cat, relu
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor


class DenseLayer(Module):
    """H(x) = [x, F(x)] along the channels, F = conv2∘relu∘norm2∘conv1∘relu∘norm1  [Huang et al. 2017, §3].

    x (N,in_channels,H,W) -> (N,in_channels + growth_rate,H,W). conv1 (1×1) makes bn_size·growth_rate channels of many
    (the B of DenseNet-BC), so that conv2 (3×3) is cheap. drop_rate: of dropout after conv2.
    """

    def __init__(
        self, in_channels: int, growth_rate: int, *, bn_size: int = 4, drop_rate: float = 0.0, rng: Rng = None
    ) -> None:
        rng = generator(rng)
        width = bn_size * growth_rate
        self.norm1 = BatchNorm2d(in_channels)
        self.conv1 = Conv2d(in_channels, width, 1, bias=False, rng=rng)
        self.norm2 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, growth_rate, 3, padding=1, bias=False, rng=rng)
        self.dropout = Dropout(drop_rate, rng=rng)

    def forward(self, x: TensorLike) -> Tensor:
        f = chain(x, self.norm1, relu, self.conv1, self.norm2, relu, self.conv2, self.dropout)
        return cat([x, f], dim=1)


def dense_block(in_channels, layers, growth_rate, **options):
    """(Sequential of dense layers, its output channels): each layer adds growth_rate channels."""
    block = Sequential()
    for i in range(layers):
        block.add_module(f"denselayer{i + 1}", DenseLayer(in_channels, growth_rate, **options))
        in_channels += growth_rate
    return block, in_channels


def transition(in_channels, out_channels, rng):
    """x (N,in_channels,H,W) -> (N,out_channels,H/2,W/2)  [§3, Pooling layers]."""
    return Sequential(
        {
            "norm": BatchNorm2d(in_channels),
            "relu": ReLU(),
            "conv": Conv2d(in_channels, out_channels, 1, bias=False, rng=rng),
            "pool": AvgPool2d(2, stride=2),
        }
    )


class DenseNet(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 224×224 images  [Huang et al. 2017, Table 1].

    growth_rate: the channels k that each layer adds. blocks: the layers of each block.
    bn_size: the first convolution of a layer makes bn_size·k channels. drop_rate: of dropout after its second.
    A transition keeps half of the channels, the C of DenseNet-BC.
    """

    image_size = 224  # height and width of the images in the paper

    def __init__(
        self,
        growth_rate: int,
        blocks: Sequence[int],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        bn_size: int = 4,
        drop_rate: float = 0.0,
        rng: Rng = None,
    ) -> None:
        name = type(self).__name__
        if not isinstance(blocks, (tuple, list)) or not blocks:
            raise OptionError(f"{name}: blocks must be numbers, of the layers in each block, got {blocks!r}")
        blocks = [whole(layers, "blocks", name) for layers in blocks]
        growth_rate = whole(growth_rate, "growth_rate", name)
        num_classes = whole(num_classes, "num_classes", name)
        rng = generator(rng)
        options = {
            "bn_size": whole(bn_size, "bn_size", name),
            "drop_rate": in_range(f"{name}: drop_rate", drop_rate, 0, 1),
            "rng": rng,
        }
        channels = 2 * growth_rate
        self.features = self.stem(whole(in_channels, "in_channels", name), channels, rng)
        for i, layers in enumerate(blocks, 1):
            block, channels = dense_block(channels, layers, growth_rate, **options)
            self.features.add_module(f"denseblock{i}", block)
            if i < len(blocks):
                self.features.add_module(f"transition{i}", transition(channels, channels // 2, rng))
                channels //= 2
        self.features.add_module("norm5", BatchNorm2d(channels))
        self.classifier = Linear(channels, num_classes, rng=rng)
        init_convolutions(self, "fan_in", rng)
        init.zeros_(self.classifier.bias)

    def stem(self, in_channels, channels, rng):
        """The layers before the first block: 7×7 convolution and max-pool, (N,C,224,224) -> (N,channels,56,56)."""
        return Sequential(
            {
                "conv0": Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False, rng=rng),
                "norm0": BatchNorm2d(channels),
                "relu0": ReLU(),
                "pool0": MaxPool2d(3, stride=2, padding=1),
            }
        )

    def adapt_state(self, state):
        """norm.1 and conv.2 of torchvision's first files are norm1 and conv2."""
        return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name): array for name, array in state.items()}

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.features, relu)  # (N,C,224,224) -> (N,channels,7,7)
        x = ops.adaptive_avg_pool2d(x, output_size=1)
        return self.classifier(ops.flatten(x, start_dim=1))


class CifarDenseNet(DenseNet):
    """DenseNet for 32×32 images, with a 3×3 convolution in place of the stem  [Huang et al. 2017, §3 and Table 2].

    depth: 6n + 4. Three blocks have n layers of two convolutions each. growth_rate: the channels k of a layer.
    Without augmentation the paper sets drop_rate=0.2. The last norm has the name that it has in a net of four blocks.
    """

    image_size = 32

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        growth_rate: int = 12,
        bn_size: int = 4,
        drop_rate: float = 0.0,
        rng: Rng = None,
    ) -> None:
        if whole(depth, "depth", "CifarDenseNet") < 10 or depth % 6 != 4:
            raise OptionError(f"a CIFAR DenseNet-BC has 6n + 4 layers (10, 16, 22, …), got depth {depth}")
        super().__init__(
            growth_rate,
            (depth // 6,) * 3,
            num_classes=num_classes,
            in_channels=in_channels,
            bn_size=bn_size,
            drop_rate=drop_rate,
            rng=rng,
        )

    def stem(self, in_channels, channels, rng):
        """The 3×3 convolution before the first block: (N,C,32,32) -> (N,channels,32,32)."""
        return Sequential({"conv0": Conv2d(in_channels, channels, 3, padding=1, bias=False, rng=rng)})


# define(class, its arguments) makes a function of the options that are left: densenet121(num_classes=10) -> network.
densenet121 = define(DenseNet, 32, (6, 12, 24, 16))
densenet161 = define(DenseNet, 48, (6, 12, 36, 24))
densenet169 = define(DenseNet, 32, (6, 12, 32, 32))
densenet201 = define(DenseNet, 32, (6, 12, 48, 32))
densenet_bc22 = define(CifarDenseNet, 22)
densenet_bc100 = define(CifarDenseNet, 100)

register(globals())  # finds these functions: create("densenet121") takes the name of the variable
