"""ops/arithmetic.py: elementwise arithmetic with broadcasting."""

import numpy as np
import pytest
from against_torch import against_torch, normal, positive
from bad_input import array, ones, refusals, t

from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

V = normal(3, 5)
ABOVE_0 = V > 0
AB = normal(2, 1, 3), normal(4, 1)  # they broadcast
TIES = np.array([1.0, 2, 3]), np.array([1.0, 3, 2])
FIVE = np.arange(5)
EXPONENTS = np.array([3.0, 1, 2, 0])

TestAgainstTorch = against_torch(
    [
        ("add", lambda f, a, b: f.add(a, b), AB),
        ("sub", lambda f, a, b: f.sub(a, b), AB),
        ("mul", lambda f, a, b: f.mul(a, b), AB),
        ("mul by 0-d", lambda f, a, b: f.mul(a, b), (normal(2, 3), normal())),
        ("add of two 0-d", lambda f, a, b: f.add(a, b), (normal(), normal())),
        ("from a number", lambda f, x: 3 - x, (V,)),
        ("a number over x", lambda f, x: 2 / x, (positive(2, 3),)),
        ("div", lambda f, a, b: f.div(a, b), (normal(2, 1, 3), positive(4, 1))),
        ("pow", lambda f, a, b: f.pow(a, b), (positive(2, 3), normal(3))),
        ("pow of negatives", lambda f, x: x**3, (V,)),
        ("pow to the 0", lambda f, x: x**0, (V,)),
        ("pow of zeros", lambda f, x: x**2, (np.zeros(3),)),
        ("pow of 0 and 1 to arrays", lambda f, x: f.pow(x, f.array(EXPONENTS, x)), (np.array([0.0, 0, 1, 0]),)),
        ("2 to a power", lambda f, x: 2**x, (V,)),
        ("neg", lambda f, x: f.neg(x), (V,)),
        ("abs", lambda f, x: f.abs(x), (np.append(V, 0.0),)),
        ("exp", lambda f, x: f.exp(x), (V,)),
        ("log", lambda f, x: f.log(x), (positive(3, 4),)),
        ("sqrt", lambda f, x: f.sqrt(x), (positive(3, 4),)),
        ("maximum with ties", lambda f, a, b: f.maximum(a, b), TIES),
        ("minimum with ties", lambda f, a, b: f.minimum(a, b), TIES),
        ("maximum, broadcast", lambda f, a, b: f.maximum(a, b), AB),
        ("max of two", lambda f, a, b: a.max(b) + a.min(b), (normal(2, 3), normal(3))),
        ("clip", lambda f, x: f.clip(x, -0.5, 0.5), (np.append(V, [0.5, -0.5]),)),
        ("clip below", lambda f, x: f.clip(x, min=0.1), (V,)),
        ("clip with min above max", lambda f, x: f.clip(x, 3, 1), (np.array([0.0, 2, 5]),)),
        ("where", lambda f, a, b: f.where(f.array(ABOVE_0), a, b), (normal(3, 5), normal(5))),
        ("where, of a number", lambda f, a: f.where(f.array(ABOVE_0), a, 2), (normal(1, 5),)),
        ("integers and floats", lambda f, x: x * f.array(FIVE) + f.array(FIVE) / x, (positive(3, 5),)),
        ("a Tensor of integers", lambda f, x: f.where(f.array(ABOVE_0), 1, 2) / x, (positive(3, 5),)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.add(t(2, 3), t(4)), r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
        (ShapeError, lambda: ops.maximum(t(2, 3), t(3, 3)), r"maximum: shapes \(2, 3\) and \(3, 3\)"),
        (DTypeError, lambda: ops.exp(np.array([object()])), "exp: argument 1 is object"),
        (DTypeError, lambda: -Tensor([True]), "booleans have no sign"),
        (DTypeError, lambda: Tensor([True]) - Tensor([False]), "not subtracted"),
        (ShapeError, lambda: ops.where(ones((2, 3), bool), t(3), t(4)), "where: shapes"),
        (ShapeError, lambda: ops.where(ones((2, 3), bool), 1.0, t(4)), "where: shapes"),
        (OptionError, lambda: ops.clip(t(3)), "clip: give min, max or both"),
        (ShapeError, lambda: ops.clip(t(3), min=ones((2, 3))), "does not broadcast to x"),
        (DTypeError, lambda: ops.clip(t(3), max=array([0, 0, 1j])), "max must be"),
        (DTypeError, lambda: ops.clip(t(3), min="0"), "clip: min must be"),
    ]
)


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: Tensor([1, 2]) + 2.5, np.float32),
        (lambda: Tensor([1]) / 2, np.float32),
        (lambda: Tensor([1, 2]).mean(), np.float32),
        (lambda: ops.where(np.array([True]), 1.0, 2.0), np.float32),
        (lambda: ops.where(np.array([True]), 1, 2), np.int64),
        (lambda: Tensor(np.array([1], np.int8)) + Tensor([300]), np.int64),
        (lambda: Tensor(np.ones(2)) * np.array([1, 2]), np.float64),
        (lambda: ops.clip(Tensor(np.ones(2, "f4")), min=np.zeros(2)), np.float32),
        (lambda: Tensor([True, True]).sum(), np.int64),
        (lambda: Tensor(np.full(2, 200, np.uint8)).sum(), np.int64),
    ],
)
def test_the_dtype_of_a_result_is_the_one_that_is_promised(make, dtype):
    assert make().dtype == dtype


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


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow) encountered:RuntimeWarning")
@pytest.mark.parametrize("base_is_a_number", [False, True])
def test_a_power_at_zero_and_at_infinity_has_the_gradients_of_torch(base_is_a_number):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    exponents = [0.0, 1.0, 2.0, -1.0, -3.0, -2.0, np.inf, -np.inf, np.nan]

    def gradients(tensor, base):
        a = base if base_is_a_number else tensor([base] * len(exponents), requires_grad=True)
        b = tensor(exponents, requires_grad=True)
        (a**b).sum().backward()
        return [np.asarray(b.grad)] if base_is_a_number else [np.asarray(a.grad), np.asarray(b.grad)]

    for base in (0.0, -0.0, 1.0, 2.0, -2.0, np.inf, -np.inf, np.nan):
        for found, right in zip(gradients(Tensor, base), gradients(torch.tensor, base), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-6, err_msg=f"base {base}")


def test_the_0th_power_is_constant_everywhere():
    x = Tensor([np.inf, -np.inf, np.nan, 0.0, 2.0], requires_grad=True)
    (x**0).sum().backward()
    assert x.grad.tolist() == [0] * 5


def test_a_bound_that_is_nan_gives_nan_as_in_numpy_and_torch():
    x = np.array([0.0, 2.0, np.nan, 2.0, 5.0])
    low = np.array([1.0, np.nan, 1.0, 1.0, 1.0])
    high = np.array([np.nan, 3.0, 3.0, 3.0, 3.0])
    for min, max in ((np.nan, None), (None, np.nan), (np.nan, 1.0), (low, None), (None, high), (low, high)):
        t = Tensor(x, requires_grad=True)
        y = t.clip(min, max)
        np.testing.assert_array_equal(y.data, np.clip(x, min, max))
        y.sum().backward()
        np.testing.assert_array_equal(t.grad[np.isnan(y.data)], 0)
