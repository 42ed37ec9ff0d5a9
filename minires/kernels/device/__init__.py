"""The kernels of a GPU, with the same signatures: few launches, and the host never waits.

Maps are channels-last, as matrices of pixels by channels. A formula for single elements is an ElementwiseKernel. If
threads share work, or a thread reuses its row or channel for many elements, it is a RawKernel: computing the index anew
for every element would cost more than the formula.
CuPy compiles a kernel when it is first used. Only float32 and float64: complex arrays use the readable version.
"""

from minires.kernels.device.contraction import contract
from minires.kernels.device.convolution import conv, conv_affine, conv_dw, conv_dx, conv_dx_dw
from minires.kernels.device.elementwise import add, add_relu, relu, relu_dx
from minires.kernels.device.loss import cross_entropy, cross_entropy_dx, first_outside
from minires.kernels.device.norm import (
    inv_std,
    mean_var,
    normalize,
    normalize_dx,
    normalize_sums,
    scale,
    update_running_stats,
)
from minires.kernels.device.pool import avg_pool, avg_pool_dx, max_pool, max_pool_argmax, max_pool_dx
from minires.kernels.device.update import adam, sgd
from minires.kernels.readable.fused import channel_sums
from minires.kernels.readable.sums import sums

__all__ = [
    "adam",
    "add",
    "add_relu",
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
    "inv_std",
    "max_pool",
    "max_pool_argmax",
    "max_pool_dx",
    "mean_var",
    "normalize",
    "normalize_dx",
    "normalize_sums",
    "relu",
    "relu_dx",
    "scale",
    "sgd",
    "sums",
    "update_running_stats",
]
