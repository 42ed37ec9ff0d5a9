"""Wrong answers to exercise 3.2."""

import numpy as np
from planted_answers import wrong

AXES = (0, 2, 3)


def channels(v):
    return v.reshape(1, -1, 1, 1)


def mean(v):
    return v.mean(AXES, keepdims=True)


@wrong("3.2", "turned round")
def running_statistics(batches, momentum):
    C = batches.shape[2]
    mean = np.zeros(C)
    var = np.ones(C)
    for x in batches:
        mean = momentum * mean + (1 - momentum) * x.mean(axis=(0, 2, 3))
        var = momentum * var + (1 - momentum) * x.var(axis=(0, 2, 3), ddof=1)
    return mean, var


@wrong("3.2", "unbiased")
def running_statistics(batches, momentum):  # noqa: F811 - the name is what the exercise asks for
    mean = 0
    var = 1
    for k in range(len(batches)):
        mean += momentum * (batches[k].mean(axis=(0, 2, 3)) - mean)
        var += momentum * (batches[k].var(axis=(0, 2, 3)) - var)
    return mean, var


@wrong("3.2", "standard deviations")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    std = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * np.mean(x, axis=(0, 2, 3))
        std = (1 - momentum) * std + momentum * np.std(x, axis=(0, 2, 3), ddof=1)
    return mean, std


@wrong("3.2", "begins at 0")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.zeros(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * np.mean(x, axis=(0, 2, 3))
        var = (1 - momentum) * var + momentum * np.var(x, axis=(0, 2, 3), ddof=1)
    return mean, var


@wrong("3.2", "begin with the first batch")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = var = None
    for x in batches:
        m = x.mean(axis=(0, 2, 3))
        v = x.var(axis=(0, 2, 3), ddof=1)
        mean = m if mean is None else (1 - momentum) * mean + momentum * m
        var = v if var is None else (1 - momentum) * var + momentum * v
    return mean, var


@wrong("3.2", "wrong order")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * np.mean(x, axis=(0, 2, 3))
        var = (1 - momentum) * var + momentum * np.var(x, axis=(0, 2, 3), ddof=1)
    return var, mean


@wrong("3.2", "number of images")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        m = x.shape[0]
        mean = (1 - momentum) * mean + momentum * np.mean(x, axis=(0, 2, 3))
        var = (1 - momentum) * var + momentum * np.var(x, axis=(0, 2, 3)) * m / (m - 1)
    return mean, var


@wrong("3.2", "of each image")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean, var = 0, 1
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean((1, 2, 3))
        var = (1 - momentum) * var + momentum * x.var((1, 2, 3), ddof=1)
    return mean, var


@wrong("3.2", "each channel has its own")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean()
        var = (1 - momentum) * var + momentum * x.var(ddof=1)
    return mean, var


@wrong("3.2", "around the running mean")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(AXES)
        var = (1 - momentum) * var + momentum * ((x - channels(mean)) ** 2).sum(AXES) / (x[:, 0].size - 1)
    return mean, var


@wrong("3.2", "your factor of the variance")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(AXES)
        var = (1 - momentum) * var + momentum * x.var(AXES) * (x[:, 0].size - 1) / x[:, 0].size
    return mean, var


@wrong("3.2", "the running mean alone")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(AXES)
        var = (1 - momentum) * var + momentum * x.var(AXES, ddof=1)
    return mean


@wrong("3.2", "several axes")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros((1, *batches.shape[2:]))
    var = np.ones((1, *batches.shape[2:]))
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(0, keepdims=True)
        var = (1 - momentum) * var + momentum * x.var(0, ddof=1, keepdims=True)
    return mean, var


@wrong("3.2", "mean begins at 1")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.ones(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(AXES)
        var = (1 - momentum) * var + momentum * x.var(AXES, ddof=1)
    return mean, var


@wrong("3.2", "and takes the biased variance")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    mean = np.zeros(batches.shape[2])
    var = np.zeros(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(AXES)
        var = (1 - momentum) * var + momentum * x.var(AXES)
    return mean, var


@wrong("3.2", "after each batch keep")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    means = [x.mean(AXES) for x in batches]
    variances = [x.var(AXES, ddof=1) for x in batches]
    return np.mean(means, axis=0), np.mean(variances, axis=0)


@wrong("3.2", "of biased variances")
def running_statistics(batches, momentum):  # noqa: F811 - as above
    return np.array([x.mean(AXES) for x in batches]).mean(0), np.array([x.var(AXES) for x in batches]).mean(0)
