"""Initialisation, in place, from a random generator that is passed in. Names as in torch.nn.init.

Numbers are drawn on the host, so that the same seed gives the same network on a CPU and on a GPU.
"""

import math

import numpy as np

from minires.arrays import to_device
from minires.errors import OptionError, ShapeError
from minires.graph import no_grad


def calculate_gain(nonlinearity, a=0.0):
    """√2 for ReLU, which drops half of the variance; √(2/(1+a²)) for a leaky one; 1 for none  [He et al. 2015b]."""
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2),
             "leaky_relu": math.sqrt(2 / (1 + a * a))}
    if nonlinearity not in gains:
        raise OptionError(f"nonlinearity must be one of {', '.join(gains)}, got {nonlinearity!r}")
    return gains[nonlinearity]


def fans(tensor):
    """(fan_in, fan_out) of a weight (O,I) or (O,C/groups,KH,KW)."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan_in and fan_out need a weight of two or more axes, got {tensor.shape}")
    O, I, *kernel = tensor.shape
    return I * math.prod(kernel), O * math.prod(kernel)


def _bound(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def _fill(tensor, values):
    with no_grad():
        return tensor.copy_(to_device(values, tensor.device))


def kaiming_normal_(tensor, *, rng, a=0.0, mode="fan_in", nonlinearity="leaky_relu"):
    """N(0, gain²/fan): fan_in keeps the variance of the signal, fan_out that of the gradient [He et al. 2015b]."""
    std = _bound(tensor, a, mode, nonlinearity)
    return _fill(tensor, np.random.default_rng(rng).standard_normal(tensor.shape, dtype=tensor.dtype) * std)


def kaiming_uniform_(tensor, *, rng, a=0.0, mode="fan_in", nonlinearity="leaky_relu"):
    """U(−b, b) with b = √3·gain/√fan, of the same variance as kaiming_normal_."""
    return uniform_(tensor, math.sqrt(3) * _bound(tensor, a, mode, nonlinearity), rng=rng)


def uniform_(tensor, bound, *, rng):
    """U(−bound, bound)."""
    return _fill(tensor, (np.random.default_rng(rng).random(tensor.shape, dtype=tensor.dtype) * 2 - 1) * bound)


def constant_(tensor, value):
    """Every element = value."""
    with no_grad():
        return tensor.copy_(value)
