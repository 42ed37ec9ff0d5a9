"""A convolution and the batch norm behind it, with their input X."""

import numpy as np

from minires import nn
from minires.arrays import channels_last

X = channels_last(np.maximum(np.random.default_rng(0).standard_normal((4, 8, 20, 20), dtype=np.float32), 0))


def layers(kernel=1, out=32, seed=0):
    rng = np.random.default_rng(seed)
    conv = nn.Conv2d(8, out, kernel, padding=kernel // 2, bias=False, rng=rng)
    norm = nn.BatchNorm2d(out)
    norm.weight.data[...] = rng.uniform(0.5, 2, out)
    norm.bias.data[...] = rng.standard_normal(out)
    norm.running_mean[...] = rng.standard_normal(out)
    norm.running_var[...] = rng.uniform(0.5, 2, out)
    return conv, norm
