"""Residual blocks, H(x) = relu(shortcut(x) + F(x)), and plain blocks, H(x) = relu(F(x)), which have no shortcut.

A pre-activation block begins with a ReLU and has none at the end. Plain and residual networks are made of the same
classes, so that they differ in the add alone.
"""

from typing import Any

from minires.annotations import Rng, TensorLike
from minires.errors import OptionError, ShapeError
from minires.models.shortcuts import KINDS, PadShortcut, WeighingShortcut
from minires.nn import BatchNorm2d, Conv2d, Identity, Module, Sequential, chain
from minires.nn.checks import whole
from minires.ops import relu, residual_add
from minires.random import generator
from minires.tensor import Tensor

__all__ = ["BasicBlock", "Block", "Bottleneck", "PadShortcut", "PreActBlock"]


class Block(Module):
    """Base of all blocks: a branch F and, in a residual block, a shortcut beside it.

    block.active = False deletes the block as if F(x) = 0: its shortcut stays. In a plain block x itself is handed on.
    """

    F: Any  # the residual function of x
    downsample: Any  # the shortcut, under torchvision's name: Identity() where the shape stays, None in a plain block
    drop: Any = None  # nn.StochasticDepth for the branch of a residual block
    ends_in_relu = True
    active = True

    @property
    def residual(self) -> bool:
        """Whether the block adds a shortcut of x to F(x). If not, it is plain."""
        return self.downsample is not None

    def forward(self, x: TensorLike) -> Tensor:
        f = self.branch_or_none(x)
        if f is None:
            return relu(self.without_branch(x))
        if self.residual:
            # H(x) = relu(shortcut(x) + F(x)); chain() may compute both at once, with the same result
            return chain((self.downsample(x), f), residual_add, relu)
        return relu(f)

    def branch_or_none(self, x, branch=None):
        """F(x), or None where the block is switched off, or left out by stochastic depth for this batch."""
        branch = branch or self.branch
        if not self.active:
            return None
        return branch(x) if self.drop is None else self.drop.around(branch, x)

    def shortcut(self, x: TensorLike) -> Any:
        """What a residual block adds to F(x)."""
        return self.downsample(x)

    def branch(self, x: TensorLike) -> Any:
        """F(x); beside a gate, F(x) times the weight that the gate leaves for it."""
        f = self.F(x)
        return f * self.downsample.branch_weight(x) if isinstance(self.downsample, WeighingShortcut) else f

    def without_branch(self, x: TensorLike) -> Any:
        """shortcut(x), or x where there is no shortcut."""
        return self.shortcut(x) if self.residual else x


class BasicBlock(Block):
    """F = bn2∘conv2∘relu∘bn1∘conv1, two 3×3 convolutions  [He et al. 2015, Fig. 5 left].

    x (N,in_channels,H,W) -> (N,channels,H/stride,W/stride).
    shortcut: "B" or "A" where the shape changes, None for a plain block, or another kind; see make_shortcut.
    """

    expansion = 1

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str | None = "B", rng: Rng = None
    ) -> None:
        rng = generator(rng)
        self.conv1 = Conv2d(in_channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels)
        self.downsample = make_shortcut(shortcut, in_channels, channels, stride, rng)

    def F(self, x):
        return chain(x, self.conv1, self.bn1, relu, self.conv2, self.bn2)

    @property
    def last(self):
        return self.bn2


class PreActBlock(Block):
    """F = conv2∘relu∘bn2∘conv1∘relu∘bn1, and nothing after the add  [He et al. 2016, arXiv:1603.05027, Fig. 4e].

    With an identity beside F, ∂L/∂x = ∂L/∂H · (1 + ∂F/∂x) holds exactly: no ReLU masks the gradient between the last
    block and the first. x and shortcut as in BasicBlock. Where the channels change, the authors' own code starts the
    shortcut after relu∘bn1. Here the shortcut takes x itself everywhere, so all blocks are x + F(x).
    """

    expansion = 1
    ends_in_relu = False

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str | None = "B", rng: Rng = None
    ) -> None:
        rng = generator(rng)
        self.bn1 = BatchNorm2d(in_channels)
        self.conv1 = Conv2d(in_channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.downsample = make_shortcut(shortcut, in_channels, channels, stride, rng)

    def F(self, x):
        return chain(x, self.bn1, relu, self.conv1, self.bn2, relu, self.conv2)

    def forward(self, x: TensorLike) -> Tensor:
        f = self.branch_or_none(x)
        if f is None:
            return self.without_branch(x)
        return residual_add(self.downsample(x), f) if self.residual else f

    @property
    def last(self):
        return self.conv2


class Bottleneck(Block):
    """F = 1×1 down, 3×3, 1×1 up to 4·channels  [He et al. 2015, Fig. 5 right].

    x (N,in_channels,H,W) -> (N,4·channels,H/stride,W/stride). variant "v1.5" strides in the 3×3, as torchvision does;
    "v1" in the first 1×1, as the paper does. Both have the same parameters, so loaded weights do not show which it is.
    groups: the 3×3 is this many convolutions, parallel to one another  [Xie et al. 2017, Fig. 3c].
    width_per_group: the channels of each, for channels = 64; it grows with them. 64 for one group is the paper's.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        *,
        shortcut: str | None = "B",
        variant: str = "v1.5",
        groups: int = 1,
        width_per_group: int = 64,
        rng: Rng = None,
    ) -> None:
        if variant not in ("v1", "v1.5"):
            raise OptionError(f"variant must be 'v1' or 'v1.5', got {variant!r}")
        first, middle = (stride, 1) if variant == "v1" else (1, stride)
        rng = generator(rng)
        groups = whole(groups, "groups", "Bottleneck")
        width = channels * whole(width_per_group, "width_per_group", "Bottleneck") // 64 * groups
        if not width and channels > 0:
            raise ShapeError(
                f"Bottleneck: width_per_group must be at least {-(-64 // channels)} with {channels} channels, "
                f"got {width_per_group}; it is the width for 64"
            )
        out = channels * self.expansion
        self.conv1 = Conv2d(in_channels, width, 1, first, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, middle, padding=1, groups=groups, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, out, 1, bias=False, rng=rng)
        self.bn3 = BatchNorm2d(out)
        self.downsample = make_shortcut(shortcut, in_channels, out, stride, rng)

    def F(self, x):
        return chain(x, self.conv1, self.bn1, relu, self.conv2, self.bn2, relu, self.conv3, self.bn3)

    @property
    def last(self):
        return self.bn3


def make_shortcut(kind, in_channels, out_channels, stride, rng=None):
    """The shortcut around a branch: None for kind None, a plain block; the identity where the shape stays.

    Where the shape changes: a 1×1 convolution with batch norm for "B", PadShortcut for "A"  [He et al. 2015, §4.1].
    "C": that convolution in every block. "scale", "exclusive_gate", "shortcut_gate" and "dropout" change the shortcut
    "A" in every block; see shortcuts.py  [He et al. 2016, Table 1].
    """
    if kind not in ("A", "B", "C", *KINDS, None):
        raise OptionError(
            f"shortcut must be 'A', 'B' or None, got {kind!r}; for experiments there are C, {', '.join(KINDS)}"
        )
    if kind is None:
        return None
    same = stride == 1 and in_channels == out_channels
    if kind == "C" or (kind == "B" and not same):
        return Sequential(Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng), BatchNorm2d(out_channels))
    straight = Identity() if same else PadShortcut(in_channels, out_channels, stride)
    return KINDS[kind](straight, in_channels, out_channels, stride, rng) if kind in KINDS else straight


def make_stage(block, in_channels, channels, blocks, *, stride, **options):
    """(Sequential of `blocks` blocks, its output channels). The first block has the stride."""
    layers = []
    for i in range(blocks):
        layers.append(block(in_channels, channels, stride=stride if i == 0 else 1, **options))
        in_channels = channels * block.expansion
    return Sequential(*layers), in_channels
