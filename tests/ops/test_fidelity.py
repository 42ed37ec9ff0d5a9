"""Numbers at the edge: large, infinite, not a number, very small."""

import numpy as np
import pytest
from backends import host

from minires import Tensor, kernels, ops
from minires.graph import no_grad

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_huge_logits_is_exact(dtype):
    logits = Tensor(np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], dtype), requires_grad=True)
    loss = ops.cross_entropy(logits, np.array([1, 2]), reduction="none")
    np.testing.assert_allclose(loss.data, [2e4, np.log(2.0)], rtol=np.finfo(dtype).eps)
    loss.backward(np.ones(2, dtype))
    np.testing.assert_array_equal(logits.grad, np.array([[1, -1, 0], [0, 0.5, -0.5]], dtype))


def test_a_class_that_is_ruled_out_leaves_loss_and_gradient_finite():
    logits = Tensor(np.array([[0.0, -np.inf, 1.0]]), requires_grad=True)
    loss = ops.cross_entropy(logits, np.array([2]))
    loss.backward()
    assert np.isfinite(loss.item())
    assert np.isfinite(logits.grad).all()
    assert logits.grad[0, 1] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_or_infinity_in_the_logits_gives_nan(value):
    with np.errstate(invalid="ignore"):
        assert np.isnan(ops.cross_entropy(Tensor(np.array([[value, 1.0]])), np.array([0])).item())


@pytest.mark.parametrize("op", [ops.relu, ops.abs, ops.exp, ops.sigmoid, ops.tanh, lambda x: ops.maximum(x, 0.0),
                                lambda x: ops.max(x), lambda x: ops.clip(x, min=0), ops.silu, ops.gelu])
def test_a_nan_goes_through(op):
    assert np.isnan(op(Tensor(np.array([1.0, np.nan]))).data).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_overflows_where_the_result_is_finite(dtype):
    x = Tensor(np.array([[-1e4, -100, 0, 100, 1e4]], dtype))
    for y in (ops.sigmoid(x), ops.silu(x), ops.softmax(x, dim=1), ops.logsumexp(x, dim=1), ops.tanh(x), ops.gelu(x)):
        assert np.isfinite(y.data).all()


def test_sigmoid_keeps_its_relative_precision_far_below_zero():
    np.testing.assert_allclose(ops.sigmoid(Tensor(np.array([-700.0, -40.0]))).data, np.exp([-700.0, -40.0]), rtol=1e-15)


def test_logsumexp_of_nothing_but_minus_infinity_is_minus_infinity():
    with np.errstate(divide="ignore"):
        assert ops.logsumexp(Tensor(np.full(3, -np.inf)), dim=0).item() == -np.inf


def test_denormals_are_numbers_like_others():
    tiny = np.full((1, 1, 3, 3), 5e-324)
    assert ops.conv2d(Tensor(tiny), Tensor(np.ones((1, 1, 3, 3)))).item() == 9 * 5e-324
    assert ops.relu(Tensor(tiny)).data.all()


@pytest.mark.parametrize(("a", "b", "da"), [(0.0, 2.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 0.0), (-2.0, 3.0, 12.0)])
def test_powers_at_zero_have_finite_gradients(a, b, da):
    x = Tensor(np.array([a]), requires_grad=True)
    (x**b).backward(np.ones(1))
    assert x.grad == da
    x.grad = None
    ops.pow(x, np.array([b])).backward(np.ones(1))
    assert x.grad == da


@pytest.mark.parametrize("zero", [0.0, np.zeros(3)], ids=["number", "array"])
def test_a_power_of_zero_does_not_depend_on_its_exponent(zero):
    b = Tensor(np.array([0.0, 1.0, 2.5]), requires_grad=True)
    y = ops.pow(zero, b)
    y.backward(np.ones(3))
    np.testing.assert_array_equal(y.data, [1, 0, 0])
    np.testing.assert_array_equal(b.grad, np.zeros(3))


def test_batch_norm_of_float32_with_a_mean_of_a_million_is_as_good_as_its_input():
    rng = np.random.default_rng(0)
    x = (1e6 + rng.standard_normal((8, 4, 16, 16))).astype(np.float32)
    y = ops.batch_norm(Tensor(x), np.ones(4, np.float32), np.zeros(4, np.float32), training=True)
    wide = x.astype(float)
    exact = (wide - wide.mean(axis=(0, 2, 3), keepdims=True)) / np.sqrt(wide.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
    assert np.abs(y.data - exact).max() < 4e-6


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


def test_batch_norms_backward_keeps_y_for_its_relu_only():
    """A map of each batch norm more would make a step of ResNet-50 200 MB larger."""
    x, v = np.random.default_rng(0).standard_normal((2, 3, 4, 4)), np.ones(3)
    for relu in (False, True):
        y, backward = ops.batch_norm.raw(x, v, v, training=True, relu=relu)
        kept = any(cell.cell_contents is y for cell in backward.__closure__)
        assert kept is relu


def test_max_pooling_looks_for_taps_only_where_somebody_records(monkeypatch):
    asked, right = [], kernels.max_pool
    monkeypatch.setattr(kernels, "max_pool", lambda x, win, taps=True: asked.append(taps) or right(x, win, taps))
    x = Tensor(np.ones((1, 1, 4, 4)), requires_grad=True)
    with no_grad():
        ops.max_pool2d(x, kernel_size=2)
    ops.max_pool2d(x, kernel_size=2).sum().backward()
    assert asked == [False, True]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_a_relu_or_a_window_passed_over_gets_no_gradient_be_the_upstream_infinite(backend, value, dtype):
    """As in PyTorch: nothing is multiplied by 0, for 0·∞ is a NaN."""
    row = np.array([[[[-1, 3, 0, -0.0, 2, -4]]]], dtype)
    x, dy = backend.array(row), backend.array(np.full_like(row, value))
    passed = np.where(row > 0, value, 0)
    np.testing.assert_array_equal(host(ops.relu.raw(x)[1](dy)), passed)
    for dx in ops.residual_add.raw(x, x, relu=True)[1](dy):
        np.testing.assert_array_equal(host(dx), passed)
    _, backward = ops.max_pool2d.raw(x, kernel_size=(1, 3))
    np.testing.assert_array_equal(host(backward(dy[..., :2])), np.where((row == 3) | (row == 2), value, 0))
