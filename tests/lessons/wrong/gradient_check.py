"""Wrong answers to the exercises of lesson 4."""

import numpy as np
from planted_answers import wrong


@wrong("4.1", "one-sided")
def numerical_gradient(f, x, h):
    gradient = np.zeros_like(x)
    start = f(x)
    for index in np.ndindex(*x.shape):
        moved = x.copy()
        moved[index] += h
        gradient[index] = (f(moved) - start) / h
    return gradient


@wrong("4.1", "2h apart")
def numerical_gradient(f, x, h):  # noqa: F811 - the name is what the exercise asks for
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up = x.copy()
        down = x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / h
    return gradient


@wrong("4.1", "brackets")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up = x.copy()
        down = x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / 2 * h
    return gradient


@wrong("4.1", "all elements at once")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    return (f(x + h) - f(x - h)) / (2 * h) * np.ones_like(x)


@wrong("4.1", "stays moved")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros_like(x)
    x = x.copy()
    for index in np.ndindex(*x.shape):
        x[index] += h
        up = f(x)
        x[index] -= 2 * h
        gradient[index] = (up - f(x)) / (2 * h)
    return gradient


@wrong("4.1", "changes x")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        old = x[index]
        x[index] = old + h
        up = f(x)
        x[index] = old - h
        gradient[index] = (up - f(x)) / (2 * h)
        x[index] += h
    return gradient


@wrong("4.1", "step is not h")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    h = 1e-6
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up = x.copy()
        down = x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


@wrong("4.1", "one number a row")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros(len(x))
    for i in range(len(x)):
        up = x.copy()
        down = x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


@wrong("4.2", "divided by h")
def complex_step(f, x):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        z = x.astype(complex)
        z[index] += 1e-20j
        gradient[index] = f(z).imag
    return gradient


@wrong("4.2", "imaginary part")
def complex_step(f, x):  # noqa: F811 - as above
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        z = x.astype(complex)
        z[index] += 1e-20j
        gradient[index] = f(z).real / 1e-20
    return gradient


@wrong("4.2", "too long")
def complex_step(f, x):  # noqa: F811 - as above
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        z = x.astype(complex)
        z[index] += 0.01j
        gradient[index] = f(z).imag / 0.01
    return gradient


@wrong("4.2", "digits are lost")
def complex_step(f, x):  # noqa: F811 - as above
    h = 1e-5
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[index] = h
        gradient[index] = (f(x + e) - f(x - e)) / (2 * h)
    return gradient


@wrong("4.2", "x.astype(complex)")
def complex_step(f, x):  # noqa: F811 - as above
    h = 1e-20
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[index] = h
        gradient[index] = (f(x + e) - f(x - e)) / (2 * h)
    return gradient


@wrong("4.2", "is complex")
def complex_step(f, x):  # noqa: F811 - as above
    gradient = np.zeros(x.shape, complex)
    for index in np.ndindex(*x.shape):
        z = x.astype(complex)
        z[index] += 1e-20j
        gradient[index] = f(z) / 1e-20
    return gradient


@wrong("4.3", "without the bias")
def net_gradients(dy, x, W1, b1, W2):
    a = np.maximum(x @ W1 + b1, 0)
    da = dy @ W2.T
    dh = da * (x @ W1 > 0)
    return dh @ W1.T, x.T @ dh, dh.sum(axis=0), a.T @ dy, dy.sum(axis=0)


@wrong("4.3", "your mask is missing")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T
    return dh @ W1.T, x.T @ dh, dh.sum(axis=0), a.T @ dy, dy.sum(axis=0)


@wrong("4.3", "mask is that of the gradient")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = np.maximum(dy @ W2.T, 0)
    return dh @ W1.T, x.T @ dh, dh.sum(axis=0), a.T @ dy, dy.sum(axis=0)


@wrong("4.3", "multiply by its derivative")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = (dy @ W2.T) * a
    return dh @ W1.T, x.T @ dh, dh.sum(axis=0), a.T @ dy, dy.sum(axis=0)


@wrong("4.3", "relu")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    h = x @ W1 + b1
    dh = (dy @ W2.T) * (h > 0)
    return dh @ W1.T, x.T @ dh, dh.sum(axis=0), h.T @ dy, dy.sum(axis=0)


@wrong("4.3", "wrong axis")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    h = x @ W1 + b1
    dh = (dy @ W2.T) * (h > 0)
    return dh @ W1.T, x.T @ dh, dh.sum(axis=1), np.maximum(h, 0).T @ dy, dy.sum(axis=0)


@wrong("4.3", "wrong order")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    h = x @ W1 + b1
    dh = (dy @ W2.T) * (h > 0)
    return x.T @ dh, dh @ W1.T, dh.sum(axis=0), np.maximum(h, 0).T @ dy, dy.sum(axis=0)


@wrong("4.1", "makes no copy")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        p = x
        p[index] += h
        q = x
        q[index] -= h
        gradient[index] = (f(p) - f(q)) / (2 * h)
    return gradient


@wrong("4.1", "one number")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    return (f(x + h) - f(x - h)) / (2 * h)


@wrong("4.2", "one number")
def complex_step(f, x):  # noqa: F811 - as above
    return f(x + 1e-20j).imag / 1e-20


@wrong("4.3", "wrong order, dW1, db1, dW2, db2, dx")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (a > 0)
    return x.T @ dh, dh.sum(0), a.T @ dy, dy.sum(0), dh @ W1.T


@wrong("4.3", "wrong order, dx, dW2, db2, dW1, db1")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (a > 0)
    return dh @ W1.T, a.T @ dy, dy.sum(0), x.T @ dh, dh.sum(0)


@wrong("4.3", "dx is missing")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (a > 0)
    return x.T @ dh, dh.sum(0), a.T @ dy, dy.sum(0)


@wrong("4.3", "one number each")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (a > 0)
    return dh @ W1.T, x.T @ dh, dh.sum(), a.T @ dy, dy.sum()


@wrong("4.3", "b2 is added behind W2")
def net_gradients(dy, x, W1, b1, W2):  # noqa: F811 - as above
    a = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (a > 0)
    return dh @ W1.T, x.T @ dh, dh.sum(0), a.T @ dy, dh.sum(0)


@wrong("4.1", "you do not divide")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        p = x.copy()
        q = x.copy()
        p[index] += h
        q[index] -= h
        gradient[index] = f(p) - f(q)
    return gradient


@wrong("4.1", "x + h/2 and x − h/2")
def numerical_gradient(f, x, h):  # noqa: F811 - as above
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        p = x.copy()
        q = x.copy()
        p[index] += h / 2
        q[index] -= h / 2
        gradient[index] = (f(p) - f(q)) / h
    return gradient
