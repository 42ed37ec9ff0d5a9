"""Arrays in, arrays out: the loops under the ops, in more than one speed behind the same signatures."""

from minires.kernels.channels import centred, channel_sum, per_channel
from minires.kernels.im2col import conv, conv_dw, conv_dx
from minires.kernels.pool import avg_pool, avg_pool_dx, max_pool, max_pool_dx
from minires.kernels.window import Window

__all__ = ["Window", "avg_pool", "avg_pool_dx", "centred", "channel_sum", "conv", "conv_dw", "conv_dx", "max_pool",
           "max_pool_dx", "per_channel"]
