"""Wrong answers to the exercises of lesson 10."""

import numpy as np
from planted_answers import wrong


@wrong("10.1", "the whole array")
def filter_normalized(d, w):
    if w.ndim == 1:
        return np.zeros_like(w)
    return d / np.linalg.norm(d) * np.linalg.norm(w)


@wrong("10.1", "zeros for a bias")
def filter_normalized(d, w):  # noqa: F811 - the name is what the exercise asks for
    return d / np.linalg.norm(d) * np.linalg.norm(w)


@wrong("10.1", "each element of a matrix")
def filter_normalized(d, w):  # noqa: F811 - as above
    if w.ndim == 1:
        return np.zeros(len(w))
    if w.ndim == 2:
        return d / abs(d) * abs(w)
    length_d = np.sqrt((d**2).sum((2, 3), keepdims=True))
    length_w = np.sqrt((w**2).sum((2, 3), keepdims=True))
    return d / length_d * length_w


@wrong("10.1", "its direction is 0")
def filter_normalized(d, w):  # noqa: F811 - the name is what the exercise asks for
    result = np.zeros_like(d)
    for o in range(len(w)):
        result[o] = d[o] / np.linalg.norm(d[o]) * np.linalg.norm(w[o])
    return result


@wrong("10.1", "divide by the length of d's own filter")
def filter_normalized(d, w):  # noqa: F811 - as above
    result = np.zeros_like(d)
    if w.ndim > 1:
        for o in range(len(w)):
            result[o] = d[o] * np.sqrt((w[o] ** 2).sum())
    return result


@wrong("10.1", "length 1")
def filter_normalized(d, w):  # noqa: F811 - as above
    if w.ndim == 1:
        return 0 * d
    flat = d.reshape(len(d), -1)
    return (flat / np.linalg.norm(flat, axis=1, keepdims=True)).reshape(d.shape)


@wrong("10.1", "squared")
def filter_normalized(d, w):  # noqa: F811 - as above
    if w.ndim == 1:
        return 0 * d
    axes = tuple(range(1, w.ndim))
    return d / (d**2).sum(axis=axes, keepdims=True) * (w**2).sum(axis=axes, keepdims=True)


@wrong("10.1", "over the last axis only")
def filter_normalized(d, w):  # noqa: F811 - as above
    if w.ndim == 1:
        return 0 * d
    return d / np.linalg.norm(d, axis=-1, keepdims=True) * np.linalg.norm(w, axis=-1, keepdims=True)


@wrong("10.1", "one output")
def filter_normalized(d, w):  # noqa: F811 - as above
    result = np.zeros_like(d)
    if w.ndim > 1:
        for c in range(w.shape[1]):
            result[:, c] = d[:, c] / np.linalg.norm(d[:, c]) * np.linalg.norm(w[:, c])
    return result


@wrong("10.2", "lost its sign")
def largest_eigenvalue(product, v, steps):
    for _ in range(steps):
        v = product(v)
        v = v / np.linalg.norm(v)
    return np.linalg.norm(product(v))


@wrong("10.2", "length of the last H·v")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
        eigenvalue = np.linalg.norm(v)
        v = v / eigenvalue
    return eigenvalue


@wrong("10.2", "leave out abs")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
        v = v / np.linalg.norm(v)
    return abs(v @ product(v))


@wrong("10.2", "first element")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
        v = v / np.linalg.norm(v)
    return product(v)[0] / v[0]


@wrong("10.2", "before the last step")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        z = product(v)
        eigenvalue = v @ z
        v = z / np.linalg.norm(z)
    return eigenvalue


@wrong("10.2", "one step too few")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        z = product(v)
        eigenvalue = v @ z
        v = z
    return eigenvalue


@wrong("10.2", "never gets the length 1")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
    return v @ product(v)


@wrong("10.2", "largest element")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
        v /= abs(v).max()
    return np.dot(v, product(v))


@wrong("10.2", "a vector")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v)
        v = v / np.linalg.norm(v)
    return v * product(v)


@wrong("10.2", "until nothing changes")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    old = 0.0
    v = v / np.linalg.norm(v)
    for _ in range(10_000):
        v = product(v)
        v = v / np.linalg.norm(v)
        new = v @ product(v)
        if abs(new - old) < 1e-14 * abs(new):
            break
        old = new
    return new


@wrong("10.2", "the v before it")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    for _ in range(steps):
        v = product(v) / np.linalg.norm(v)
    return v @ product(v)


@wrong("10.3", "count in full")
def stochastic_depth(x, W, p_last, b):
    h = x
    for l in range(len(W)):
        f = np.maximum(h, 0) @ W[l]
        if b is None or b[l]:
            h = h + f
    return h


@wrong("10.3", "no shortcut")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        p = 1 - l / L * (1 - p_last)
        h = (p if b is None else b[l - 1]) * (np.maximum(h, 0) @ W[l - 1])
    return h


@wrong("10.3", "stands left of h")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        p = 1 - l / L * (1 - p_last)
        h = h + (p if b is None else b[l - 1]) * (W[l - 1] @ np.maximum(h, 0).T).T
    return h


@wrong("10.3", "l begins with 0")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(L):
        p = 1 - l / L * (1 - p_last)
        f = np.maximum(h, 0) @ W[l]
        h = h + (p if b is None else b[l]) * f
    return h


@wrong("10.3", "always stays")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    keep = np.linspace(1, p_last, len(W)) if b is None else b
    h = x
    for k, w in zip(keep, W):
        h = h + k * np.maximum(h, 0) @ w
    return h


@wrong("10.3", "all stay with p_last")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    h = x.copy()
    for l, w in enumerate(W):
        h = h + (p_last if b is None else b[l]) * (np.maximum(h, 0) @ w)
    return h


@wrong("10.3", "shortcut is multiplied")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        factor = 1 - l / L * (1 - p_last) if b is None else b[l - 1]
        h = factor * (h + np.maximum(h, 0) @ W[l - 1])
    return h


@wrong("10.3", "as minires does: here the factor is in evaluation")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        p = 1 - l / L * (1 - p_last)
        factor = 1 if b is None else b[l - 1] / p
        h = h + factor * (np.maximum(h, 0) @ W[l - 1])
    return h


@wrong("10.3", "how likely it stays")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        left_out = l / L * (1 - p_last)
        h = h + (left_out if b is None else b[l - 1]) * (np.maximum(h, 0) @ W[l - 1])
    return h


@wrong("10.3", "ReLU comes behind")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    factors = b
    if b is None:
        factors = 1 - np.arange(1, L + 1) / L * (1 - p_last)
    h = x
    for l in range(L):
        h = h + factors[l] * np.maximum(h @ W[l], 0)
    return h


@wrong("10.1", "your lengths are those of each kernel w[o, c]: a filter")
def filter_normalized(d, w):  # noqa: F811 - as above
    if w.ndim == 1:
        return np.zeros_like(w)
    result = np.zeros_like(w)
    for o in range(len(w)):
        if w.ndim == 2:
            result[o] = d[o] / np.linalg.norm(d[o]) * np.linalg.norm(w[o])
            continue
        for c in range(w.shape[1]):
            result[o, c] = d[o, c] / np.linalg.norm(d[o, c]) * np.linalg.norm(w[o, c])
    return result


@wrong("10.1", "its own w[o]")
def filter_normalized(d, w):  # noqa: F811 - as above
    result = np.zeros_like(w)
    if w.ndim > 1:
        for o in range(len(w)):
            result[o] = d[o] / np.linalg.norm(d[o]) * np.linalg.norm(w)
    return result


@wrong("10.2", "only once, at the end")
def largest_eigenvalue(product, v, steps):  # noqa: F811 - as above
    with np.errstate(all="ignore"):
        for _ in range(steps):
            v = product(v)
        v = v / np.linalg.norm(v)
        return v @ product(v)


@wrong("10.3", "you divide by p_l: multiply")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        f = np.maximum(h, 0) @ W[l - 1]
        with np.errstate(all="ignore"):
            h = h + (f / (1 - l / L * (1 - p_last)) if b is None else b[l - 1] * f)
    return h


@wrong("10.3", "you divide by p_l: multiply")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(1, L + 1):
        factor = 1 / (1 - l / L * (1 - p_last)) if b is None else b[l - 1]  # a ZeroDivisionError where p_last is 0
        h = h + factor * (np.maximum(h, 0) @ W[l - 1])
    return h


@wrong("10.3", "the first x")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(L):
        factor = 1 - (l + 1) / L * (1 - p_last) if b is None else b[l]
        h = x + factor * (np.maximum(h, 0) @ W[l])
    return h


@wrong("10.3", "multiply up")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    p = 1.0
    for l in range(L):
        p *= 1 - (l + 1) / L * (1 - p_last)
        h = h + (p if b is None else b[l]) * (np.maximum(h, 0) @ W[l])
    return h


@wrong("10.3", "your ReLU changes h itself")
def stochastic_depth(x, W, p_last, b):  # noqa: F811 - as above
    L = len(W)
    h = x
    for l in range(L):
        factor = 1 - (l + 1) / L * (1 - p_last) if b is None else b[l]
        positive = h
        positive[positive < 0] = 0
        h = h + factor * (positive @ W[l])
    return h
