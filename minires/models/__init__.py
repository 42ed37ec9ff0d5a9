"""Networks: `resnet50(num_classes=10, rng=0)`, or by name `create("resnet50", …)`; `names()` lists them.

The classes that they are made of are here, too: `ResNet(BasicBlock, (1, 1, 1, 1))`, `CifarResNet(14)`.
"""

from minires.models.blocks import BasicBlock, Block, Bottleneck, PadShortcut, PreActBlock
from minires.models.registry import create, names
from minires.models.resnet import ResNet, plain18, plain34, resnet18, resnet34, resnet50, resnet101, resnet152
from minires.models.resnet_cifar import (
    CifarResNet,
    PreActCifarResNet,
    plain8,
    plain20,
    plain32,
    plain44,
    plain56,
    plain110,
    preact_resnet20,
    preact_resnet32,
    preact_resnet44,
    preact_resnet56,
    preact_resnet110,
    resnet8,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    resnet1202,
)

__all__ = [
    "BasicBlock",
    "Block",
    "Bottleneck",
    "CifarResNet",
    "PadShortcut",
    "PreActBlock",
    "PreActCifarResNet",
    "ResNet",
    "create",
    "names",
    "plain8",
    "plain18",
    "plain20",
    "plain32",
    "plain34",
    "plain44",
    "plain56",
    "plain110",
    "preact_resnet20",
    "preact_resnet32",
    "preact_resnet44",
    "preact_resnet56",
    "preact_resnet110",
    "resnet8",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnet1202",
]
