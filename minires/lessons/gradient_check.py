"""The exercises of lesson 4: is your gradient right?"""

import numpy as np

from minires.lessons.comparison import close
from minires.lessons.exercise import exercise
from minires.lessons.function import Function


def _each(f, x, slope):
    """slope(e) for each element of x, where e is 1 there and 0 elsewhere."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[index] = 1
        gradient[index] = slope(e)
    return gradient


# ---- 4.1


@exercise("4.1", gives="the gradient")
def numerical_gradient(f, x, h):
    """The gradient of f at an array x of any shape, by differences (f(x + h) − f(x − h))/2h of each element.

    f(x) is one number. -> an array of x's shape
    """
    return _each(f, x, lambda e: (f(x + h * e) - f(x - h * e)) / (2 * h))


@numerical_gradient.draw
def _(rng):
    n, m = rng.integers(2, 5, 2).tolist()
    cubes = Function("lambda x: np.sum(x**3)")
    mixed = Function("lambda x: np.sum(np.sin(x)) * np.sum(x**2)")
    first = Function("lambda x: np.exp(x.ravel()[0]) * np.sum(x * np.arange(1, x.size + 1).reshape(x.shape))")
    yield "the function of the example", (cubes, rng.standard_normal(3), 1e-5)
    yield "a matrix", (mixed, rng.standard_normal((n, m + 1)), 1e-5)
    yield "a large step", (cubes, 1 + rng.random(n), 0.1)
    yield "a large step and a matrix", (mixed, rng.standard_normal((m, n)), 0.25)
    yield "elements that differ", (first, rng.standard_normal((2, n)), 1e-4)
    yield "three axes", (mixed, rng.standard_normal((2, 1, 3)), 1e-5)


@numerical_gradient.sign
def _(value, f, x, h):
    """your gradient has one number a row: x may have several axes, use np.ndindex(x.shape)"""
    return x.ndim > 1 and np.shape(value) == x.shape[:1]


@numerical_gradient.sign
def _(value, f, x, h):
    """your step is not h: it is an argument, so use it also where it is large"""
    return h > 1e-3 and np.allclose(value, complex_step(f, x), rtol=1e-4)


@numerical_gradient.sign
def _(value, f, x, h):
    """you move all elements at once, and get one number: move one element, and write its slope at its place"""
    return np.ndim(value) == 0


@numerical_gradient.mistake
def _(f, x, h):
    """you do not divide: a slope is the difference of f over the distance of the points, 2h"""
    return 2 * h * numerical_gradient(f, x, h)


@numerical_gradient.mistake
def _(f, x, h):
    """your points are x + h/2 and x − h/2: take x + h and x − h"""
    return numerical_gradient(f, x, h / 2)


@numerical_gradient.mistake
def _(f, x, h):
    """your gradient is zero: both points are the same array, because p = x makes no copy; use x.copy()"""
    return np.zeros(x.shape)


@numerical_gradient.mistake
def _(f, x, h):
    """your difference is one-sided, (f(x + h) − f(x))/h: its error is of order h, take x + h and x − h"""
    return _each(f, x, lambda e: (f(x + h * e) - f(x)) / h)


@numerical_gradient.mistake
def _(f, x, h):
    """your difference is one-sided, (f(x) − f(x − h))/h: its error is of order h, take x + h and x − h"""
    return _each(f, x, lambda e: (f(x) - f(x - h * e)) / h)


@numerical_gradient.mistake
def _(f, x, h):
    """you divide by h: the two points are 2h apart"""
    return 2 * numerical_gradient(f, x, h)


@numerical_gradient.mistake
def _(f, x, h):
    """you divide by 2 and multiply by h, because of the order of / and *: put 2·h into brackets"""
    return numerical_gradient(f, x, h) * h * h


@numerical_gradient.mistake
def _(f, x, h):
    """you move all elements at once: move one element, and leave the others where they are"""
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


@numerical_gradient.mistake
def _(f, x, h):
    """an element that was moved stays moved: put it back before the next one"""
    x = x.copy()

    def slope(e):
        nonlocal x
        up = f(x + h * e)
        x = x - h * e
        return (up - f(x)) / (2 * h)

    return _each(f, x, slope)


@numerical_gradient.mistake
def _(f, x, h):
    """your points are h/2 on each side, and you divide by 2h: divide by the distance of the points"""
    return _each(f, x, lambda e: (f(x + h / 2 * e) - f(x - h / 2 * e)) / (2 * h))


@numerical_gradient.mistake
def _(f, x, h):
    """your gradient has the wrong sign: f(x + h) comes first"""
    return -numerical_gradient(f, x, h)


@numerical_gradient.mistake
def _(f, x, h):
    """your gradient is a list of rows: give it the shape of x"""
    return numerical_gradient(f, x, h).ravel()


# ---- 4.2


@exercise("4.2", gives="the gradient")
def complex_step(f, x):
    """The gradient of an analytic f at an array x of any shape, by the complex step with h = 1e-20."""
    return _complex_step(f, x)


def _complex_step(f, x, h=1e-20):
    return _each(f, x, lambda e: np.imag(f(x + 1j * h * e)) / h)


@complex_step.draw
def _(rng):
    n, m = rng.integers(2, 5, 2).tolist()
    smooth = Function("lambda x: np.sum(np.exp(x) * np.sin(x)) * np.sum(x)")
    large = Function("lambda x: 1e9 + np.sum(np.sin(x) ** 3)")
    first = Function("lambda x: np.exp(x.ravel()[0]) * np.sum(x**2 * np.arange(1, x.size + 1).reshape(x.shape))")
    yield "the function of the example", (smooth, rng.standard_normal(3))
    yield "a matrix", (smooth, rng.standard_normal((n, m + 1)))
    yield "a large constant in f", (large, 1 + rng.random((n, 2)) / 2)
    yield "elements that differ", (first, rng.standard_normal((2, m)))
    yield "three axes", (smooth, rng.standard_normal((1, n, 2)))


@complex_step.sign
def _(value, f, x):
    """digits are lost: you subtract two values of f that are nearly equal; the complex step subtracts nothing"""
    right = complex_step(f, x)
    return abs(f(x)) > 1e6 and np.isrealobj(value) and np.abs(value - right).max() < np.abs(right).max()


@complex_step.sign
def _(value, f, x):
    """your gradient has one number a row: x may have several axes, use np.ndindex(x.shape)"""
    return x.ndim > 1 and np.shape(value) == x.shape[:1]


@complex_step.sign
def _(value, f, x):
    """your gradient is complex: take the imaginary part of f(x + ih), and divide that by h"""
    return np.iscomplexobj(value)


@complex_step.sign
def _(value, f, x):
    """your step is too long: its error is of order h², and h can be 1e-20, because nothing is subtracted"""
    return any(close(value, _complex_step(f, x, h)) for h in (1.0, 0.1, 1e-2, 1e-3))


@complex_step.sign
def _(value, f, x):
    """you move all elements at once, and get one number: move one element, and write its slope at its place"""
    return np.ndim(value) == 0


@complex_step.mistake
def _(f, x):
    """your gradient is not divided by h"""
    return _complex_step(f, x) * 1e-20


@complex_step.mistake
def _(f, x):
    """you take the real part of f(x + ih), which is f(x): take the imaginary part"""
    return _each(f, x, lambda e: np.real(f(x + 1e-20j * e)) / 1e-20)


@complex_step.mistake
def _(f, x):
    """you divide by 2h: there is only one point, so divide by h"""
    return _complex_step(f, x) / 2


@complex_step.mistake
def _(f, x):
    """you move all elements at once: move one element, and leave the others where they are"""
    return np.full(x.shape, np.imag(f(x + 1e-20j)) / 1e-20)


@complex_step.mistake
def _(f, x):
    """your gradient is zero: step along i, with 1j·h, in an array that can hold it: x.astype(complex)"""
    return np.zeros(x.shape)


# ---- 4.3


@exercise("4.3", gives=("dx", "dW1", "db1", "dW2", "db2"))
def net_gradients(dy, x, W1, b1, W2):
    """The gradients of y = relu(x·W1 + b1)·W2 + b2, from dy = ∂L/∂y (N,O): dx, dW1, db1, dW2, db2.

    x (N,D), W1 (D,H), b1 (H,), W2 (H,O)
    """
    return _net_gradients(dy, x, W1, b1, W2, lambda h, xW, da: h > 0)


def _net_gradients(dy, x, W1, b1, W2, mask_of):
    xW = x @ W1
    h = xW + b1
    da = dy @ W2.T
    dh = da * mask_of(h, xW, da)
    return dh @ W1.T, x.T @ dh, dh.sum(0), np.maximum(h, 0).T @ dy, dy.sum(0)


@net_gradients.draw
def _(rng):
    def arrays(N, D, H, O):
        shapes = ((N, O), (N, D), (D, H), (H,), (H, O))
        return tuple(rng.standard_normal(shape) for shape in shapes)

    N, D, H, O = rng.integers(3, 6, 4).tolist()
    yield "the sizes of the example", arrays(6, 4, 5, 3)
    yield "other sizes", arrays(N + 4, D, H + 2, O)
    yield "square matrices", arrays(4, 4, 4, 4)
    yield "one output", arrays(N + 3, D, H, 1)
    yield "one row", arrays(1, D, H + 4, O)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your mask is x·W1 > 0, without the bias: the ReLU is behind the bias, so the mask is x·W1 + b1 > 0"""
    return _net_gradients(dy, x, W1, b1, W2, lambda h, xW, da: xW > 0)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your mask is missing: behind a ReLU that is 0 nothing flows back, so multiply by x·W1 + b1 > 0"""
    return _net_gradients(dy, x, W1, b1, W2, lambda h, xW, da: 1)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your mask is that of the gradient: the mask says where the ReLU's input x·W1 + b1 is above 0"""
    return _net_gradients(dy, x, W1, b1, W2, lambda h, xW, da: da > 0)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """you multiply by relu(x·W1 + b1): multiply by its derivative, which is 1 or 0"""
    return _net_gradients(dy, x, W1, b1, W2, lambda h, xW, da: np.maximum(h, 0))


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db1 and db2 are means: b is added to each row, so sum over the rows"""
    dx, dW1, db1, dW2, db2 = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, db1 / len(x), dW2, db2 / len(x)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db1 is summed over the wrong axis: b1 is added to each row, so sum over the rows, axis 0"""
    dx, dW1, _, dW2, db2 = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, (dy @ W2.T * (x @ W1 + b1 > 0)).sum(1), dW2, db2


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db1 and db2 are summed over the wrong axis: a bias is added to each row, so sum over the rows, axis 0"""
    dx, dW1, _, dW2, _ = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, (dy @ W2.T * (x @ W1 + b1 > 0)).sum(1), dW2, dy.sum(1)


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db1 and db2 are one number each: sum over the rows alone, axis 0"""
    dx, dW1, db1, dW2, db2 = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, db1.sum(), dW2, db2.sum()


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db2 is made of what flows back through W2: b2 is added behind W2, so sum dy itself"""
    dx, dW1, db1, dW2, _ = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, db1, dW2, db1


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your db1 has no mask: b1 is in front of the ReLU, so sum dy·W2ᵀ times the mask"""
    dx, dW1, _, dW2, db2 = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, (dy @ W2.T).sum(0), dW2, db2


@net_gradients.mistake
def _(dy, x, W1, b1, W2):
    """your dW2 uses x·W1 + b1: W2 is multiplied by what comes out of the ReLU, so use relu(x·W1 + b1)"""
    dx, dW1, db1, _, db2 = net_gradients(dy, x, W1, b1, W2)
    return dx, dW1, db1, (x @ W1 + b1).T @ dy, db2
