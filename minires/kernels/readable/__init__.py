"""The readable version of every computation, in the order in which its paper derives it; on NumPy and on CuPy.

im2col.py is convolution, norm.py batch normalization, and so on. loops.py and pool_loops.py have convolution and
pooling by their definition. `kernels.use("readable")` computes with these versions. The tests compare each fast kernel
with its own.
"""

from minires.kernels.readable.activation import relu6, relu6_dx, silu
from minires.kernels.readable.attention import attention, attention_dq_dk_dv
from minires.kernels.readable.contraction import contract, matmul
from minires.kernels.readable.convolution import conv, conv_dw, conv_dx, conv_dx_dw
from minires.kernels.readable.elementwise import add, add_relu, relu, relu_dx, scale
from minires.kernels.readable.fused import channel_sums, conv_affine, product_sums, scatter_matrix
from minires.kernels.readable.gelu import gelu
from minires.kernels.readable.layer_norm import layer_norm, layer_norm_gradients
from minires.kernels.readable.loss import cross_entropy, cross_entropy_dx, first_outside
from minires.kernels.readable.norm import (
    inv_std,
    mean_var,
    normalize,
    normalize_dx,
    normalize_sums,
    update_running_stats,
)
from minires.kernels.readable.pool import avg_pool, avg_pool_dx, max_pool, max_pool_argmax, max_pool_dx
from minires.kernels.readable.products import multiply, multiply_sum
from minires.kernels.readable.sums import sums
from minires.kernels.readable.update import adam, sgd

__all__ = [
    "adam",
    "add",
    "add_relu",
    "attention",
    "attention_dq_dk_dv",
    "avg_pool",
    "avg_pool_dx",
    "channel_sums",
    "contract",
    "conv",
    "conv_affine",
    "conv_dw",
    "conv_dx",
    "conv_dx_dw",
    "cross_entropy",
    "cross_entropy_dx",
    "first_outside",
    "gelu",
    "inv_std",
    "layer_norm",
    "layer_norm_gradients",
    "matmul",
    "max_pool",
    "max_pool_argmax",
    "max_pool_dx",
    "mean_var",
    "multiply",
    "multiply_sum",
    "normalize",
    "normalize_dx",
    "normalize_sums",
    "product_sums",
    "relu",
    "relu6",
    "relu6_dx",
    "relu_dx",
    "scale",
    "scatter_matrix",
    "sgd",
    "silu",
    "sums",
    "update_running_stats",
]
