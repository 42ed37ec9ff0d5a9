"""Initial weights that several families share."""

from minires.errors import OptionError
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


def begin_branches(model, how):
    """Change how the branches begin, which is as above for "he". L: the number of blocks.

    "scaled": the last layer of each branch times 1/√L, so the variance grows (1 + 1/L)ᴸ ≤ e times in all.
    "fixup": that layer is 0, the n convolutions before it are multiplied by L^(−1/2n), and the classifier's weights
    are 0 [Zhang et al. 2019, arXiv:1901.09321, §3.3]. The classifier's bias, which is 0 there, stays random here.
    """
    if how not in ("he", "scaled", "fixup"):
        raise OptionError(f"branches must be 'he', 'scaled' or 'fixup', got {how!r}")
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    L = len(blocks)
    for block in blocks:
        if how == "scaled":
            init.scale_(block.last.weight, L**-0.5)
        elif how == "fixup":  # the children of a block itself: a shortcut's convolution stays
            convs = [m for _, m in block.named_children() if isinstance(m, Conv2d) and m is not block.last]
            for conv in convs:
                init.scale_(conv.weight, L ** (-0.5 / len(convs)))
    if how == "fixup":
        zero_branches(model)
        init.constant_(model.linear.weight, 0.0)
