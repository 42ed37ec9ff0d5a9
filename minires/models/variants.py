"""Changes of a whole network, for experiments: without norms, and with stochastic depth."""

from minires.annotations import TensorLike
from minires.errors import OptionError
from minires.models.blocks import Block
from minires.nn import BatchNorm2d, Module, Parameter, StochasticDepth
from minires.nn.layers import filled
from minires.settings import in_range
from minires.tensor import Tensor

__all__: list[str] = []


class ChannelAffine(Module):
    """y = γ·x + β by channel: what is left of a batch norm that does not normalize. γ = 1, β = 0 at first.

    x (N,C,H,W) -> y (N,C,H,W).
    """

    def __init__(self, channels: int) -> None:
        self.weight = Parameter(filled(1, channels))
        self.bias = Parameter(filled(0, channels))

    def forward(self, x: TensorLike) -> Tensor:
        return x * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


def remove_norms(model):
    """Put a ChannelAffine in place of each batch norm. All other weights, and their names, stay the same."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BatchNorm2d):
                setattr(module, name, ChannelAffine(child.num_features))


def add_stochastic_depth(model, p, rng):
    """Leave out block l of L with probability p·l/L in training, so 1 − p is the paper's p_L.

    The whole batch leaves out the same blocks, which are not computed  [Huang et al. 2016, arXiv:1603.09382, eq. 4].
    Raises OptionError for a plain network.
    """
    p = in_range("stochastic_depth", p, 0, 1)
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    if p == 0:
        return
    if not all(block.residual for block in blocks):
        raise OptionError("stochastic_depth needs shortcuts: a plain network has no way around a block")
    for l, block in enumerate(blocks, 1):
        block.drop = StochasticDepth(p * l / len(blocks), "batch", rng=rng)
