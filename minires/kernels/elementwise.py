"""Formulas on whole maps, number by number or channel by channel, on all workers.

Batch normalisation is x̂ = (x − μ)·s for each channel, s = 1/√(σ² + ε). It is computed as x·factor + constant: where μ
is a few deviations from zero that loses no more than x has lost already, for a change of x by its last digit changes
as much. Where μ is far it is taken off first, (x − near)·factor + constant, with near = μ in x's precision: the
difference is exact for x near the mean, and what μ has beyond x's precision goes into the constant, so nothing is lost.
What is by channel, (C,), is computed in double precision. x̂ itself is never kept: making it again is cheaper than
fetching it.
"""

from minires.arrays import array_module, is_channels_last
from minires.kernels.blocks import blockwise
from minires.kernels.channels import FAR, as_map, as_rows, channel_sums


def add(a, b, out=None):
    """a + b, of one shape; into out, which may be a."""
    return blockwise(array_module(a).add, a, b, into=out)


def add_relu(a, b):
    """max(a + b, 0), of one shape; a NaN stays one."""
    xp = array_module(a)

    def formula(a, b, zero, out):
        y = xp.add(a, b, out=out)
        return xp.maximum(y, zero, out=y)
    if is_channels_last(a) and is_channels_last(b):
        return _by_channel(formula, [a, b], [xp.zeros(a.shape[1])])
    return blockwise(lambda a, b, out: formula(a, b, 0, out), a, b)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    return _by_channel(array_module(x).multiply, [x], [factor])


def relu(x):
    """max(x, 0)."""
    xp = array_module(x)
    if is_channels_last(x):  # np.maximum of two arrays is four times as fast as that of an array and a number
        return _by_channel(xp.maximum, [x], [xp.zeros(x.shape[1])])
    return blockwise(lambda x, out: xp.maximum(x, 0, out=out), x)


def relu_dx(dy, y):
    """dy where y > 0, else 0."""
    return blockwise(lambda dy, y, out: masked(dy, y.real > 0, out), dy, y)


def masked(dy, mask, out=None):
    """dy where the mask is True, else 0: its bits as a whole number times 1 or 0, for 0·∞ is a NaN."""
    xp = array_module(dy)
    if dy.itemsize > 8:  # a complex step's numbers: no whole number is as long
        return xp.multiply(dy, mask, out=out)
    bits = f"i{dy.itemsize}"
    return xp.multiply(dy.view(bits), mask, out=None if out is None else out.view(bits)).view(dy.dtype)


def remember(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch, in place, with the variance over count − 1: all (C,).

    Of the real part: a complex step differentiates what batch norm gives, and not what it remembers.
    """
    for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
        running *= 1 - momentum
        running += (momentum * batch.real).astype(running.dtype)


def inverse_deviation(var, eps):
    """s = 1/√(σ² + ε)"""
    return 1 / (var + eps) ** 0.5


def normalise(x, mean, inv_std, weight, bias, relu=False):
    """γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,)."""
    xp, factor = array_module(x), weight * inv_std
    near, low = _split(mean, inv_std, x)

    def formula(x, factor, constant, zero, out):
        y = xp.multiply(x, factor, out=out)
        y += constant
        return xp.maximum(y, zero, out=y) if relu else y
    return _by_channel(formula, [_less(x, near)], [factor, bias - low * factor, xp.zeros(x.shape[1])])


def affine_in_place(factor, constant, relu):
    """A function (x, channels) that makes x·factor + constant of x (N,c,H,W), or with relu max(x·factor + constant, 0).

    factor (None for 1) and constant are (C,); x has the channels of that slice.
    """
    def change(x, channels=slice(None)):
        xp, some = array_module(x), slice(factor is None, 2 + relu)
        vectors = [factor, constant, xp.zeros(len(constant))][some]
        (x,), vectors = as_rows([x], [v[channels] for v in vectors])
        for step, v in zip((xp.multiply, xp.add, xp.maximum)[some], vectors):
            step(x, v, out=x)
    return change


def normalise_sums(dy, x, mean, inv_std):
    """Σ dy and Σ dy·x̂ over N, H and W -> (C,) and (C,) in float64."""
    near, low = _split(mean, inv_std, x)
    sum_dy, products = channel_sums((dy,), (dy, _less(x, near)))
    return sum_dy, (products - low * sum_dy) * inv_std


def normalise_dx(dy, x, mean, inv_std, weight, db, dw, count, out=None):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩), as dy·factor − (x·bend + shift): dy and x (N,C,H,W), the others (C,).

    ⟨dy⟩ and ⟨dy·x̂⟩ are the sums db and dw over count. The result goes into out, which may be dy.
    """
    xp, factor, mean_dy, mean_dy_x_hat = array_module(x), weight * inv_std, db / count, dw / count
    near, low = _split(mean, inv_std, x)
    bend = factor * inv_std * mean_dy_x_hat

    def formula(dy, x, factor, bend, shift, out):
        less = x * bend
        less += shift
        dx = xp.multiply(dy, factor, out=out)
        dx -= less
        return dx
    return _by_channel(formula, [dy, _less(x, near)], [factor, bend, factor * mean_dy - low * bend], out)


def _by_channel(formula, maps, vectors, out=None):
    """formula(*maps, *vectors, out=None), some pictures at a time on all workers; the result is out, or a new map."""
    rows, vectors = as_rows(maps if out is None else [*maps, out], vectors)
    into = None if out is None else rows.pop()
    return as_map(blockwise(lambda *rows, out: formula(*rows, *vectors, out=out), *rows, into=into), maps[0])


def _split(mean, inv_std, x):
    """The mean as two numbers: what is to be taken off x, in x's precision, and what is left of it.

    Nothing is to be taken off where no mean is far from zero.
    """
    if not bool((abs(mean * inv_std) > FAR).any()):
        return None, mean
    near = mean.astype(x.dtype)
    return near, mean - near


def _less(x, near):
    """x − near, by channel."""
    return x if near is None else _by_channel(array_module(x).subtract, [x], [near])
