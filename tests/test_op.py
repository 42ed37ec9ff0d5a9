"""@op: how arguments reach a function, and what its backward must return."""

from functools import partial

import numpy as np
import pytest

from minires import Tensor, no_grad, op, ops
from minires.errors import DTypeError, GraphError, ShapeError
from minires.op import registry


@pytest.fixture
def cube():
    @op
    def cube(x, scale=None, *, power=3):
        y = x**power
        return y, lambda dy: (dy * power * x ** (power - 1), None)

    yield cube
    del registry["cube"]


def test_a_function_becomes_an_op_and_stays_reachable(cube):
    x = Tensor(np.array([2.0]), requires_grad=True)
    cube(x, power=4).backward(np.array([1.0]))
    assert x.grad == 32
    y, backward = cube.raw(np.array([2.0]))
    assert (y, backward(1.0)[0]) == (8, 12)
    assert registry["cube"] is cube


def test_settings_may_come_by_position_as_in_torch():
    x = Tensor(np.random.default_rng(0).standard_normal((1, 2, 6, 6)))
    np.testing.assert_array_equal(
        ops.max_pool2d(x, 3, 2, 1).data, ops.max_pool2d(x, kernel_size=3, stride=2, padding=1).data
    )
    w = np.ones((3, 2, 3, 3))
    assert ops.conv2d(x, w, None, 2, 1).shape == (1, 3, 3, 3)
    assert ops.cat([x, x], 1).shape == (1, 4, 6, 6)


def test_differentiable_arguments_may_come_by_keyword():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3)))
    w = Tensor(np.ones((4, 3)), requires_grad=True)
    b = Tensor(np.ones(4), requires_grad=True)
    ops.linear(x, bias=b, weight=w).sum().backward()
    np.testing.assert_allclose(w.grad, np.tile(x.data.sum(0), (4, 1)))
    np.testing.assert_array_equal(b.grad, np.full(4, 2.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.relu(x, 0.5), r"relu: got 2 arguments by position and \[\] by name; it takes x, each once"),
        (lambda x: ops.max_pool2d(x, 3, 2, 1, 1, True, False), "max_pool2d: got 7 arguments by position"),
        (
            lambda x: ops.max_pool2d(x, 3, kernel_size=2),
            r"max_pool2d: got 2 arguments by position and \['kernel_size'\]",
        ),
        (lambda x: ops.cat([x], 0, 1), "cat: got 3 arguments by position and .* it takes tensors, dim"),
        (lambda x: ops.conv2d(x, x, weight=x), "multiple values for argument 'weight'"),
        (lambda x: ops.relu(x, slope=1), "unexpected keyword argument 'slope'"),
    ],
)
def test_an_argument_too_many_or_given_twice_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call(Tensor(np.ones((1, 1, 4, 4))))


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (lambda dy: np.ones(5), ShapeError, r"broken: backward gave a gradient \(5,\) for an input \(3,\)"),
        (lambda dy: dy.astype(np.float32), DTypeError, "broken: backward gave a float32 gradient for a float64 input"),
        (lambda dy: (dy, dy), GraphError, "broken: backward gave 2 gradients for 1 inputs"),
        (lambda dy: (), GraphError, "broken: backward gave 0 gradients for 1 inputs"),
    ],
)
def test_a_wrong_gradient_is_blamed_on_its_op(gradient, error, message):
    @op
    def broken(x):
        return x * 2, gradient

    try:
        with pytest.raises(error, match=message):
            broken(Tensor(np.ones(3), requires_grad=True)).sum().backward()
    finally:
        del registry["broken"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.add(Tensor(np.ones(2)), Tensor(np.ones(2, np.float32))),
            r"add: mixes float64 and float32; convert one: .* for a Tensor, \.astype\(np\.float32\) for an array, or model\.double\(\)",
        ),
        (lambda: ops.relu(Tensor([1, 2])), "relu: argument 1 is int64"),
        (lambda: ops.mul(np.ones(2), np.ones(2, complex)), "mul: argument 2 is complex128"),
        (lambda: ops.add(Tensor([1.0]), [1.0]), "add: argument 2 must be a Tensor or an array, got list"),
        (lambda: ops.exp(2.0), "exp: argument 1 must be a Tensor or an array, got float"),
        (lambda: ops.matmul(Tensor([[1.0]]), "x"), "matmul: argument 2 must be"),
    ],
)
def test_types_that_do_not_fit_are_named(call, message):
    with pytest.raises(DTypeError, match=message):
        call()


def test_an_input_without_gradient_is_not_recorded():
    assert ops.relu(Tensor([1.0])).node is None
    assert ops.relu(np.ones(3, np.float32)).node is None


# What people write who make an op of their own


class Scaling:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, dy):
        return self.factor * dy

    def back(self, dy):
        return self.factor * dy


@pytest.mark.parametrize(
    "make",
    [
        lambda x: lambda dy, k=3: k * dy,
        lambda x: lambda dy, scale=3, needs=True: scale * dy,
        lambda x: lambda dy, x=x: 3 * dy + 0 * x,
        lambda x: Scaling(3),
        lambda x: Scaling(3).back,
        lambda x: partial(np.multiply, 3),
        lambda x: lambda dy: [3 * dy],
    ],
    ids=["a default", "needs as third", "an array as default", "an object", "a method", "a partial", "a list"],
)
def test_a_backward_may_be_any_callable_with_settings_of_its_own(own_ops, make):
    @op
    def three_times(x):
        return 3 * x, make(x)

    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    (three_times(x) + three_times(x)).sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_what_an_object_keeps_and_hands_out_is_not_written_over(own_ops):
    kept = np.ones(2)

    @op
    def keeping(x):
        return x * 1, partial(lambda kept, dy: kept, kept)

    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    (keeping(x) + x + x).sum().backward()
    assert (kept.tolist(), x.grad.tolist()) == ([1, 1], [3, 3])


def test_an_array_that_is_a_default_of_backward_is_watched(own_ops):
    @op
    def square(x):
        return x * x, lambda dy, x=x: 2 * x * dy

    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = square(x)
    with no_grad():
        x[0] = 5
    with pytest.raises(GraphError, match="changed in place"):
        y.sum().backward()


def test_an_op_of_ones_own_with_a_name_that_is_taken_changes_nothing_else(own_ops):
    @op
    def sigmoid(x):
        return x * 0, lambda dy: dy * 0

    x = Tensor(np.array([0.0]))
    assert sigmoid(x).item() == 0
    assert x.sigmoid().item() == ops.sigmoid(x).item() == 0.5

    @op
    def mine(x):
        return x, lambda dy: dy

    @op
    def mine(x):  # noqa: F811 - a cell of a notebook run again
        return x * 2, lambda dy: dy * 2

    assert registry["mine"] is mine


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i8"])
def test_another_byte_order_is_named_and_not_the_dtype(dtype):
    with pytest.raises(DTypeError, match=r"argument 1 has another byte order .* convert it with minires.tensor"):
        ops.sum(np.ones(2, dtype))
