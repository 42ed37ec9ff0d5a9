"""ops/reduce.py: reductions over one, several or all axes."""

import numpy as np
from against_torch import against_torch, normal, rng
from bad_input import refusals, t

from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

X = normal(2, 4, 7, 6)
V = normal(3, 5)
TIES = rng.integers(0, 3, (4, 6)) * 1.0


def norm_of_large(f, x):
    """torch's own overflows in float32."""
    return f.norm(x) if f.ours else f.norm(x / 1e30) * 1e30


TestAgainstTorch = against_torch(
    [
        ("sum", lambda f, x: f.sum(x), (X,)),
        ("sum over axes", lambda f, x: f.sum(x, (0, -1), True), (X,)),
        ("sum of a 0-d", lambda f, x: f.sum(x), (normal(),)),
        ("sum of nothing", lambda f, x: f.sum(x, 0), (normal(0, 3),)),
        ("sum over no axes named", lambda f, x: x.sum(()) + x.mean([]) + x.norm(dim=()), (X,)),
        ("mean of all", lambda f, x: f.mean(x), (X,)),
        ("mean", lambda f, x: f.mean(x, 2), (X,)),
        ("amax with ties", lambda f, x: f.amax(x, 1), (TIES,)),
        ("amin with ties", lambda f, x: f.amin(x, 1), (TIES,)),
        ("amax over axes", lambda f, x: f.amax(x, (0, -1), True), (X,)),
        ("max of all", lambda f, x: f.max(x), (V,)),
        ("min of all", lambda f, x: f.min(x), (V,)),
        ("max along an axis, the first of ties", lambda f, x: f.max(x, 1)[0], (np.array([[1.0, 5, 5], [2, 2, 2]]),)),
        ("min along an axis, kept", lambda f, x: f.min(x, 2, True).values, (X,)),
        ("max of a 0-d", lambda f, x: f.max(x, 0)[0], (normal(),)),
        ("var", lambda f, x: f.var(x, (1, 2)), (X,)),
        ("var, biased, kept", lambda f, x: f.var(x, 1, correction=0, keepdim=True), (X,)),
        ("std", lambda f, x: f.std(x, (1, 2)), (X,)),
        ("std of all, biased", lambda f, x: f.std(x, correction=0), (X,)),
        ("std of equal numbers", lambda f, x: f.std(x, 1), (np.ones((2, 3)),)),
        ("norm", lambda f, x: f.norm(x), (X,)),
        ("norm along axes", lambda f, x: f.norm(x, dim=(1, 3), keepdim=True), (X,)),
        ("norm of zeros", lambda f, x: f.norm(x, dim=1), (np.zeros((2, 3)),)),
        ("norm of large numbers", norm_of_large, (np.array([3e30, 4e30]),)),
        ("1-norm", lambda f, x: f.norm(x, p=1, dim=0), (np.append(V, 0.0),)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.sum(t(2, 3), dim=2), "sum: dim 2 is out of range"),
        (DTypeError, lambda: ops.sum(t(2, 3), dim=1.0), "sum: dim must be an integer, got 1.0"),
        (ShapeError, lambda: ops.mean(t(2, 3), dim=(0, -2)), "mean: dim .* names an axis twice"),
        (ShapeError, lambda: ops.max(t(0, 3), dim=0), "max: nothing to choose from"),
        (ShapeError, lambda: t(0, 3).max(0), "nothing to choose from"),
        (ShapeError, lambda: t(2, 3).argmax(2), "argmax: dim 2"),
        (ShapeError, lambda: ops.var(t(1, 3), dim=0), "var: 1 values along dim 0 leave no degree"),
        (ShapeError, lambda: ops.std(t(1)), "no degree of freedom"),
        (OptionError, lambda: ops.norm(t(3), p=3), "p must be 1 or 2"),
    ]
)


def test_reductions_of_nothing_and_of_what_is_not_finite():
    assert ops.amax(t(0, 3), dim=1).shape == (0,)
    assert ops.norm(t(0)).item() == 0
    assert ops.norm(Tensor([3.0, np.inf])).item() == np.inf
    x = Tensor([1.0, np.nan, 2.0], requires_grad=True)
    y = ops.amax(x)
    assert np.isnan(y.item())
    y.backward()
    assert x.grad.tolist() == [0, 1, 0]
