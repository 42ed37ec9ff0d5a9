"""Initial weights that several families share."""

from minires.models.blocks import Block
from minires.nn import Conv2d, init


def init_convolutions(model, mode, rng):
    """Kaiming normal for every convolution [He et al. 2015b]; mode "fan_out" as torchvision, "fan_in" as the paper."""
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu", rng=rng)


def zero_branches(model):
    """Weights 0 in the last layer of each branch: every block starts as its shortcut  [Goyal et al. 2017, §5.1].

    In the paper's blocks that layer is a norm and its weight γ; a pre-activation branch ends with a convolution.
    """
    for module in model.modules():
        if isinstance(module, Block):
            init.constant_(module.last.weight, 0.0)
