"""Wrong answers to exercise 3.3."""

import numpy as np
from planted_answers import wrong

AXES = (0, 2, 3)


def mean(v):
    return v.mean(AXES, keepdims=True)


@wrong("3.3", "part along x − μ")
def project(v, x):
    return v - v.mean(axis=(0, 2, 3), keepdims=True)


@wrong("3.3", "part along 1")
def project(v, x):  # noqa: F811 - the name is what the exercise asks for
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
