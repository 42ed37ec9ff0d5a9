"""Measured derivatives: known ones are met, with the errors that the theory states."""

import numpy as np
import pytest

from minires.gradcheck.checks.numeric import (
    COMPLEX_STEP,
    FOUR_POINT,
    NotAnalyticError,
    complex_step,
    four_point,
    four_point_adaptive,
    kink,
    two_point,
)
from minires.gradcheck.checks.point import Point, power_of_two


def sine(t):
    return np.sin(0.4 + np.asarray(t))


def test_the_complex_step_meets_a_known_derivative_to_rounding_at_any_tiny_step():
    for h in (1e-8, 1e-20, 1e-100, 1e-200):
        assert abs(complex_step(sine, h=h) - np.cos(0.4)) < 3e-16
    assert abs(complex_step(sine, at=0.3) - np.cos(0.7)) < 3e-16


@pytest.mark.parametrize(("method", "power"), [(two_point, 2), (four_point, 4)])
def test_the_error_of_differences_falls_with_the_power_of_the_step_that_is_stated(method, power):
    coarse, fine = (abs(method(sine, h) - np.cos(0.4)) for h in (0.1, 0.05))
    assert np.log2(coarse / fine) == pytest.approx(power, abs=0.01)


def test_the_leading_errors_are_those_of_the_docstring():
    h = 0.01
    assert two_point(sine, h) - np.cos(0.4) == pytest.approx(-(h**2) / 6 * np.cos(0.4), rel=1e-3)
    assert four_point(sine, h) - np.cos(0.4) == pytest.approx(-(h**4) / 30 * np.cos(0.4), rel=1e-3)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda t: np.asarray(1 / (1e-4 + t)), -1e8),
        (lambda t: np.asarray(np.sin(3000 * t)), 3000.0),
        (lambda t: np.asarray(t * t), 0.0),
        (lambda t: np.asarray(5.0), 0.0),
    ],
)
def test_the_adaptive_step_fits_the_function(function, slope):
    assert four_point_adaptive(function)[0] == pytest.approx(slope, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-6, 1e-7])
def test_differences_know_their_own_error_where_a_kink_is_near(distance):
    points = np.arange(100) / 10
    slope, error = four_point_adaptive(lambda t: np.sin(points + t) + 1 + np.abs(t - distance))
    off = np.abs(slope - (np.cos(points) - 1))
    assert off.sum() < error.sum() < 30 * off.sum()
    assert error.max() < 200 * 2.0**-53 / distance


@pytest.mark.parametrize(
    "function",
    [lambda t: np.asarray(abs(t)), lambda t: np.asarray(float(t)), lambda t: np.asarray([1.0, 2.0]) + t.real],
)
def test_what_takes_no_complex_numbers_says_so(function):
    with pytest.raises(NotAnalyticError):
        complex_step(function)


def test_a_line_moves_one_element_or_all_along_a_direction_in_units_of_their_size():
    x = np.array([1.0, 3.0])
    w = np.array([10.0, 20.0])
    point = Point(lambda at: at[0] * at[1], [x, w], [0, 1])
    one = point.line(point.axis(0, (1,)))
    all_ = point.line({1: np.array([1.0, 3.0])})
    np.testing.assert_array_equal(one(0.5), [10, 80])  # 3 moves in units of 2
    np.testing.assert_array_equal(all_(1j), [10 + 8j, 60 + 144j])  # 10 in units of 8, 20 of 16
    np.testing.assert_array_equal(point.moved({0: np.array([1.0, 0.0])}, 0.25).arrays[0], [1.25, 3])
    np.testing.assert_array_equal(x, [1, 3])


def test_zeros_move_in_the_unit_of_the_largest_element():
    point = Point(None, [np.array([0.0, -5.0]), np.zeros(2), np.array([1, 2])], [0, 1])
    np.testing.assert_array_equal(point.units[0], [4, 4])
    np.testing.assert_array_equal(point.units[1], [4, 4])
    assert Point(None, [np.zeros(())], [0]).units[0] == 1


@pytest.mark.parametrize(
    ("x", "unit"),
    [(1.0, 1), (-1.9, 1), (2.0, 2), (0.3, 0.25), (1e300, 2.0**996), (5e-324, 2.0**-900), (np.inf, 1), (np.nan, 1)],
)
def test_a_unit_is_the_power_of_two_below(x, unit):
    assert power_of_two(x) == unit


@pytest.mark.parametrize("method", [COMPLEX_STEP, FOUR_POINT], ids=lambda m: m.name)
def test_a_kink_is_where_the_slopes_differ_however_near_one_looks(method):
    def bent(t):
        return np.asarray([t if np.real(t) > 0 else -2 * t, t * t])

    left, right = kink(method, bent, scale=1.0)
    np.testing.assert_allclose((left[0], right[0]), (-2, 1), atol=1e-6)
    assert kink(method, lambda t: np.asarray(100 * t * t), scale=1.0) is None  # the gap halves with the step
    assert kink(method, lambda t: np.asarray(np.where(np.real(t) > -0.5, t, 0)), scale=1.0) is None
