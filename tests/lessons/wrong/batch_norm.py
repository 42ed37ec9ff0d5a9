"""Wrong answers to the exercises of lesson 3."""

import numpy as np
from planted_answers import wrong


def channels(v):
    return v.reshape(1, -1, 1, 1)


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
