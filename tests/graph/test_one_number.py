"""A tensor of no axes is a tensor: its gradient is an array of no axes, however often it is used."""

import numpy as np
import pytest

from minires import Tensor, ops

ONE_NUMBER = [(), (1,), (1, 1)]


def used(x, times):
    """x to the power of `times`, by multiplication: the derivative is times·x^(times − 1)."""
    y = x
    for _ in range(times - 1):
        y = y * x
    return y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", ONE_NUMBER)
def test_the_gradient_of_one_number_is_an_array_of_its_shape_however_often_it_is_used(backend, shape, times, dtype):
    x = Tensor(np.full(shape, 2.0, dtype), requires_grad=True, device=backend.device)
    used(x, times).backward()
    assert type(x.grad) is type(x.data)
    assert (x.grad.shape, x.grad.dtype) == (shape, dtype)
    assert float(x.grad.reshape(())) == times * 2.0 ** (times - 1)


def test_a_formula_of_a_scalar_has_the_slope_that_calculus_says(backend):
    x = Tensor(2.0, requires_grad=True, dtype=np.float64, device=backend.device)
    y = x * x * x + 2 * x * x - x / (x + 1)
    y.backward()
    assert abs(float(x.grad) - (3 * 4 + 4 * 2 - 1 / 9)) < 1e-12
    y = ops.sigmoid(x) * x * x
    y.backward()  # added to what is there
    s = 1 / (1 + np.exp(-2.0))
    assert abs(float(x.grad) - (20 - 1 / 9 + 4 * s * (1 - s) + 4 * s)) < 1e-12
    assert x.grad.shape == ()


@pytest.mark.parametrize("shape", ONE_NUMBER)
@pytest.mark.parametrize(
    "function",
    [
        ops.relu,
        ops.abs,
        lambda x: ops.residual_add(x, x),
        lambda x: ops.residual_add_relu(x, x),
        lambda x: ops.maximum(x, 0.0),
    ],
)
def test_kernels_of_one_number_give_arrays(backend, function, shape):
    x = Tensor(np.full(shape, 1.5), requires_grad=True, device=backend.device)
    y = function(function(x) + function(x) + function(x))
    y.backward()
    assert y.shape == x.grad.shape == shape
    assert type(x.grad) is type(x.data)


@pytest.mark.parametrize("hooked", [None, lambda dy: dy * 2, lambda dy: np.float64(6.0), lambda dy: 6.0])
def test_a_hook_may_answer_with_a_number(hooked):
    x = Tensor(2.0, requires_grad=True, dtype=np.float64)
    y = x * 1.0
    y.register_hook(hooked or (lambda dy: None))
    (y + y + y).backward()
    assert isinstance(x.grad, np.ndarray)
    assert float(x.grad) == (6.0 if hooked else 3.0)


def test_a_gradient_that_does_not_fit_is_not_added_to():
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.grad = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"previous .grad.*\(3,\).*\(2,\)"):
        (x * 2.0).sum().backward()
