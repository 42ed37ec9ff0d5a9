"""Wrong answers to the exercises of lesson 3."""

import numpy as np
from planted_answers import wrong

AXES = (0, 2, 3)


def channels(v):
    return v.reshape(1, -1, 1, 1)


def mean(v):
    return v.mean(AXES, keepdims=True)


@wrong("3.1", "treats mean and variance as constants")
def batch_norm(x, weight, bias, eps=1e-5):
    mu = x.mean((0, 2, 3), keepdims=True)
    std = np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    x_hat = (x - mu) / std

    def backward(dy):
        return dy * channels(weight) / std, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return x_hat * channels(weight) + channels(bias), backward


@wrong("3.1", "batch mean depends on x")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - the name is what the exercise asks for
    mu = x.mean((0, 2, 3), keepdims=True)
    std = np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    x_hat = (x - mu) / std

    def backward(dy):
        g = dy * channels(weight)
        dx = (g - x_hat * (g * x_hat).mean((0, 2, 3), keepdims=True)) / std
        return dx, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return x_hat * channels(weight) + channels(bias), backward


@wrong("3.1", "N·H·W")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    N = x.shape[0]
    mu = x.mean((0, 2, 3), keepdims=True)
    std = np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    x_hat = (x - mu) / std

    def backward(dy):
        g = dy * channels(weight)
        total = g.sum((0, 2, 3), keepdims=True) + x_hat * (g * x_hat).sum((0, 2, 3), keepdims=True)
        return (g - total / N) / std, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return x_hat * channels(weight) + channels(bias), backward


@wrong("3.1", "dweight")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    mu = x.mean((0, 2, 3), keepdims=True)
    std = np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    x_hat = (x - mu) / std

    def backward(dy):
        g = dy * channels(weight)
        means = g.mean((0, 2, 3), keepdims=True) + x_hat * (g * x_hat).mean((0, 2, 3), keepdims=True)
        return (g - means) / std, (dy * x).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return x_hat * channels(weight) + channels(bias), backward


@wrong("3.1", "under the root")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    mu = x.mean((0, 2, 3), keepdims=True)
    std = x.std((0, 2, 3), keepdims=True) + eps
    x_hat = (x - mu) / std

    def backward(dy):
        g = dy * channels(weight)
        means = g.mean((0, 2, 3), keepdims=True) + x_hat * (g * x_hat).mean((0, 2, 3), keepdims=True)
        return (g - means) / std, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return x_hat * channels(weight) + channels(bias), backward


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
def running_statistics(batches, momentum):  # noqa: F811 - as above
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


@wrong("3.3", "part along x − μ")
def project(v, x):
    return v - v.mean(axis=(0, 2, 3), keepdims=True)


@wrong("3.3", "part along 1")
def project(v, x):  # noqa: F811 - as above
    d = x - x.mean(axis=(0, 2, 3), keepdims=True)
    along = np.sum(v * d, axis=(0, 2, 3), keepdims=True) / np.sum(d * d, axis=(0, 2, 3), keepdims=True)
    return v - along * d


@wrong("3.3", "not divided by")
def project(v, x):  # noqa: F811 - as above
    m = x.shape[0] * x.shape[2] * x.shape[3]
    d = x - x.sum((0, 2, 3), keepdims=True) / m
    return v - v.sum((0, 2, 3), keepdims=True) / m - d * (v * d).sum((0, 2, 3), keepdims=True) / m


@wrong("3.3", "each channel has its own")
def project(v, x):  # noqa: F811 - as above
    d = x - x.mean()
    return v - v.mean() - d * (v * d).mean() / (d * d).mean()


@wrong("3.3", "take x − μ")
def project(v, x):  # noqa: F811 - as above
    result = np.empty_like(v)
    for c in range(v.shape[1]):
        a, b = v[:, c], x[:, c]
        result[:, c] = a - a.mean() - b * np.sum(a * b) / np.sum(b * b)
    return result


@wrong("3.3", "what has to go")
def project(v, x):  # noqa: F811 - as above
    d = x - x.mean(axis=(0, 2, 3), keepdims=True)
    along = np.sum(v * d, axis=(0, 2, 3), keepdims=True) / np.sum(d * d, axis=(0, 2, 3), keepdims=True)
    return v.mean(axis=(0, 2, 3), keepdims=True) + along * d


@wrong("3.3", "ε")
def project(v, x):  # noqa: F811 - as above
    x_hat = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
    return v - v.mean((0, 2, 3), keepdims=True) - x_hat * (v * x_hat).mean((0, 2, 3), keepdims=True)


@wrong("3.3", "all channels together")
def project(v, x):  # noqa: F811 - as above
    d = x - x.mean((0, 2, 3), keepdims=True)
    return v - v.mean((0, 2, 3), keepdims=True) - d * (v * d).sum((0, 2, 3), keepdims=True) / np.linalg.norm(d) ** 2


@wrong("3.3", "shapes do not fit")
def project(v, x):  # noqa: F811 - as above
    d = x - x.mean((0, 2, 3), keepdims=True)
    return v - v.mean((0, 2, 3), keepdims=True) - d * (v * d).mean((0, 2, 3)) / (d * d).mean((0, 2, 3))


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


@wrong("3.1", "1/√(σ² + ε) twice")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s**2 * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "your dx is multiplied by √(σ² + ε)")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * (1 / s) * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "your dx is multiplied by the variance")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * var * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "γ (weight) twice")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * channels(weight) * s * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "has x − μ where x̂ is meant")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - d * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "has x where x̂ is meant")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - x * mean(dy * x))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "has y where x̂ is meant")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - y * mean(dy * y))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "the factor γ: it is")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES) * weight, dy.sum(AXES)

    return y, backward


@wrong("3.1", "1 of 3 gradients")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx

    return y, backward


@wrong("3.1", "misses β")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = x_hat * channels(weight)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


@wrong("3.1", "your y is multiplied by √(σ² + ε)")
def batch_norm(x, weight, bias, eps=1e-5):  # noqa: F811 - as above
    var = x.var(AXES, keepdims=True)
    s = 1 / np.sqrt(var + eps)
    d = x - mean(x)
    x_hat = d * s
    y = d / s * channels(weight) + channels(bias)

    def backward(dy):
        dx = channels(weight) * s * (dy - mean(dy) - x_hat * mean(dy * x_hat))
        return dx, (dy * x_hat).sum(AXES), dy.sum(AXES)

    return y, backward


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
