"""The exercises of lesson 3: batch normalization and its backward."""

import numpy as np

from minires.lessons.exercise import exercise
from minires.lessons.op_exercise import OpExercise

batch_norm = OpExercise(
    "3.1",
    op="batch_norm",
    call="batch_norm(x, weight, bias, eps=1e-5)",
    asks="Batch norm in training with its backward: x (N,C,H,W) -> (y, backward), where backward(dy) gives dx, "
    "dweight and dbias.",
)


@exercise("3.2", gives=("the running mean", "the running variance"))
def running_statistics(batches, momentum):
    """The running mean and variance after B batches (B,N,C,H,W), from mean 0 and variance 1. -> (C,) and (C,)

    running = (1 − momentum)·running + momentum·batch, with the unbiased variance of the batch.
    """
    return _running(batches, momentum)


def _running(batches, momentum, axes=(0, 2, 3), start=(0.0, 1.0), ddof=1, of_var=np.var):
    C = batches.shape[2]
    mean = np.full(C, start[0])
    var = np.full(C, start[1])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(axes)
        var = (1 - momentum) * var + momentum * of_var(x, axes, ddof=ddof)
    return mean, var


@running_statistics.draw
def _(rng):
    def batches(*shape):
        scale = rng.uniform(0.5, 4, (shape[2], 1, 1))
        return 3 * rng.standard_normal((shape[2], 1, 1)) + scale * rng.standard_normal(shape)

    B, C = rng.integers(3, 6, 2).tolist()
    yield "the momentum of the example", (batches(4, 2, 3, 2, 3), 0.1)
    yield "another momentum", (batches(B, 3, C, 2, 2), 0.3)
    yield "few values in a channel", (batches(B, 2, C, 1, 1), 0.2)
    yield "one batch", (batches(1, 4, C, 3, 2), 0.1)
    yield "momentum 1", (batches(B, 2, C, 2, 3), 1.0)


@running_statistics.sign
def _(value, batches, momentum):
    """your statistics have several axes: each channel has one mean and one variance, over the axes N, H and W"""
    return np.ndim(value[0]) > 1


@running_statistics.mistake
def _(batches, momentum):
    """your momentum is turned round: the new batch has the weight momentum, the old value 1 − momentum"""
    return _running(batches, 1 - momentum)


@running_statistics.mistake
def _(batches, momentum):
    """your running variance takes the biased variance: take the unbiased one, divided by m − 1 (ddof=1)"""
    return _running(batches, momentum, ddof=0)


@running_statistics.mistake
def _(batches, momentum):
    """your m is the number of images, N: a channel has m = N·H·W values, and the factor is m/(m − 1)"""
    N = batches.shape[1]
    mean, _ = running_statistics(batches, momentum)
    return mean, _running(batches, momentum, ddof=0, of_var=lambda *x, ddof: np.var(*x) * N / (N - 1))[1]


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are those of each image: they are those of each channel, over the axes N, H and W"""
    return running_statistics(batches.swapaxes(1, 2), momentum)


@running_statistics.mistake
def _(batches, momentum):
    """your running variance collects standard deviations: collect the variance"""
    return _running(batches, momentum, of_var=np.std)


@running_statistics.mistake
def _(batches, momentum):
    """your running variance begins at 0: it begins at 1"""
    return _running(batches, momentum, start=(0.0, 0.0))


@running_statistics.mistake
def _(batches, momentum):
    """your running statistics begin with the first batch: they begin with mean 0 and variance 1"""
    mean = batches[0].mean((0, 2, 3))
    var = batches[0].var((0, 2, 3), ddof=1)
    for x in batches[1:]:
        mean = (1 - momentum) * mean + momentum * x.mean((0, 2, 3))
        var = (1 - momentum) * var + momentum * x.var((0, 2, 3), ddof=1)
    return mean, var


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are those of all batches together, as a plain mean: the later batches count more"""
    return batches.mean((0, 1, 3, 4)), batches.var((0, 1, 3, 4), ddof=1)


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are plain means over the batches: after each batch keep (1 − momentum) of the old value"""
    return np.mean([x.mean((0, 2, 3)) for x in batches], 0), np.mean([x.var((0, 2, 3), ddof=1) for x in batches], 0)


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are plain means over the batches, of biased variances: weigh them, and take ddof=1"""
    return np.mean([x.mean((0, 2, 3)) for x in batches], 0), np.mean([x.var((0, 2, 3)) for x in batches], 0)


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are those of all channels together: each channel has its own, over the axes N, H and W"""
    return _running(batches, momentum, axes=None)


@running_statistics.mistake
def _(batches, momentum):
    """your running mean begins at 1: it begins at 0, and the variance at 1"""
    return _running(batches, momentum, start=(1.0, 1.0))


@running_statistics.mistake
def _(batches, momentum):
    """your running variance begins at 0, and takes the biased variance: it begins at 1, and divides by m − 1"""
    return _running(batches, momentum, start=(0.0, 0.0), ddof=0)


@running_statistics.mistake
def _(batches, momentum):
    """your variance is around the running mean: it is around the mean of its own batch"""
    C = batches.shape[2]
    mean = np.zeros(C)
    var = np.ones(C)
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean((0, 2, 3))
        squares = (x - mean.reshape(1, -1, 1, 1)) ** 2
        var = (1 - momentum) * var + momentum * squares.sum((0, 2, 3)) / (squares[:, 0].size - 1)
    return mean, var


@running_statistics.mistake
def _(batches, momentum):
    """your factor of the variance is turned round: it is m/(m − 1)"""
    m = batches[0, :, 0].size
    mean, _ = running_statistics(batches, momentum)
    return mean, _running(batches, momentum, ddof=0, of_var=lambda *x, ddof: np.var(*x) * (m - 1) / m)[1]


@running_statistics.mistake
def _(batches, momentum):
    """your statistics are those of the last batch: keep (1 − momentum) of the old value"""
    return batches[-1].mean((0, 2, 3)), batches[-1].var((0, 2, 3), ddof=1)


@running_statistics.mistake
def _(batches, momentum):
    """your running statistics add momentum·batch and keep all of the old value: keep (1 − momentum) of it"""
    mean, var = 0.0, 1.0
    for x in batches:
        mean = mean + momentum * x.mean((0, 2, 3))
        var = var + momentum * x.var((0, 2, 3), ddof=1)
    return mean, var


@exercise("3.3", gives="the projection")
def project(v, x):
    """v (N,C,H,W) without its parts along 1 and along x − μ, in each channel of x (N,C,H,W)."""
    return _projected(v, x)


def _projected(v, x, axes=(0, 2, 3), mean_part=1.0, part=1.0, over=None):
    def mean(a):
        return a.mean(axes, keepdims=True)

    d = x - mean(x)
    return v - mean_part * mean(v) - part * d * mean(v * d) / (mean(d * d) if over is None else over(mean(d * d)))


@project.draw
def _(rng):
    N, C, H, W = rng.integers(2, 5, 4).tolist()

    def pair(*shape):
        x = 3 * rng.standard_normal((shape[1], 1, 1)) + rng.uniform(2, 5) * rng.standard_normal(shape)
        return 1 + rng.standard_normal(shape) + x / 2, x

    yield "the sizes of the example", pair(4, 3, 2, 2)
    yield "another number of images and channels", pair(N + 3, C, H, W)
    yield "height and width differ", pair(2, 3, 2, 5)
    yield "one channel", pair(N, 1, H, W)
    yield "one image", pair(1, C, H, W)


@project.mistake
def _(v, x):
    """your result still has its part along x − μ: subtract that, too"""
    return _projected(v, x, part=0.0)


@project.mistake
def _(v, x):
    """your result still has its part along 1: subtract the mean of v, too"""
    return _projected(v, x, mean_part=0.0)


@project.mistake
def _(v, x):
    """your part along x − μ is not divided by ⟨d·d⟩: the direction d has not the length 1"""
    return _projected(v, x, over=lambda square: 1.0)


@project.mistake
def _(v, x):
    """your part along x − μ is divided by the root of ⟨d·d⟩: divide by ⟨d·d⟩ itself, because d occurs twice"""
    return _projected(v, x, over=np.sqrt)


@project.mistake
def _(v, x):
    """your part along x − μ has an ε in it: divide by ⟨d·d⟩ itself"""
    return _projected(v, x, over=lambda square: square + 1e-5)


@project.mistake
def _(v, x):
    """your ⟨d·d⟩ is that of all channels together: each channel has its own"""
    return _projected(v, x, over=np.sum)


@project.mistake
def _(v, x):
    """your means are those of the whole array: each channel has its own, over the axes N, H and W"""
    return _projected(v, x, axes=None)


@project.mistake
def _(v, x):
    """your means run over N only: take them over N, H and W"""
    return _projected(v, x, axes=0)


@project.mistake
def _(v, x):
    """your means run over H and W of one image: take them over N, H and W"""
    return _projected(v, x, axes=(2, 3))


@project.mistake
def _(v, x):
    """your direction is x: take x − μ, because only that is perpendicular to 1"""
    axes = (0, 2, 3)
    part = x * (v * x).mean(axes, keepdims=True) / (x * x).mean(axes, keepdims=True)
    return v - v.mean(axes, keepdims=True) - part


@project.mistake
def _(v, x):
    """your result is what has to go: subtract it from v"""
    return v - project(v, x)


@project.mistake
def _(v, x):
    """your parts are added: subtract them from v"""
    return _projected(v, x, mean_part=-1.0, part=-1.0)
