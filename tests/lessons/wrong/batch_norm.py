"""Wrong answers to exercise 3.1."""

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
