"""Formulas on whole maps, number by number or channel by channel, on all workers.

Batch normalisation is x̂ = (x − μ)·s for each channel, s = 1/√(σ² + ε). It is computed as (x − near)·factor + constant,
where near is μ in x's precision: x − near is exact for x near the mean, and what μ has beyond x's precision goes into
the constant, so that nothing is lost where the mean is large against the deviation. What is by channel, (C,), is
computed in double precision. x̂ itself is never kept: making it again is cheaper than fetching it.
"""

from minires.arrays import array_module, is_channels_last
from minires.kernels.channels import channel_sums, per_channel
from minires.kernels.workers import blockwise


def add(a, b):
    """a + b, of one shape."""
    return blockwise(array_module(a).add, a, b)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    xp, factor = array_module(x), per_channel(factor, x)
    return blockwise(lambda x, out: xp.multiply(x, factor, out=out), x)


def relu(x):
    """max(x, 0)."""
    xp, zero = array_module(x), 0
    if is_channels_last(x):  # np.maximum of two arrays is four times as fast as that of an array and a number
        zero = per_channel(xp.zeros(x.shape[1], x.dtype), x)
    return blockwise(lambda x, out: xp.maximum(x, zero, out=out), x)


def relu_dx(dy, y):
    """dy where y > 0, else 0."""
    xp = array_module(y)
    return blockwise(lambda dy, y, out: xp.multiply(dy, y.real > 0, out=out), dy, y)


def normalise(x, mean, inv_std, weight, bias):
    """γ·x̂ + β: x (N,C,H,W), μ, s, γ and β (C,)."""
    near, low = _split(mean, x)
    factor = weight * inv_std
    near, factor, constant = (per_channel(v, x) for v in (near, factor, bias - low * factor))
    xp = array_module(x)
    return blockwise(lambda x, out: xp.add((x - near) * factor, constant, out=out), x)


def normalise_sums(dy, x, mean, inv_std):
    """Σ dy and Σ dy·x̂ over N, H and W -> (C,) and (C,) in float64."""
    near, low = _split(mean, x)
    near = per_channel(near, x)
    sum_dy, products = channel_sums(lambda dy, x: (dy, dy * (x - near)), dy, x)
    return sum_dy, (products - low * sum_dy) * inv_std


def normalise_dx(dy, x, mean, inv_std, weight, mean_dy, mean_dy_x_hat):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩), as dy·factor − (x − near)·bend − shift: dy and x (N,C,H,W), the others (C,)."""
    near, low = _split(mean, x)
    factor = weight * inv_std
    bend = factor * inv_std * mean_dy_x_hat
    near, factor, bend, shift = (per_channel(v, x) for v in (near, factor, bend, factor * mean_dy - low * bend))
    xp = array_module(x)
    return blockwise(lambda dy, x, out: xp.subtract(dy * factor - (x - near) * bend, shift, out=out), dy, x)


def _split(mean, x):
    """The mean as two numbers: in x's precision, and what is left of it."""
    near = mean.astype(x.dtype)
    return near, mean - near
