"""What holds at NaN, at infinity and at ties, for every op that meets them."""

import numpy as np
import pytest
from backends import host

from minires import Tensor, ops


@pytest.mark.parametrize(
    "op",
    [
        ops.relu,
        ops.abs,
        ops.exp,
        ops.sigmoid,
        ops.tanh,
        lambda x: ops.maximum(x, 0.0),
        lambda x: ops.max(x),
        lambda x: ops.clip(x, min=0),
        ops.silu,
        ops.gelu,
    ],
)
def test_a_nan_goes_through(op):
    assert np.isnan(op(Tensor(np.array([1.0, np.nan]))).data).any()


def test_ties_follow_the_conventions():
    zero = Tensor(np.zeros(1), requires_grad=True)
    ops.relu(zero).backward(np.ones(1))
    assert zero.grad == 0
    same = Tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    ops.max_pool2d(same, kernel_size=2).backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(same.grad.ravel(), [1, 0, 0, 0])
    same.grad = None
    ops.max(same).backward()
    np.testing.assert_array_equal(same.grad.ravel(), [0.25] * 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_infinite_gradient_reaches_only_what_a_relu_or_a_window_has_chosen(backend, value, dtype):
    """As in PyTorch: nothing is multiplied by 0, because 0·∞ is a NaN."""
    row = np.array([[[[-1, 3, 0, -0.0, 2, -4]]]], dtype)
    x = backend.array(row)
    dy = backend.array(np.full_like(row, value))
    passed = np.where(row > 0, value, 0)
    np.testing.assert_array_equal(host(ops.relu.raw(x)[1](dy)), passed)
    for dx in ops.residual_add_relu.raw(x, x)[1](dy):
        np.testing.assert_array_equal(host(dx), passed)
    _, backward = ops.max_pool2d.raw(x, kernel_size=(1, 3))
    np.testing.assert_array_equal(host(backward(dy[..., :2])), np.where((row == 3) | (row == 2), value, 0))


def test_the_gradient_at_a_nan_is_what_the_docstrings_say():
    """PyTorch has 1 for relu, and 0 for abs."""
    x = Tensor([np.nan], requires_grad=True)
    ops.relu(x).sum().backward()
    assert x.grad.tolist() == [0]
    x.grad = None
    ops.abs(x).sum().backward()
    assert np.isnan(x.grad).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_running_mean_makes_its_channel_infinite(backend, value):
    x, dy = (backend.array(np.ones((2, 2, 3, 3), np.float32)) for _ in range(2))
    ones, mean = (backend.array(np.array([1, last], np.float32)) for last in (1, value))
    y, backward = ops.batch_norm.raw(x, ones, ones, running_mean=mean, running_var=ones)
    np.testing.assert_array_equal(host(y)[:, 1], np.full((2, 3, 3), -value))
    np.testing.assert_allclose(host(y)[:, 0], 1)
    dx, dw, db = map(host, backward(dy))
    np.testing.assert_allclose(dx, 1, rtol=1e-5)
    np.testing.assert_array_equal(dw, [0, -value])
    np.testing.assert_array_equal(db, [18, 18])
