"""The kernels of readable/, fast on a CPU: the same signatures, and the same results up to rounding.

im2col_*.py, winograd/, grouped.py and depthwise.py are the convolutions. partition.py cuts arrays into parts that fit a
cache, and threads.py gives them to all cores. memory.py keeps freed memory, blas.py cuts matrix products into sizes
that the BLAS is fast at.
"""

from minires.kernels.cpu.activation import relu6, relu6_dx, silu
from minires.kernels.cpu.attention import attention, attention_dq_dk_dv
from minires.kernels.cpu.channel_stats import channel_sums, mean_var, product_sums, scatter_matrix
from minires.kernels.cpu.contraction import contract, matmul
from minires.kernels.cpu.convolution import conv, conv_affine, conv_dw, conv_dx, conv_dx_dw
from minires.kernels.cpu.elementwise import add, add_relu, normalize, normalize_dx, normalize_sums, relu, relu_dx, scale
from minires.kernels.cpu.gelu import gelu
from minires.kernels.cpu.layer_norm import layer_norm, layer_norm_gradients
from minires.kernels.cpu.pool import avg_pool, avg_pool_dx, max_pool, max_pool_argmax, max_pool_dx
from minires.kernels.cpu.products import multiply, multiply_sum
from minires.kernels.cpu.sums import sums
from minires.kernels.cpu.update import adam, sgd
from minires.kernels.readable.loss import cross_entropy, cross_entropy_dx, first_outside
from minires.kernels.readable.norm import inv_std, update_running_stats

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
