"""The checker checked: it fails for wrong gradients, passes right ones, and says where."""

import numpy as np
import pytest
from backends import GPUS

from minires import gradcheck, ops
from minires.gradcheck import check, check_op
from minires.kernels.readable import convolution


def test_the_report_names_the_argument_the_element_and_both_values():
    def product(a, b):
        def backward(dy):
            db = dy * a
            db[1, 2] += 0.25
            return dy * b, db

        return a * b, backward

    report = check(product, np.ones((3, 4)), np.full((3, 4), 2.0))
    assert not report.passed
    assert (report.worst.argument, report.worst.index) == ("b", (1, 2))
    assert report.worst.analytic - report.worst.numeric == pytest.approx(0.25, abs=1e-12)
    line = str(report)
    assert line.startswith("FAILED product")
    assert "db[1, 2]" in line
    assert "\n" not in line


def test_nan_gradients_fail():
    assert not check(lambda x: (x * 2, lambda dy: dy * np.nan), np.ones(3)).passed


def test_known_derivatives_are_met_to_rounding():
    x = np.random.default_rng(0).uniform(0.2, 2, (3, 4))
    for function in (
        lambda x: (np.sin(x), lambda dy: dy * np.cos(x)),
        lambda x: (np.exp(x) / x, lambda dy: dy * np.exp(x) * (1 / x - 1 / x**2)),
        lambda x: (x @ x.T, lambda dy: (dy + dy.T) @ x),
    ):
        report = check(function, x)
        assert report.passed
        assert report.method == "complex step"
        assert report.worst.error < 2e-15


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (np.abs(x), lambda dy: dy * np.sign(x)),  # |x| of a complex number is no derivative
        lambda x: (np.array([float(v) ** 2 for v in x]), lambda dy: 2 * x * dy),  # floats only
        lambda x: (x.real**2, lambda dy: 2 * x * dy),  # drops the imaginary part
        lambda x: ((x * np.conj(x)).real, lambda dy: 2 * x * dy),
        lambda x: (x * np.conj(x), lambda dy: 2 * x * dy),  # complex, but its imaginary part is 0
    ],
)
def test_a_right_function_that_takes_no_complex_numbers_passes_by_differences(function):
    report = check(function, np.array([0.3, -1.2, 2.0]))
    assert report.method == "4-point"
    assert report.passed
    assert report.worst.error < 1e-10


def norm(variance_term):
    """x̂ over the first axis. np.var of complex numbers is real, so the complex step sees a constant variance."""

    def function(x):
        x_hat = (x - x.mean(0)) / np.sqrt(x.var(0))

        def backward(dy):
            return (dy - dy.mean(0) - variance_term * x_hat * (dy * x_hat).mean(0)) / np.sqrt(x.var(0))

        return x_hat, backward

    return function


def test_a_backward_that_is_wrong_just_as_the_complex_step_is_misled_fails():
    x = np.random.default_rng(0).standard_normal((6, 3))
    right = check(norm(1), x)
    wrong = check(norm(0), x)
    assert (right.method, right.passed) == ("4-point", True)
    assert (wrong.method, wrong.passed) == ("4-point", False)


def test_a_kink_close_to_the_inputs_does_not_disturb_the_complex_step():
    x = np.array([1e-9, -1e-9, 1e-300, -3.0])
    assert check(ops.relu, x).passed
    assert check(ops.abs, x).passed


def test_integer_arguments_are_not_differentiated():
    report = check(ops.cross_entropy, np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1]))
    assert [w.argument for w in report.arguments] == ["logits"]
    assert report.passed


def test_the_upstream_is_not_the_input():
    """From the inputs' seed it would be the same, and batch norm's dx would be zero."""
    for case in gradcheck.cases_of("batch_norm"):
        report = check(ops.batch_norm, *case.arrays, **case.static)
        x = next(w for w in report.arguments if w.argument == "x")
        assert abs(x.analytic) + abs(x.numeric) > 1e-3


# Kinks: an element without a derivative is found, held to its subgradients, counted and reported.


def relu_with(slope_at_0):
    return lambda x: (np.maximum(x, 0) + 0 * x, lambda dy: dy * np.where(x == 0, slope_at_0, x > 0))


@pytest.mark.parametrize(("slope", "passes"), [(0.0, True), (1.0, True), (0.4, True), (1.5, False), (-0.1, False)])
def test_at_a_kink_any_subgradient_passes_and_nothing_else(slope, passes):
    x = np.array([0.7, 0.0, -0.3, 0.0])
    report = check(relu_with(slope), x)
    assert report.passed is passes
    assert (report.kinks, report.elements) == (2, 4)
    assert [k.index for k in report.worst.kinks] == [(1,), (3,)]
    upstream = gradcheck.checks.checker.upstream_for((4,), 0)
    for kink in report.worst.kinks:
        low, high = sorted([0, upstream[kink.index]])
        assert (kink.low, kink.high) == pytest.approx((low, high), abs=1e-9)
    assert "2 of 4 elements skipped at a kink, dx[1]: backward gives" in str(report)


def test_a_kink_is_found_by_differences_too():
    """max(x, 0) by Python's own comparison takes no complex numbers."""

    def relu(x):
        return np.array([max(float(v), 0.0) for v in x]), lambda dy: dy * (x > 0)

    report = check(relu, np.array([0.5, 0.0, -2.0]))
    assert (report.method, report.passed, report.kinks) == ("4-point", True, 1)


def test_a_wrong_gradient_beside_a_kink_is_not_excused():
    def relu(x):
        return np.maximum(x, 0), lambda dy: dy * (x > 0) * 1.01

    report = check(relu, np.array([0.0, 0.5, -2.0]))
    assert not report.passed
    assert report.worst.index == (1,)


def test_strong_curvature_is_no_kink():
    assert check(lambda x: (1e6 * x * x, lambda dy: 2e6 * x * dy), np.array([0.0, 1e-3, 1.0])).kinks == 0


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: (np.maximum(x, 0), lambda dy: dy * (x >= 0))),
        (
            "amax",
            lambda x, *, dim=None, keepdim=False: (
                ops.amax.raw(x, dim=dim, keepdim=keepdim)[0],
                lambda dy: (
                    dy.reshape(ops.amax.raw(x, dim=dim, keepdim=True)[0].shape)
                    * (x == ops.amax.raw(x, dim=dim, keepdim=True)[0])
                ),
            ),
        ),
    ],
)
def test_another_convention_at_ties_is_a_failure_for_an_op_and_a_note_for_a_users_function(name, function):
    strict, lenient = (check_op(name, function, strict=strict) for strict in (True, False))
    assert any("at a tie" in problem and "by convention" in problem for r in strict for problem in r.problems)
    assert not any(r.problems for r in lenient)
    assert any("by convention" in note for r in lenient for note in r.notes)


def test_a_y_of_another_shape_at_ties_is_a_failure_for_an_op_and_a_note_for_a_users_function():
    def twice(x):
        return np.maximum(np.stack([x, x]).reshape(-1), 0), lambda dy: dy.reshape(2, *x.shape).sum(0) * (x > 0)

    at_a_tie = "y has shape (8,), which is not the op's: its gradients at a tie have no convention"
    strict, lenient = (check_op("relu", twice, strict=strict) for strict in (True, False))
    assert [at_a_tie] in [r.problems for r in strict]
    assert any(at_a_tie in r.notes and not r.problems for r in lenient)


def test_a_y_of_another_shape_has_no_convention_even_if_the_shapes_broadcast():
    def row(x):
        return np.maximum(x, 0)[None], lambda dy: dy[0] * (x > 0)

    at_a_tie = "y has shape (1, 4), which is not the op's: its gradients at a tie have no convention"
    assert [at_a_tie] in [r.problems for r in check_op("relu", row, strict=True)]
    assert all(r.passed for r in check_op("maximum"))  # a convention for two arguments


# float32


def test_a_float32_backward_beyond_its_bound_fails():
    def rounded(x):
        """Right in float64; in float32 it loses half its digits."""
        y, backward = ops.tanh.raw(x)
        return y, lambda dy: backward(dy.astype(np.float16).astype(dy.dtype) if dy.dtype == np.float32 else dy)

    reports = check_op("tanh", rounded, strict=True)
    assert all("rounding units off" in r.problems[0] for r in reports)


def test_a_function_that_computes_in_float32_is_measured_as_such():
    def single(x):
        x32 = x.astype(np.float32)
        return np.sin(x32), lambda dy: (dy * np.cos(x32)).astype(np.float32)

    report = check(single, np.linspace(-1, 1, 7))
    assert (report.method, report.passed) == ("4-point, float32", True)
    assert not check(lambda x: (single(x)[0], lambda dy: 1.01 * single(x)[1](dy)), np.linspace(-1, 1, 7)).passed


def test_the_measured_function_may_change_fast_or_have_a_pole_near():
    """Differences with one fixed step of 1e-3 would miss all three."""
    for f, slope, x in (
        (lambda v: float(np.sin(1000 * v)), lambda v: 1000 * np.cos(1000 * v), [0.3, 1.0]),
        (lambda v: 1 / v, lambda v: -1 / v**2, [1e-3, -2e-3]),
        (lambda v: float(np.log(v)), lambda v: 1 / v, [1e-2, 2.0]),
    ):

        def function(x, f=f, slope=slope):
            return np.array([f(float(v)) for v in x]), lambda dy: dy * slope(x)

        report = check(function, np.array(x))
        assert (report.method, report.passed) == ("4-point", True), str(report)


def test_an_unknown_op_is_an_error():
    with pytest.raises(ValueError, match="there is no op 'conv3d'"):
        check_op("conv3d")


def test_the_readable_convolution_is_what_complex_numbers_use():
    from minires import kernels

    win = kernels.Window.of((1, 1, 3, 3), (1, 1, 2, 2))
    x = np.random.default_rng(0).standard_normal((1, 1, 3, 3)) * (1 + 1j)
    np.testing.assert_array_equal(
        kernels.conv(x, np.ones((1, 1, 2, 2)), win), convolution.conv(x, np.ones((1, 1, 2, 2)), win)
    )


def kinked(excess):
    """It takes no complex numbers, and is so large, with a kink so close, that differences are 1e-8 off."""

    def function(x):
        y = np.sin(x) + 50 + np.abs(x.real - at - 5e-6)
        return y, lambda dy: dy * (np.cos(x) - 1) * (1 + excess)

    at = np.linspace(0, 1, 50)
    return function, at


def test_an_error_of_the_differences_is_no_error_of_the_gradient():
    report = check(*kinked(0))
    assert report.passed, str(report)
    assert report.method == "4-point"
    assert 1e-8 < report.worst.error < 1e-7 + report.by.tolerance


@pytest.mark.parametrize("excess", [1.3e-7, -1.3e-7, 1e-5])
def test_beyond_the_doubt_of_the_method_it_is_one(excess):
    report = check(*kinked(excess))
    assert not report.passed
    assert report.worst.error == pytest.approx(abs(excess), rel=0.9)


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("factor", [2, 2.1])
def test_a_function_of_arrays_on_a_gpu_gets_arrays_there(place, factor):
    there = place.array(np.ones(3))

    def square(x):
        assert type(x) is type(there)
        return x * x, lambda dy: factor * x * dy

    assert check(square, there).passed is (factor == 2)


# Inputs without axes or of one element.


@pytest.mark.parametrize("x", [1.7, np.array(1.7), np.float32(1.7), np.array([1.7]), np.array([[1.7]])], ids=repr)
def test_numbers_and_single_elements_are_checked(x):
    def cube(factor):
        return lambda x: (x * x * x, lambda dy: factor * x * x * dy)

    assert check(cube(3), x).passed
    report = check(cube(3.001), x)
    assert not report.passed
    assert report.method == "complex step"


def test_a_function_may_return_a_python_float_and_gradients_that_are_floats():
    def square(x):
        return float(x) ** 2, lambda dy: 2 * float(x) * float(dy)

    report = check(square, 3.0)
    assert (report.method, report.passed) == ("4-point", True), report
    assert not check(lambda x: (square(x)[0], lambda dy: 3.0), 3.0).passed
    assert check(lambda x: (float(x.sum()), lambda dy: np.full(3, float(dy))), np.ones(3)).passed
    assert check(lambda x, y: (x * y + 1, lambda dy: (dy * y, dy * x)), 2.0, np.array([3.0])[0]).passed


def test_a_kink_of_a_single_number_is_found():
    report = check(lambda x: (abs(float(x)), lambda dy: 0.0), 0.0)
    assert (report.passed, report.kinks) == (True, 1), report
    assert not check(lambda x: (abs(float(x)), lambda dy: 1.5 * float(dy)), 0.0).passed


@pytest.mark.parametrize("seed", range(4))
def test_a_function_may_be_a_constant_without_an_imaginary_part_at_the_point_alone(seed):
    def relu(x):
        return (x if x > 0 else np.array(0.0)), lambda dy: dy * (x > 0)

    report = check(relu, np.array(0.0), seed=seed)
    assert (report.passed, report.method, report.kinks) == (True, "4-point", 1), report
    assert not check(lambda x: (relu(x)[0], lambda dy: 1.5 * dy), np.array(0.0), seed=seed).passed
