"""VGG-11/13/16/19 for ImageNet, with and without batch norm  [Simonyan & Zisserman 2015, arXiv:1409.1556].

The plain network before ResNet: 3×3 convolutions, a ReLU after each, and a 2×2 max-pool after each stage, which halves
the map. Then three linear layers, in which most of the weights are.

    channels   64   128   256   512   512      4096  4096  1000
    pixels    224   112    56    28    14    7
               │     │     │     │     │         ╲  │  ╱
    VGG-11     1     1     2     2     2           3        convolutions in each stage, linear layers (Table 1, A)
    VGG-13     2     2     2     2     2           3        B
    VGG-16     2     2     3     3     3           3        D
    VGG-19     2     2     4     4     4           3        E

Parameters have torchvision's names, numbers and first values. Batch norm is younger than the paper.
"""

from collections.abc import Sequence

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.errors import OptionError
from minires.models.initialization import init_convolutions
from minires.models.registry import define, register
from minires.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    chain,
    init,
)
from minires.nn.checks import flag, whole
from minires.random import generator
from minires.tensor import Tensor

CHANNELS = (64, 128, 256, 512, 512)


class VGG(Module):
    """x (N,in_channels,H,W) -> logits (N,num_classes), for 224×224 and any size from 32 up.

    convolutions: their number in each of the five stages. channels: those of each stage. hidden: the width of the two
    linear layers before the last, each with dropout behind it.
    """

    image_size = 224  # height and width of the images in the paper

    def __init__(
        self,
        convolutions: Sequence[int],
        *,
        batch_norm: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        channels: Sequence[int] = CHANNELS,
        hidden: int = 4096,
        dropout: float = 0.5,
        rng: Rng = None,
    ) -> None:
        for name, numbers in (("convolutions", convolutions), ("channels", channels)):
            if not isinstance(numbers, (tuple, list)) or len(numbers) != 5:
                raise OptionError(f"VGG: {name} must be five numbers, one for each stage, got {numbers!r}")
        flag(batch_norm, "batch_norm", "VGG")
        rng = generator(rng)
        hidden = whole(hidden, "hidden", "VGG")
        width = whole(in_channels, "in_channels", "VGG")
        layers: list[Module] = []
        for count, out in zip(convolutions, channels):
            for _ in range(whole(count, "convolutions", "VGG")):
                layers.append(Conv2d(width, out, 3, padding=1, rng=rng))
                if batch_norm:
                    layers.append(BatchNorm2d(out))
                layers.append(ReLU())
                width = out
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d(7)
        self.classifier = Sequential(
            Linear(width * 7 * 7, hidden, rng=rng),
            ReLU(),
            Dropout(dropout, rng=rng),
            Linear(hidden, hidden, rng=rng),
            ReLU(),
            Dropout(dropout, rng=rng),
            Linear(hidden, whole(num_classes, "num_classes", "VGG"), rng=rng),
        )
        init_convolutions(self, "fan_out", rng)
        for module in self.modules():
            if isinstance(module, Linear):
                init.normal_(module.weight, 0.0, 0.01, rng=rng)
            if isinstance(module, (Linear, Conv2d)):
                init.zeros_(module.bias)

    def forward(self, x: TensorLike) -> Tensor:
        x = chain(x, self.features, self.avgpool)  # (N,C,224,224) -> (N,512,7,7)
        return self.classifier(ops.flatten(x, start_dim=1))


# define(class, its arguments) makes a function of the options that are left: vgg16(num_classes=10) -> network.
vgg11 = define(VGG, (1, 1, 2, 2, 2), batch_norm=False)
vgg13 = define(VGG, (2, 2, 2, 2, 2), batch_norm=False)
vgg16 = define(VGG, (2, 2, 3, 3, 3), batch_norm=False)
vgg19 = define(VGG, (2, 2, 4, 4, 4), batch_norm=False)
vgg11_bn = define(VGG, (1, 1, 2, 2, 2), batch_norm=True)
vgg13_bn = define(VGG, (2, 2, 2, 2, 2), batch_norm=True)
vgg16_bn = define(VGG, (2, 2, 3, 3, 3), batch_norm=True)
vgg19_bn = define(VGG, (2, 2, 4, 4, 4), batch_norm=True)

register(globals())  # finds these functions: create("vgg16") takes the name of the variable
