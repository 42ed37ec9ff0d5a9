"""Layers that normalize: batch, layer and group norm. Names and arguments as in torch.nn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minires import ops
from minires.annotations import Array, TensorLike
from minires.errors import ShapeError
from minires.kernels.window import without_batch
from minires.nn.checks import flag, whole
from minires.nn.functional import affine
from minires.nn.layers import filled, zeros
from minires.nn.module import Module, Parameter
from minires.settings import in_range
from minires.tensor import Tensor, unwrap


def _ones(*shape: int) -> Parameter:
    return Parameter(filled(1, *shape))


class _BatchNorm(Module):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β by channel. In training μ and σ² are the batch's, in eval() running ones.

    momentum: the weight of a batch in the running statistics; None makes them the mean over all batches so far.
    affine=False: no γ and β. track_running_stats=False: the batch's μ and σ² in eval(), too.
    """

    weight: Any  # γ and β: Parameters, or None
    bias: Any
    running_mean: Array
    running_var: Array
    num_batches_tracked: Array
    ranks: tuple[int, ...] = ()  # how many axes x may have
    shapes = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        layer = type(self).__name__
        C = self.num_features = whole(num_features, "num_features", layer)
        self.eps = in_range(f"{layer}: eps", eps, 0)
        self.momentum = None if momentum is None else in_range(f"{layer}: momentum", momentum, 0, 1)
        self.affine = flag(affine, "affine", layer)
        self.track_running_stats = flag(track_running_stats, "track_running_stats", layer)
        self.weight, self.bias = (_ones(C), zeros(C)) if affine else (None, None)
        self.register_buffer("running_mean", filled(0, C) if track_running_stats else None)
        self.register_buffer("running_var", filled(1, C) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)

    def forward(self, x: TensorLike) -> Tensor:
        shape = np.shape(unwrap(x))
        if len(shape) not in self.ranks:
            raise ShapeError(
                f"{type(self).__name__}: x must be {self.shapes}, got {shape}{without_batch(shape, min(self.ranks))}"
            )
        return ops.batch_norm(x, *self.affine_of(x), **self.op_settings())

    def affine_of(self, x):
        """γ and β; without affine ones and zeros with the type and device of x."""
        return affine(self.weight, self.bias, self.num_features, x)

    def uses_batch(self) -> bool:
        """Whether μ and σ² are those of the batch."""
        return self.training or self.running_mean is None

    def op_settings(self):
        """The keyword arguments of ops.batch_norm. In training this also counts the batch."""
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if momentum is None:
                momentum = 1 / int(self.num_batches_tracked)
        return {
            "running_mean": self.running_mean,
            "running_var": self.running_var,
            "training": self.uses_batch(),
            "momentum": momentum,
            "eps": self.eps,
        }

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}    x (N,C) or (N,C,L) -> y of x's shape.\n"
    ranks, shapes = (2, 3), "(N,C) or (N,C,L)"


class BatchNorm2d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}    x (N,C,H,W) -> y of x's shape.\n"
    ranks, shapes = (4,), "(N,C,H,W)"


class LayerNorm(Module):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β over the last axes of each sample. elementwise_affine=False: no γ and β."""

    weight: Any  # γ and β: Parameters, or None
    bias: Any

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        shape = self.normalized_shape = tuple(whole(n, "normalized_shape", "LayerNorm") for n in lengths)
        if not shape:
            raise ShapeError("LayerNorm: normalized_shape must name at least one axis, got ()")
        self.eps = in_range("LayerNorm: eps", eps, 0)
        self.elementwise_affine, has_bias = (
            flag(value, name, "LayerNorm")
            for value, name in ((elementwise_affine, "elementwise_affine"), (bias, "bias"))
        )
        self.weight = _ones(*shape) if elementwise_affine else None
        self.bias = zeros(*shape) if elementwise_affine and has_bias else None

    def forward(self, x: TensorLike) -> Tensor:
        return ops.layer_norm(x, self.weight, self.bias, normalized_shape=self.normalized_shape, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β, with μ and σ² of each sample's groups of channels  [Wu & He 2018]."""

    weight: Any  # γ and β: Parameters, or None
    bias: Any

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        self.num_groups = whole(num_groups, "num_groups", "GroupNorm")
        self.num_channels = whole(num_channels, "num_channels", "GroupNorm")
        if num_channels % num_groups:
            raise ShapeError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}")
        self.eps = in_range("GroupNorm: eps", eps, 0)
        self.affine = flag(affine, "affine", "GroupNorm")
        self.weight, self.bias = (_ones(num_channels), zeros(num_channels)) if affine else (None, None)

    def forward(self, x: TensorLike) -> Tensor:
        return ops.group_norm(x, self.weight, self.bias, num_groups=self.num_groups, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
