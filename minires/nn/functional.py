"""torch.nn.functional's names for the ops: `import minires.nn.functional as F`.

The arguments have torch's order. Some ops have fewer arguments or another order, so they get a function here.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.arrays import array_module, is_array
from minires.errors import DTypeError, OptionError
from minires.ops import (
    adaptive_avg_pool2d,
    avg_pool2d,
    binary_cross_entropy_with_logits,
    conv2d,
    cross_entropy,
    gelu,
    l1_loss,
    linear,
    log_softmax,
    max_pool2d,
    mse_loss,
    nll_loss,
    scaled_dot_product_attention,
    sigmoid,
    smooth_l1_loss,
    softmax,
    tanh,
)
from minires.settings import flag
from minires.tensor import Tensor, unwrap
from minires.torch_names import missing

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "conv2d",
    "cross_entropy",
    "dropout",
    "gelu",
    "group_norm",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "tanh",
]


def relu(input: TensorLike, inplace: bool = False) -> Tensor:
    """max(input, 0)"""
    flag("relu: inplace", inplace)
    return ops.relu(input)


def relu6(input: TensorLike, inplace: bool = False) -> Tensor:
    """min(max(input, 0), 6)"""
    flag("relu6: inplace", inplace)
    return ops.relu6(input)


def leaky_relu(input: TensorLike, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where it is > 0, else negative_slope·input"""
    flag("leaky_relu: inplace", inplace)
    return ops.leaky_relu(input, negative_slope=negative_slope)


def silu(input: TensorLike, inplace: bool = False) -> Tensor:
    """input·σ(input)"""
    flag("silu: inplace", inplace)
    return ops.silu(input)


def dropout(
    input: TensorLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, rng: Rng = None
) -> Tensor:
    """Each element 0 with probability p, the others times 1/(1 − p); without training input itself."""
    flag("dropout: inplace", inplace)
    return ops.dropout(input, p=p, training=training, rng=rng)


def pad(input: TensorLike, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """ops.pad with a constant border: value, or 0."""
    if mode != "constant":
        raise OptionError(f"pad: mode must be 'constant', got {mode!r}; make other borders yourself, with ops.cat")
    return ops.pad(input, pad=pad, value=0.0 if value is None else value)


def batch_norm(
    input: TensorLike,
    running_mean: TensorLike | None,
    running_var: TensorLike | None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """ops.batch_norm with torch's order of arguments; γ = 1 and β = 0 unless given."""
    weight, bias = affine(weight, bias, math.prod(np.shape(unwrap(input))[1:2]), input)
    return ops.batch_norm(
        input,
        weight,
        bias,
        running_mean=running_mean,
        running_var=running_var,
        training=training,
        momentum=momentum,
        eps=eps,
    )


def affine(weight, bias, C, x):
    """γ and β for C channels: those given, or ones and zeros with the type and device of x."""
    if weight is not None and bias is not None:
        return weight, bias
    x = unwrap(x)
    if not is_array(x):
        raise DTypeError(f"batch_norm: x must be a Tensor or an array, got {type(x).__name__}")
    xp = array_module(x)
    dtype = x.real.dtype
    return xp.ones(C, dtype) if weight is None else weight, xp.zeros(C, dtype) if bias is None else bias


def layer_norm(
    input: TensorLike,
    normalized_shape: int | Sequence[int],
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """ops.layer_norm with torch's order of arguments."""
    return ops.layer_norm(input, weight, bias, normalized_shape=normalized_shape, eps=eps)


def group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """ops.group_norm with torch's order of arguments."""
    return ops.group_norm(input, weight, bias, num_groups=num_groups, eps=eps)


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.nn.functional", name, ops.__all__)
