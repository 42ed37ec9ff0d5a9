"""Basic blocks with their parts in another order  [He et al. 2016, arXiv:1603.05027, Fig. 4 and Table 2].

    original (a)          H = relu(x + F),        F = norm∘conv∘relu∘norm∘conv            BasicBlock
    norm_after_add (b)    H = relu(norm(x + F)),  F = conv∘relu∘norm∘conv
    relu_before_add (c)   H = x + F,              F = relu∘norm∘conv∘relu∘norm∘conv
    relu_first (d)        H = x + F,              F = norm∘conv∘relu∘norm∘conv∘relu
    full pre-activation (e)   H = x + F,          F = conv∘relu∘norm∘conv∘relu∘norm       PreActBlock

All have the parameters of BasicBlock, under the same names.
"""

from minires.annotations import TensorLike
from minires.models.blocks import BasicBlock
from minires.nn import chain
from minires.ops import relu, residual_add
from minires.tensor import Tensor

__all__: list[str] = []


class NormAfterAddBlock(BasicBlock):
    """H(x) = relu(bn2(shortcut(x) + F(x))): the norm changes what the shortcut carries."""

    def F(self, x):
        return chain(x, self.conv1, self.bn1, relu, self.conv2)

    def forward(self, x: TensorLike) -> Tensor:
        f = self.branch_or_none(x)
        if not self.residual:
            return chain(f, self.bn2, relu)
        shortcut = self.downsample(x)
        return chain(shortcut if f is None else residual_add(shortcut, f), self.bn2, relu)


class BareAddBlock(BasicBlock):
    """H(x) = shortcut(x) + F(x), with nothing after the add."""

    ends_in_relu = False

    def forward(self, x: TensorLike) -> Tensor:
        f = self.branch_or_none(x)
        if f is None:
            return self.downsample(x)
        return residual_add(self.downsample(x), f) if self.residual else f


class ReluBeforeAddBlock(BareAddBlock):
    """F ends in a ReLU, so it is not negative, and H can only grow from block to block."""

    def F(self, x):
        return chain(x, self.conv1, self.bn1, relu, self.conv2, self.bn2, relu)


class ReluFirstBlock(BareAddBlock):
    """F begins with a ReLU, whose input no norm has seen."""

    def F(self, x):
        return chain(x, relu, self.conv1, self.bn1, relu, self.conv2, self.bn2)


ORDERS = {
    "original": BasicBlock,
    "norm_after_add": NormAfterAddBlock,
    "relu_before_add": ReluBeforeAddBlock,
    "relu_first": ReluFirstBlock,
}
