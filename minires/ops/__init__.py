"""Differentiable operations: one file an idea, each backward beside its forward.

Every op is called on Tensors, or through `.raw` on bare arrays, where it returns (y, backward):

>>> y, backward = minires.ops.conv2d.raw(x, w, padding=1)
>>> dx, dw = backward(dy)
"""

from typing import TYPE_CHECKING

from minires.op import registry
from minires.ops.activation import gelu, leaky_relu, log_softmax, logsumexp, relu, relu6, sigmoid, silu, softmax, tanh
from minires.ops.arithmetic import abs, add, clip, div, exp, log, maximum, minimum, mul, neg, pow, sqrt, sub, where
from minires.ops.attention import scaled_dot_product_attention
from minires.ops.conv import conv2d
from minires.ops.conv_norm import conv_norm
from minires.ops.dropout import dropout
from minires.ops.equation import einsum
from minires.ops.fused import batch_norm_relu, residual_add_relu
from minires.ops.linear import linear, matmul
from minires.ops.loss import binary_cross_entropy_with_logits, cross_entropy, nll_loss
from minires.ops.norm import batch_norm, group_norm, layer_norm
from minires.ops.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minires.ops.reduce import amax, amin, argmax, argmin, max, mean, min, norm, std, sum, var
from minires.ops.regression import l1_loss, mse_loss, smooth_l1_loss
from minires.ops.residual import residual_add
from minires.ops.shape import (
    broadcast_to,
    cat,
    clone,
    expand,
    flatten,
    getitem,
    pad,
    permute,
    reshape,
    squeeze,
    stack,
    take_along_dim,
    to,
    transpose,
    unsqueeze,
)
from minires.torch_names import missing

__all__ = [
    "abs",
    "adaptive_avg_pool2d",
    "add",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_relu",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "cat",
    "clip",
    "clone",
    "conv2d",
    "conv_norm",
    "cross_entropy",
    "div",
    "dropout",
    "einsum",
    "exp",
    "expand",
    "flatten",
    "gelu",
    "getitem",
    "group_norm",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "mul",
    "neg",
    "nll_loss",
    "norm",
    "pad",
    "permute",
    "pow",
    "registry",
    "relu",
    "relu6",
    "reshape",
    "residual_add",
    "residual_add_relu",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "take_along_dim",
    "tanh",
    "to",
    "transpose",
    "unsqueeze",
    "var",
    "where",
]


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.ops", name)
