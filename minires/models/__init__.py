"""Networks: `resnet50(num_classes=10, rng=0)`, or by name `create("resnet50", num_classes=10)`; `names()` lists them.

The classes they are made of are here, too: `ResNet(BasicBlock, (1, 1, 1, 1))`, `CifarResNet(14)`.

A file holds a family: the class of the network, then one line for each size. A name is written there and nowhere else:

    resnet50 = define(ResNet, Bottleneck, (3, 4, 6, 3))

The last line of the file, `register(globals())`, gives these functions their names. One import below opens the family,
as in `from minires.models.resnet import *`. Then create(), names(), `python -m minires.train`, the reference and type
checkers find its networks.
"""

# ruff: noqa: F403 - a family's file says itself what is public

from typing import TYPE_CHECKING

from minires.models.blocks import *
from minires.models.densenet import *
from minires.models.efficientnet import *
from minires.models.efficientnet import compound_scaling as compound_scaling
from minires.models.features import *
from minires.models.mobilenet import *
from minires.models.preact import *
from minires.models.registry import create as create
from minires.models.registry import names as names
from minires.models.registry import read_options as read_options
from minires.models.resnet import *
from minires.models.resnet_cifar import *
from minires.models.resnext import *
from minires.models.senet import *
from minires.models.squeeze_excitation import *
from minires.models.vgg import *
from minires.models.vit import *
from minires.models.wide import *

if not TYPE_CHECKING:  # a checker finds the names by the imports above
    __all__ = [name for name, value in globals().items() if getattr(value, "__module__", "").startswith(__name__)]
