"""The exercises of lesson 10 about the shape of the loss. The one about blocks left out is in stochastic_depth.py."""

import numpy as np

from minires.lessons.exercise import exercise
from minires.lessons.function import Function


def _unit(v):
    return v / np.sqrt(np.sum(v * v))


# ---- 10.1


@exercise("10.1", gives="the direction")
def filter_normalized(d, w):
    """The direction d, each filter d[o] of which is made as long as the filter w[o]; 0 where w is a bias (O,).

    d and w of one shape: (O,C,K,K) of a convolution, (O,I) of a linear layer, or (O,). -> an array of this shape
    """
    if w.ndim == 1:
        return np.zeros(w.shape)
    return _filters(d, w, tuple(range(1, w.ndim)))


def _filters(d, w, axes, length=lambda a, axes: np.sqrt(np.sum(a * a, axes, keepdims=True)), divide=True, times=True):
    """d over its lengths along the axes, times those of w."""
    if w.ndim == 1:
        return np.zeros(w.shape)
    d = d / length(d, axes) if divide else d
    return d * length(w, axes) if times else d


@filter_normalized.draw
def _(rng):
    def pair(*shape):
        lengths = rng.uniform(0.2, 5, (shape[0], *[1] * (len(shape) - 1)))
        return rng.standard_normal(shape), lengths * rng.standard_normal(shape)

    o, c = (2 + rng.permutation(4)[:2]).tolist()
    yield "a convolution", pair(4, 3, 3, 3)
    yield "other sizes", pair(o, c, 3, 3)
    yield "filters of 1 × 1", pair(c, o + 1, 1, 1)
    yield "a linear layer", pair(o + 4, c)
    yield "a square matrix", pair(o, o)
    yield "a bias", pair(o + 3)
    d, w = pair(o + 2, c, 3, 3)
    w[1] = 0
    yield "a filter that is zero", (d, w)


@filter_normalized.sign
def _(value, d, w):
    """a bias is no filter: its direction is 0, so that it stays where it is"""
    return w.ndim == 1 and np.any(value)


@filter_normalized.mistake
def _(d, w):
    """you give the whole array the length of w: do it for each filter d[o] by itself"""
    return _filters(d, w, tuple(range(w.ndim)))


@filter_normalized.mistake
def _(d, w):
    """you give the whole array the length of w, a bias, too: do it for each filter d[o], and give zeros for a bias"""
    return d / np.sqrt(np.sum(d * d)) * np.sqrt(np.sum(w * w))


@filter_normalized.mistake
def _(d, w):
    """your lengths are those of each kernel w[o, c]: a filter is w[o], with all its channels"""
    return _filters(d, w, tuple(range(2, w.ndim)) if w.ndim > 2 else 1)


@filter_normalized.mistake
def _(d, w):
    """your lengths are those of each kernel w[o, c], and of each element of a matrix: a filter is w[o], a row there"""
    return _filters(d, w, tuple(range(2, w.ndim)))


@filter_normalized.mistake
def _(d, w):
    """your filters all get the length of the whole w: each d[o] gets that of its own w[o]"""
    return _filters(d, w, tuple(range(1, w.ndim)), times=False) * np.sqrt(np.sum(w * w))


@filter_normalized.mistake
def _(d, w):
    """your filters are w[:, c], those of an input: a filter is w[o], which makes one output"""
    return _filters(d, w, (0, *range(2, w.ndim)))


@filter_normalized.mistake
def _(d, w):
    """you sum over axis 0 only: a filter is w[o], so sum over all axes but the first"""
    return _filters(d, w, 0)


@filter_normalized.mistake
def _(d, w):
    """you sum over axis 1 only: a filter is w[o] with all that is in it, so sum over all axes but the first"""
    return _filters(d, w, 1)


@filter_normalized.mistake
def _(d, w):
    """you sum over the last axis only: a filter is w[o] with all that is in it, so sum over all axes but the first"""
    return _filters(d, w, -1)


@filter_normalized.mistake
def _(d, w):
    """you do not divide by the length of d's own filter: d[o] has a length already, and it must lose it"""
    return _filters(d, w, tuple(range(1, w.ndim)), divide=False)


@filter_normalized.mistake
def _(d, w):
    """your filters have the length 1: multiply each by the length of w[o]"""
    return _filters(d, w, tuple(range(1, w.ndim)), times=False)


@filter_normalized.mistake
def _(d, w):
    """you return d as it is: divide each filter by its own length, and multiply it by that of w[o]"""
    return _filters(d, w, 0, divide=False, times=False)


@filter_normalized.mistake
def _(d, w):
    """your lengths are squared: take the root of the sum of squares"""
    return _filters(d, w, tuple(range(1, w.ndim)), lambda a, axes: np.sum(a * a, axes, keepdims=True))


@filter_normalized.mistake
def _(d, w):
    """your length is the sum of the magnitudes: it is the root of the sum of squares"""
    return _filters(d, w, tuple(range(1, w.ndim)), lambda a, axes: np.sum(np.abs(a), axes, keepdims=True))


@filter_normalized.mistake
def _(d, w):
    """you give w the lengths of d: it is the other way round"""
    return _filters(w, d, tuple(range(1, w.ndim)))


# ---- 10.2


@exercise("10.2", gives="the eigenvalue")
def largest_eigenvalue(product, v, steps):
    """The eigenvalue of H that is largest in magnitude, after so many steps v ← H·v/‖H·v‖: vᵀ·H·v of the last v.

    product(v) gives H·v for a symmetric H (n,n). v (n,): where to start, of any length. steps: 1 or more. -> a number
    """
    return _iterated(product, v, steps)


def _iterated(product, v, steps, unit=_unit, read=lambda v, z: np.sum(v * z)):
    for _ in range(steps):
        v = unit(product(v))
    return read(v, product(v))


@largest_eigenvalue.draw
def _(rng):
    n = int(rng.integers(4, 8))
    a = float(rng.integers(2, 5))
    b = float(rng.integers(1, 4))
    yield "the matrix of the example", (Function("lambda v: np.array([[2, 1], [1, 3]]) @ v"), rng.standard_normal(2), 2)
    differences = Function("lambda v: 2 * v - np.roll(v, 1) - np.roll(v, -1)")
    yield "second differences", (differences, rng.standard_normal(n + 3), 4)
    yield "one step", (Function(f"lambda v: {a} * v + {b} * v[::-1]"), rng.standard_normal(n), 1)
    below = Function(f"lambda v: {b} * v.mean() - {a} * v * np.arange(v.size)")
    yield "an eigenvalue below 0", (below, rng.standard_normal(n), 5)
    many = Function(f"lambda v: {a} * v * np.arange(1, v.size + 1) + {b} * v.sum()")
    yield "many steps", (many, rng.standard_normal(n), 40)
    yield "a start that is long", (differences, 100 * rng.standard_normal(n), 3)
    large = Function(f"lambda v: {100 * a} * v * np.arange(1, v.size + 1) + {100 * b} * v.sum()")
    yield "eigenvalues so large that v overflows", (large, rng.standard_normal(n), 150)


@largest_eigenvalue.sign
def _(value, product, v, steps):
    """you return a vector: the eigenvalue is one number, vᵀ·H·v"""
    return np.shape(value) == np.shape(v)


@largest_eigenvalue.sign
def _(value, product, v, steps):
    """you divide by the length only once, at the end: in between v grows until it overflows, so divide in each step"""
    return steps > 100 and np.ndim(value) == 0 and not np.isfinite(value)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your eigenvalue is never below 0: ‖H·v‖ has lost its sign, return vᵀ·H·v"""
    return _iterated(product, v, steps, read=lambda v, z: np.sqrt(np.sum(z * z)))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you return the length of the last H·v, which is never below 0: return vᵀ·H·v with the last v"""
    for _ in range(steps):
        z = product(v)
        v = _unit(z)
    return np.sqrt(np.sum(z * z))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your eigenvalue has lost its sign: leave out abs, because an eigenvalue may be below 0"""
    return _iterated(product, v, steps, read=lambda v, z: np.abs(np.sum(v * z)))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you divide the first element of H·v by that of v: use all elements, vᵀ·H·v"""
    return _iterated(product, v, steps, read=lambda v, z: z[0] / v[0])


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you do one step too few: your vᵀ·H·v is that of the v before the last step"""
    return _iterated(product, _unit(v), steps - 1)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your vᵀ·H·v is that of the v before the last step, and the first v has not the length 1"""
    return _iterated(product, v, steps - 1)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you do one step too many"""
    return _iterated(product, v, steps + 1)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your v never gets the length 1, so vᵀ·H·v grows with it: divide H·v by its length in each step"""
    return _iterated(product, v, steps, unit=lambda v: v)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you divide H·v by the length of the v before it: divide it by its own length"""
    for _ in range(steps):
        v = product(_unit(v))
    return np.sum(v * product(v))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you divide by the largest element: divide by the length, the root of the sum of squares"""
    return _iterated(product, v, steps, unit=lambda v: v / np.max(np.abs(v)))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you divide by the sum: divide by the length, the root of the sum of squares"""
    return _iterated(product, v, steps, unit=lambda v: v / np.sum(v))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you divide by the square of the length: take the root"""
    return _iterated(product, v, steps, unit=lambda v: v / np.sum(v * v))


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your iteration goes on until nothing changes: do as many steps as are asked for"""
    return _iterated(product, v, 2000)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """your value is that of v at the start: put H·v/‖H·v‖ in the place of v in each step"""
    return _iterated(product, _unit(v), 0)


@largest_eigenvalue.mistake
def _(product, v, steps):
    """you compute v·v, which is 1: the eigenvalue is v·(H·v)"""
    return 1.0
