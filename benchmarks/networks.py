"""The networks that are timed: minires' models. The other libraries copy their structure and weights."""

from collections import namedtuple

from minires import models
from minires.models.blocks import Block
from minires.nn import Dropout, Linear, StochasticDepth

# stem: (convolution, norm); pool: the max pooling after it, or None; blocks: a list; head: the classifier
Anatomy = namedtuple("Anatomy", "stem pool blocks head")


def anatomy(model):
    """The parts of a ResNet, from the image to the logits; the mean over each feature map comes before the head."""
    modules = list(model.modules())
    return Anatomy(
        (model.conv1, model.bn1),
        getattr(model, "maxpool", None),
        [m for m in modules if isinstance(m, Block)],
        next(m for m in modules if isinstance(m, Linear)),
    )


def branch(block):
    """[(convolution, norm), …] of a block, with a ReLU between two of them."""
    return [(getattr(block, f"conv{i}"), getattr(block, f"bn{i}")) for i in (1, 2, 3) if hasattr(block, f"conv{i}")]


def create(name):
    return models.create(name, rng=0)


def without_dropout(model):
    """The network with nothing left out at random, because its copy in another library has no dropout."""
    for module in model.modules():
        if isinstance(module, (Dropout, StochasticDepth)):
            module.p = 0.0
    return model
