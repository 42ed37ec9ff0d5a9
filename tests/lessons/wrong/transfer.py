"""Wrong answers to the exercises of lesson 12 about trained networks."""

import numpy as np
from planted_answers import wrong


@wrong("12.1", "no ReLU")
def cam(A, dA):
    alpha = dA.mean(axis=(1, 2))
    return np.tensordot(alpha, A, 1)


@wrong("12.1", "before the sum")
def cam(A, dA):  # noqa: F811 - the name is what the exercise asks for
    L = np.zeros(A.shape[1:])
    for a, g in zip(A, dA):
        L += np.maximum(g.mean() * a, 0)
    return L


@wrong("12.1", "divide by Z")
def cam(A, dA):  # noqa: F811 - as above
    alpha = dA.sum(-1).sum(-1)
    return np.einsum("k,khw->hw", alpha, A).clip(0)


@wrong("12.1", "its own gradient")
def cam(A, dA):  # noqa: F811 - as above
    return np.maximum(0, np.sum(A * dA, axis=0))


@wrong("12.1", "adds them up")
def cam(A, dA):  # noqa: F811 - as above
    alpha = dA.mean((1, 2))
    return np.maximum(np.mean(alpha[:, None, None] * A, axis=0), 0)


@wrong("12.1", "have an α below 0, and count")
def cam(A, dA):  # noqa: F811 - as above
    alpha = np.maximum(dA.mean((1, 2)), 0)
    return np.maximum((alpha[:, None, None] * A).sum(0), 0)


@wrong("12.1", "divided by its largest number")
def cam(A, dA):  # noqa: F811 - as above
    L = np.maximum((dA.mean((1, 2))[:, None, None] * A).sum(0), 0)
    if L.max() > 0:
        L = L / L.max()
    return L


@wrong("12.1", "your result is α")
def cam(A, dA):  # noqa: F811 - as above
    return dA.reshape(len(dA), -1).mean(axis=1)


@wrong("12.1", "your result has K maps")
def cam(A, dA):  # noqa: F811 - as above
    return np.maximum(A * dA.mean(axis=(1, 2), keepdims=True), 0)


@wrong("12.2", "as they came")
def norm(x, weight, bias, mean, var, frozen):
    batch_mean = x.mean(0)
    batch_var = x.var(0)
    m = mean if frozen else batch_mean
    v = var if frozen else batch_var
    y = weight * (x - m) / np.sqrt(v + 1e-5) + bias
    N = len(x)
    mean = 0.9 * mean + 0.1 * batch_mean
    return y, mean, 0.9 * var + 0.1 * batch_var * N / (N - 1)


@wrong("12.2", "uses the batch's statistics")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    y = weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + bias
    if frozen:
        return y, mean, var
    return y, 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, ddof=1)


@wrong("12.2", "always frozen")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias, mean, var


@wrong("12.2", "the other way round")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    if not frozen:
        return weight * (x - mean) / np.sqrt(var + 1e-5) + bias, mean, var
    y = weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + bias
    N = len(x)
    return y, 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * ((x - x.mean(0)) ** 2).sum(0) / (N - 1)


@wrong("12.2", "keep a tenth of what they were")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    if frozen:
        return weight * (x - mean) / np.sqrt(var + 1e-5) + bias, mean, var
    y = weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + bias
    return y, 0.1 * mean + 0.9 * x.mean(0), 0.1 * var + 0.9 * x.var(0, ddof=1)


@wrong("12.2", "N − 1, var(0, ddof=1)")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    if frozen:
        return weight * (x - mean) / np.sqrt(var + 1e-5) + bias, mean, var
    y = weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + bias
    return y, 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0)


@wrong("12.2", "lets x through")
def norm(x, weight, bias, mean, var, frozen):  # noqa: F811 - as above
    if frozen:
        return x, mean, var
    y = weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + bias
    return y, 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, ddof=1)
