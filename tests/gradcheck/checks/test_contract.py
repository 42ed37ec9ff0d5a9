"""What a backward must do besides returning the right values: each breach is noticed and said."""

import numpy as np
import pytest

from minires import nn, ops
from minires.errors import OptionError
from minires.gradcheck import check, check_module, taylor_test


def double(backward_of):
    """y = 2x, with the backward that backward_of(x) makes."""
    return lambda x: (2 * x, backward_of(x))


def counting(x):
    calls = []
    return lambda dy: calls.append(1) or 2 * dy * len(calls)


def stale(x):
    kept = []
    return lambda dy: kept.append(2 * dy) or kept[0]


def by_memory(x):
    """Reads dy in the order of its memory, as if that were always C order."""
    return lambda dy: 2 * np.frombuffer(memoryview(dy).tobytes(order="A"), dy.dtype).reshape(dy.shape)


def in_place(x):
    def backward(dy):
        dy *= 2
        return dy

    return backward


def into_x(x):
    def backward(dy):
        x[...] = 0
        return 2 * dy

    return backward


@pytest.mark.parametrize(
    ("backward_of", "sentence"),
    [
        (lambda x: lambda dy: None, "backward gives no gradient (None) for x of shape (2, 3)"),
        (lambda x: lambda dy: (), "backward gives no gradient (None) for x of shape (2, 3)"),
        (lambda x: lambda dy: "dx", "backward gives a str for x of shape (2, 3)"),
        (lambda x: lambda dy: 2 * dy[:1], "backward gives a gradient of shape (1, 3) for x of shape (2, 3)"),
        (lambda x: lambda dy: (2 * dy).astype(np.float32), "backward gives a float32 gradient for x of float64"),
        (lambda x: lambda dy: (2 * dy, dy), "the backward returns 2 gradients for 1 arguments (x)"),
        (in_place, "backward changes the gradient dy that it is given"),
        (into_x, "the input array x was changed"),
        (counting, "backward called twice gives two different gradients for x"),
        (lambda x: lambda dy: 2 * dy + 1e-3, "from a dy of zeros backward makes a dx that is not zero"),
        (lambda x: lambda dy: dy / 0, "from a dy of zeros backward makes a dx that is not zero"),
        (stale, "from a dy of zeros backward makes a dx that is not zero"),
        (lambda x: lambda dy: [][0], "the backward raises IndexError: list index out of range (test_contract.py, line"),
    ],
)
def test_a_breach_is_said(backward_of, sentence):
    report = check(double(backward_of), np.arange(6.0).reshape(2, 3))
    assert not report.passed
    assert sentence in str(report)


def test_a_backward_that_hands_out_its_input_is_noticed():
    report = check(lambda x: (x * x / 2, lambda dy: x if np.array_equal(dy, np.ones_like(dy)) else x * dy), np.ones(3))
    assert report.passed  # this upstream is not ones

    def product(a, b):
        return a * b, lambda dy: (b, a)

    assert "da shares memory with b: return a copy" in str(check(product, np.ones(3), np.ones(3)))


def test_an_output_that_is_a_piece_of_an_input_must_be_declared():
    def first_row(x):
        def backward(dy):
            dx = np.zeros_like(x)
            dx[0] = dy
            return dx

        return x[0], backward

    assert "y shares memory with x" in str(check(first_row, np.ones((2, 3))))
    assert check(first_row, np.ones((2, 3)), view=True).passed


def test_arrays_that_are_not_contiguous_must_give_the_same():
    def by_strides(x):
        """Reads the memory of x and ignores its strides."""
        flat = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)).copy()
        return x * x, lambda dy: (2 * flat.reshape(x.shape)) * dy

    report = check(by_strides, np.arange(1.0, 7).reshape(2, 3))
    assert report.problems
    assert "given arrays that are not contiguous in memory, backward makes another dx" in str(report)


def test_a_read_only_upstream_must_be_taken():
    def impatient(x):
        def backward(dy):
            if not dy.flags.writeable:
                raise ValueError("assignment destination is read-only")
            return 2 * dy

        return 2 * x, backward

    assert (
        "given read-only arrays from np.broadcast_to, the backward raises ValueError: assignment destination is "
        "read-only"
    ) in str(check(impatient, np.ones((2, 3))))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "None"),
        (np.ones(3), "one ndarray"),
        ((np.ones(3), np.ones(3)), "(ndarray, ndarray)"),
        ((np.ones(3),), "(ndarray)"),
    ],
)
def test_a_function_of_another_form_is_told_the_form(result, said):
    report = check(lambda x: result, np.ones(3))
    assert f"the function must return (y, backward), backward a function of dy; it returns {said}" in str(report)


def test_a_forward_that_raises_is_a_failing_report_with_the_place():
    def broken(x):
        return x @ np.ones(5), None

    report = check(broken, np.ones(3))
    assert not report.passed
    assert str(report).startswith("FAILED broken  the forward raises ValueError: matmul: ")
    assert "(test_contract.py, line" in str(report)


@pytest.mark.parametrize("x", [np.array([1, 2, 3]), [1, 2, 3], 3, np.array([True, False]), np.array([1j])], ids=repr)
def test_numbers_that_are_no_floats_are_a_problem_with_a_remedy(x):
    report = check(double(lambda x: lambda dy: 7 * dy), x)
    assert not report.passed
    assert f"nothing to differentiate: x is {np.asarray(x).dtype}; give floats: np.array([1.0, 2.0])" in str(report)


def test_an_array_of_no_elements_proves_nothing():
    report = check(double(lambda x: lambda dy: 2 * dy), np.ones((0, 3)))
    assert report.status == "UNSURE"
    assert "nothing was compared, because the arrays are empty" in str(report)


def inverse(x):
    y = np.linalg.inv(x)
    return y, lambda dy: -y.T @ dy @ y.T


def determinant(x):
    y = np.linalg.det(x)
    return y, lambda dy: dy * y * np.linalg.inv(x).T


def of_distinct(x):
    if len(np.unique(x.real)) < x.size:
        raise ValueError("values must differ")
    return 2 * x, lambda dy: 2 * dy


@pytest.mark.parametrize("function", [inverse, determinant, of_distinct])
def test_numbers_that_a_function_does_not_take_are_not_blamed_on_the_memory(function):
    report = check(function, np.random.default_rng(0).standard_normal((3, 3)))
    assert report.passed, report


def test_a_function_that_draws_random_numbers_is_told_so():
    rng = np.random.default_rng(0)

    def noisy(x):
        mask = rng.random(x.shape)
        return x * mask, lambda dy: dy * mask

    for report in (
        check(noisy, np.ones(5)),
        check(ops.dropout, np.ones(50)),
        check_module(nn.Dropout(0.5, rng=0), np.ones(50)),
    ):
        assert not report.passed
        assert "it gives another y when called again: if it draws random numbers, fix the seed inside" in str(report)
    assert check(ops.dropout, np.ones(50), rng=0).passed


def test_a_forward_that_changes_its_input_is_not_taken_for_one_that_draws():
    def doubling(x):
        x *= 2
        return x.copy(), lambda dy: 2 * dy

    assert "the input array x was changed" in str(check(doubling, np.ones(3)))


def test_a_function_that_does_not_take_inputs_nearby_is_a_report():
    def rows(x):
        if not np.allclose(x.sum(1), 1, rtol=0, atol=1e-12):
            raise ValueError("rows must add up to 1")
        return 2 * x, lambda dy: 2 * dy

    report = check(rows, np.full((2, 4), 0.25))
    assert not report.passed
    assert "the forward raises ValueError: rows must add up to 1 (test_contract.py, line" in str(report)
    assert "when its inputs are moved by a small step" in str(report)


def test_a_function_that_computes_in_float32_is_told_which_array_is_float32():
    report = check(lambda x: (2 * x.astype(np.float32), lambda dy: 2 * dy.astype(float)), np.ones(3))
    assert not report.passed
    assert "y is float32 although x is float64, and backward gives a float64 gradient for x" in str(report)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Sequential()], ids=lambda m: type(m).__name__)
def test_a_module_of_integers_without_parameters_is_a_report(module):
    report = check_module(module, np.arange(6))
    assert not report.passed
    assert "nothing to differentiate: input 0 is int64; give floats" in str(report)


def test_what_a_module_raises_is_a_report():
    report = check_module(nn.Linear(3, 2, rng=0), np.ones((2, 4)))
    assert not report.passed
    assert "the forward raises ShapeError" in str(report)
    with pytest.raises(OptionError, match="taylor_test: the forward raises ShapeError"):
        taylor_test(nn.Linear(3, 2, rng=0), np.ones((2, 4)))


@pytest.mark.parametrize(
    "bent",
    [
        lambda dx: np.clip(dx, -50, 50),
        lambda dx: np.clip(dx, -1e4, 1e4),
        lambda dx: np.where(abs(dx) < 1e-6, 0, dx),
        lambda dx: dx / max(1.0, np.linalg.norm(dx) / 1e3),
        lambda dx: dx * (1 + 1e-6 * np.abs(dx)),
    ],
)
def test_a_backward_that_is_not_linear_in_its_upstream_is_noticed(bent):
    x = np.array([0.7, -1.3, 2.1])
    assert check(lambda x: (x * x, lambda dy: 2 * x * dy), x).passed
    report = check(lambda x: (x * x, lambda dy: bent(2 * x * dy)), x)
    assert not report.passed
    assert "your backward is not linear in dy" in str(report)


def test_rounding_to_float32_is_linear_enough():
    def single(x):
        return np.sin(x.astype(np.float32)), lambda dy: (dy.astype(np.float32) * np.cos(x)).astype(np.float32)

    report = check(single, np.linspace(-1, 1, 7))
    assert report.passed, report


def test_a_backward_that_changes_its_input_is_told_just_that():
    """Its gradient is the same in each call, but what is measured at the changed input says nothing."""
    report = check(lambda x: (2 * x, into_x(x)), np.ones(3))
    assert report.problems[0] == "the input array x was changed"
    assert not report.arguments
