"""What is timed: minires' own models; the other libraries build the same networks, with the same weights, from them."""

from collections import namedtuple

import numpy as np

from minires import models
from minires.models.blocks import Block
from minires.nn import Linear

LR, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4  # a rate at which random labels are learned, and nothing overflows

# stem: (convolution, norm); pool: the max-pool behind it or None; blocks: a list; head: the classifier
Anatomy = namedtuple("Anatomy", "stem pool blocks head")


def anatomy(model):
    """The parts of a ResNet, from the picture to the logits; a mean over each map stands before the head."""
    modules = list(model.modules())
    return Anatomy((model.conv1, model.bn1), getattr(model, "maxpool", None),
                   [m for m in modules if isinstance(m, Block)], next(m for m in modules if isinstance(m, Linear)))


def branch(block):
    """[(convolution, norm), …] of a block; a ReLU stands between any two."""
    return [(getattr(block, f"conv{i}"), getattr(block, f"bn{i}")) for i in (1, 2, 3) if hasattr(block, f"conv{i}")]


def create(name):
    return models.create(name, rng=0)


def batch(model, size, count):
    """`count` random pictures (N,3,size,size) and their labels; the same ones for every contender."""
    rng = np.random.default_rng(0)
    classes = anatomy(model).head.weight.shape[0]
    return rng.standard_normal((count, 3, size, size), dtype=np.float32), rng.integers(0, classes, count)
