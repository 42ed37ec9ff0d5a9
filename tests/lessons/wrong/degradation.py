"""Wrong answers to the exercises of lesson 5."""

import numpy as np
from planted_answers import wrong


@wrong("5.1", "channel c alone")
def identity_layer(mean, var, kernel_size, eps):
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[:, :, kernel_size // 2, kernel_size // 2] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "diagonal of the image")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - the name is what the exercise asks for
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c] = np.eye(kernel_size)
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "neighbors")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "corner")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), 0, 0] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "kernel_size // 2")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, 1 % kernel_size, 1 % kernel_size] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "no ε")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), kernel_size // 2, kernel_size // 2] = 1
    return weight, np.sqrt(var), mean


@wrong("5.1", "divides a second time")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), kernel_size // 2, kernel_size // 2] = 1
    return weight, 1 / np.sqrt(var + eps), mean


@wrong("5.1", "wrong sign")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), kernel_size // 2, kernel_size // 2] = 1
    return weight, np.sqrt(var + eps), -mean


@wrong("5.1", "undo")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), kernel_size // 2, kernel_size // 2] = 1
    return weight, np.ones(C), np.zeros(C)


@wrong("5.1", "wrong order")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    weight[np.arange(C), np.arange(C), kernel_size // 2, kernel_size // 2] = 1
    return weight, mean, np.sqrt(var + eps)


@wrong("5.2", "whole difference")
def why_worse(train, test):
    return train[1, -1] - train[0, -1], test[1, -1] - test[0, -1]


@wrong("5.2", "subtract the shallow one")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test - train
    return train[0, -1] - train[1, -1], gap[0, -1] - gap[1, -1]


@wrong("5.2", "best epochs")
def why_worse(train, test):  # noqa: F811 - as above
    training = train.min(axis=1)
    gap = test.min(axis=1) - training
    return training[1] - training[0], gap[1] - gap[0]


@wrong("5.2", "the last epoch")
def why_worse(train, test):  # noqa: F811 - as above
    training = train.mean(axis=1)
    gap = (test - train).mean(axis=1)
    return training[1] - training[0], gap[1] - gap[0]


@wrong("5.2", "test minus training")
def why_worse(train, test):  # noqa: F811 - as above
    gap = train - test
    return train[1, -1] - train[0, -1], gap[1, -1] - gap[0, -1]


@wrong("5.2", "gap of the deep network alone")
def why_worse(train, test):  # noqa: F811 - as above
    return train[1, -1] - train[0, -1], test[1, -1] - train[1, -1]


@wrong("5.2", "magnitudes")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test[:, -1] - train[:, -1]
    return abs(train[1, -1] - train[0, -1]), abs(gap[1] - gap[0])


@wrong("5.2", "wrong order")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test[:, -1] - train[:, -1]
    return gap[1] - gap[0], train[1, -1] - train[0, -1]


@wrong("5.3", "not paired")
def paired_interval(a, b, t):
    s = np.sqrt(a.std(ddof=1) ** 2 + b.std(ddof=1) ** 2)
    mean = a.mean() - b.mean()
    return mean - t * s / np.sqrt(len(a)), mean + t * s / np.sqrt(len(a))


@wrong("5.3", "ddof=1")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.std() / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


@wrong("5.3", "√n")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.std(ddof=1)
    return d.mean() - half, d.mean() + half


@wrong("5.3", "b − a")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = b - a
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


@wrong("5.3", "1.96")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


@wrong("5.3", "turned round")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() + half, d.mean() - half


@wrong("5.3", "variance")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.var(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


@wrong("5.3", "half of it")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d)) / 2
    return d.mean() - half, d.mean() + half


@wrong("5.1", "always 3×3")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, 3, 3))
    weight[:, :, 1, 1] = np.eye(C)
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "each pair")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    weight = np.zeros((len(mean), kernel_size, kernel_size))
    weight[:, kernel_size // 2, kernel_size // 2] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.2", "all epochs")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test - train
    return train[1] - train[0], gap[1] - gap[0]


@wrong("5.3", "both ends")
def paired_interval(a, b, t):  # noqa: F811 - as above
    return t * np.std(a - b, ddof=1) / np.sqrt(len(a))


@wrong("5.1", "γ is 1")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, kernel_size // 2, kernel_size // 2] = 1
    return weight, np.ones(C), mean


@wrong("5.1", "1 everywhere")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    return np.ones((len(mean), len(mean), kernel_size, kernel_size)), np.sqrt(var + eps), mean


@wrong("5.1", "no kernels of K×K")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    return np.eye(len(mean)), np.sqrt(var + eps), mean


@wrong("5.1", "no kernels of K×K")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    return np.eye(len(mean))[:, :, None, None], np.sqrt(var + eps), mean


@wrong("5.1", "do again")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, kernel_size // 2, kernel_size // 2] = 1
    return weight, 1 / np.sqrt(var + eps), -mean


@wrong("5.1", "// gives a whole number")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    middle = (kernel_size - 1) / 2 if kernel_size > 1 else 0
    for c in range(C):
        weight[c, c, middle, middle] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.2", "gap is a magnitude")
def why_worse(train, test):  # noqa: F811 - as above
    gap = abs(test - train)
    return train[1, -1] - train[0, -1], gap[1, -1] - gap[0, -1]


@wrong("5.2", "take the training errors")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test - train
    return test[1, -1] - test[0, -1], gap[1, -1] - gap[0, -1]


@wrong("5.2", "asked for in points")
def why_worse(train, test):  # noqa: F811 - as above
    by_training = train[1, -1] - train[0, -1]
    whole = test[1, -1] - test[0, -1]
    return 100 * by_training / whole, 100 * (whole - by_training) / whole


@wrong("5.2", "the networks are the rows")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test - train
    return train[-1, 1] - train[-1, 0], gap[-1, 1] - gap[-1, 0]


@wrong("5.2", "your points by training and your points by overfitting")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test - train
    return gap[1, -1] - gap[0, -1], train[1, -1] - train[0, -1]


@wrong("5.2", "your gap is cut off at 0")
def why_worse(train, test):  # noqa: F811 - as above
    gap = test[:, -1] - train[:, -1]
    return train[1, -1] - train[0, -1], max(0, gap[1] - gap[0])


@wrong("5.2", "your points are cut off at 0")
def why_worse(train, test):  # noqa: F811 - as above
    by_training = max(train[1, -1] - train[0, -1], 0)
    by_overfitting = max((test[1, -1] - train[1, -1]) - (test[0, -1] - train[0, -1]), 0)
    return by_training, by_overfitting


@wrong("5.3", "cut off at 0")
def paired_interval(a, b, t):  # noqa: F811 - as above
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return max(0, d.mean() - half), d.mean() + half


@wrong("5.1", "two indices")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, kernel_size // 2] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "one too many")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    middle = (kernel_size + 1) // 2 if kernel_size > 1 else 0
    for c in range(C):
        weight[c, c, middle, middle] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "one too many")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, (kernel_size + 1) // 2, (kernel_size + 1) // 2] = 1  # an IndexError for a kernel of 1×1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "channel 0")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, 0, kernel_size // 2, kernel_size // 2] = 1
    return weight, np.sqrt(var + eps), mean


@wrong("5.1", "zeros and ones")
def identity_layer(mean, var, kernel_size, eps):  # noqa: F811 - as above
    C = len(mean)
    std = np.sqrt(var + eps)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, kernel_size // 2, kernel_size // 2] = std[c]
    return weight, np.ones(C), mean / std
