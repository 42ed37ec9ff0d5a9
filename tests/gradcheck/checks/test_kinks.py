"""At a kink all elements together are held to the gradients nearby: conventions pass, other gradients do not."""

import numpy as np
import pytest

from minires.gradcheck import check
from minires.gradcheck.checks.kinks import nearest_average
from minires.kernels import Window
from minires.kernels.readable import max_pool, max_pool_argmax, max_pool_dx


def winners(x, dim=None):
    return x == x.max(axis=dim, keepdims=True)


def maximum(part):
    def function(x):
        return x.max(), lambda dy: dy * part(x)

    return function


def first(x):
    return np.eye(x.size)[x.argmax()].reshape(x.shape)


TIES = [
    np.ones(2),
    np.ones(7),
    np.zeros((2, 3)),
    np.array([1.0, 3.0, -2.0, 3.0, 3.0]),
    np.full(4, 1e9),
    np.full(3, -1e-9),
]


@pytest.mark.parametrize("x", TIES, ids=str)
def test_the_first_maximum_the_last_one_and_equal_parts_pass(x):
    def last(x):
        return first(x.ravel()[::-1])[::-1].reshape(x.shape)

    for part in (first, last, lambda x: winners(x) / winners(x).sum()):
        report = check(maximum(part), x)
        assert report.passed, report
        assert report.kinks == winners(x).sum()


@pytest.mark.parametrize("x", TIES, ids=str)
@pytest.mark.parametrize(
    "part",
    [
        winners,
        lambda x: 2 * first(x) / 3,
        lambda x: np.zeros(x.shape),
        lambda x: -first(x),
        lambda x: winners(x) / 1.99,
        lambda x: first(x) + (winners(x) - first(x)) * 1e-3,
    ],
    ids=["all of dy to each", "a third lost", "none", "sign", "parts too large", "a little more than dy"],
)
def test_what_no_gradient_nearby_adds_up_to_fails(x, part):
    assert not check(maximum(part), x).passed


def test_the_nearest_right_gradient_is_what_the_report_compares_with():
    report = check(maximum(winners), np.ones(4))
    dy = abs(report.worst.analytic)
    assert abs(report.worst.numeric) == pytest.approx(dy / 4, rel=1e-4)
    assert report.wrong == ["x"]
    assert "not all elements together" in str(report)


def along_axis(part):
    def function(x):
        return x.max(axis=1), lambda dy: dy[:, None] * part(x)

    return function


def test_a_wrong_row_is_not_lost_among_right_ones():
    """With one random direction for all rows, the wide range of the right ones would hide it."""
    x = np.ones((12, 3))
    equal = np.full(x.shape, 1 / 3)
    one_wrong = equal.copy()
    one_wrong[5] = 1
    assert check(along_axis(lambda x: equal), x).passed
    assert check(along_axis(lambda x: np.eye(3)[np.arange(12) % 3]), x).passed
    assert not check(along_axis(lambda x: one_wrong), x).passed
    assert not check(along_axis(winners_of_rows), x).passed


def winners_of_rows(x):
    return winners(x, 1)


@pytest.mark.parametrize(
    ("to_a", "to_b", "passes"),
    [
        (0.5, 0.5, True),
        (1.0, 0.0, True),
        (0.0, 1.0, True),
        (0.3, 0.7, True),
        (1.0, 1.0, False),
        (0.0, 0.0, False),
        (0.6, 0.6, False),
        (1.5, -0.5, False),
    ],
)
def test_both_arguments_of_a_maximum_are_looked_at_together(to_a, to_b, passes):
    def function(a, b):
        tie = a == b
        return np.maximum(a, b), lambda dy: (dy * np.where(tie, to_a, a > b), dy * np.where(tie, to_b, b > a))

    a = np.array([1.0, 0.0, 2.0, -1.0])
    b = np.array([1.0, 0.0, -3.0, 5.0])
    report = check(function, a, b)
    assert report.passed is passes, report
    assert report.kinks == 4
    assert check(lambda a, b: (np.minimum(a, b), function(-a, -b)[1]), a, b).passed is passes


def test_max_pooling_with_ties_in_windows_that_overlap():
    x = np.array([[[[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]]])
    win = Window.pool(x.shape, kernel_size=2, stride=1, padding=0)

    def pool(part):
        def function(x):
            y = max_pool(x, win)
            argmax = max_pool_argmax(x, y, win)
            return y, lambda dy: part(x, y, argmax, dy)

        return function

    def all_of_dy(x, y, argmax, dy, divided=False):
        dx = np.zeros_like(x)
        for i, j in np.ndindex(y.shape[2:]):
            window = x[:, :, i : i + 2, j : j + 2] == y[:, :, i : i + 1, j : j + 1]
            dx[:, :, i : i + 2, j : j + 2] += window * dy[:, :, i : i + 1, j : j + 1] / (window.sum() if divided else 1)
        return dx

    assert check(pool(lambda x, y, argmax, dy: max_pool_dx(dy, argmax, win)), x).passed
    assert check(pool(lambda *call: all_of_dy(*call, divided=True)), x).passed
    report = check(pool(all_of_dy), x)
    assert not report.passed
    assert report.method == "complex step"


def sum_of_kinks(x, y):
    """|x| − 2·relu(y), added up: along (1, 1) its slope at 0 is n − 2n on both sides, and torch's (0, 0) gives 0."""
    return (np.abs(x) - 2 * np.maximum(y, 0)).sum(), lambda dy: (dy * np.sign(x), -2 * dy * (y > 0))


@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("sign", [1, -1])
def test_kinks_upwards_and_downwards_may_meet_in_one_element(n, sign):
    def function(x, y):
        value, backward = sum_of_kinks(x, y)
        return sign * value, lambda dy: tuple(sign * d for d in backward(dy))

    zero = np.zeros(n)
    assert check(function, zero, zero.copy()).passed
    for x_part, y_part, passes in (
        (1, 1, True),
        (-1, 0.3, True),
        (0.2, 0.9, True),
        (1.1, 0, False),
        (0, 1.1, False),
        (0, -0.1, False),
    ):

        def other(x, y, x_part=x_part, y_part=y_part):
            return function(x, y)[0], lambda dy: (sign * dy * x_part * np.ones(n), -2 * sign * dy * y_part * np.ones(n))

        report = check(other, zero, zero.copy())
        assert report.passed is passes, report


def median(part, real=False):
    """The median of equal values: no element has a slope by itself, and along any line there is no kink."""

    def function(x):
        at = np.argsort(x.real)[x.size // 2]
        return np.asarray(float(x[at]) if real else x[at]), lambda dy: dy * part(np.eye(x.size)[at])

    return function


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_kink_along_no_line_is_found(seed, real):
    for part, passes in (
        (lambda one: one, True),
        (lambda one: one[::-1], True),
        (lambda one: np.ones(3) / 3, True),
        (lambda one: np.ones(3), False),
        (lambda one: np.zeros(3), False),
        (lambda one: -one, False),
    ):
        report = check(median(part, real), np.ones(3), seed=seed)
        assert report.passed is passes, report


@pytest.mark.parametrize("seed", range(20))
def test_a_piece_of_y_that_is_rarely_met_is_looked_for_before_anything_is_called_wrong(seed):
    """Any of nine equal values may be their median, each at one point in nine nearby."""
    for part in (lambda one: one, lambda one: one[::-1], lambda one: np.roll(one, 2), lambda one: np.ones(9) / 9):
        report = check(median(part), np.ones(9), seed=seed)
        assert report.passed, report


def test_right_elements_beside_a_kink_are_still_held_to_rounding():
    def function(x, excess):
        return np.maximum(x, 0), lambda dy: dy * (x > 0) * (1 + excess)

    x = np.array([0.0, 1.0, -1.0])
    assert check(lambda x: function(x, 0), x).passed
    for excess in (1e-11, 1e-6, 1e-2):
        report = check(lambda x, excess=excess: function(x, excess), x)
        assert not report.passed
        assert (report.worst.index, report.kinks) == ((1,), 1)


def test_strong_curvature_beside_a_kink_excuses_nothing():
    """Gradients of sin 10⁴x nearby are up to a percent off; at x itself the gradient is known to 1e-8."""

    def function(excess):
        def both(x):
            y = np.array([max(float(x[0]), 0.0), np.sin(1e4 * float(x[1]))])
            return y, lambda dy: dy * np.array([x[0] > 0, 1e4 * np.cos(1e4 * x[1]) * (1 + excess)])

        return both

    x = np.array([0.0, 1.0])
    report = check(function(0), x)
    assert (report.passed, report.kinks) == (True, 1), report
    for excess in (1e-3, -1e-4, 1e-6):
        report = check(function(excess), x)
        assert (report.passed, report.kinks, report.worst.index) == (False, 1, (1,)), report


def test_kinks_are_looked_at_together_by_differences_too():
    def function(part):
        return lambda x: (np.array(max(map(float, x))), lambda dy: dy * part(x))

    for x in (np.ones(3), np.full(3, 1e7), np.full(3, -1e-8)):
        for part, passes in ((first, True), (winners, False), (lambda x: winners(x) / 3, True)):
            report = check(function(part), x)
            assert (report.method, report.passed) == ("4-point", passes), report


def test_a_function_in_float32_has_kinks_as_well():
    def function(part):
        return lambda x: (x.astype(np.float32).max(), lambda dy: (dy * part(x)).astype(np.float32))

    assert check(function(first), np.ones(3)).passed
    assert not check(function(winners), np.ones(3)).passed


@pytest.mark.parametrize("seed", range(20))
def test_conventions_of_networks_of_kinks_pass(seed):
    """Random sums of maxima of random linear maps, at points where many of them tie."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 6)
    matrices = rng.integers(-2, 3, (rng.integers(1, 5), rng.integers(2, 4), n)).astype(float)
    signs = rng.choice([-1.0, 1.0], len(matrices))

    def function(x):
        values = matrices @ x  # (pieces, candidates)
        at = np.argmax(values.real, axis=1)
        y = signs * np.take_along_axis(values, at[:, None], 1)[:, 0]
        rows = signs[:, None] * matrices[np.arange(len(matrices)), at]
        return y, lambda dy: dy @ rows

    report = check(function, np.zeros(n), seed=seed)
    assert report.passed, report


def test_the_nearest_average_is_the_projection_onto_the_hull():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    for g, nearest in (([0.3, 0.6], [0.3, 0.6]), ([2.0, 0.25], [1, 0.25]), ([-1, -1], [0, 0]), ([3, 3], [1, 1])):
        np.testing.assert_allclose(nearest_average(square, np.array(g)), nearest, atol=1e-7)


def test_a_kink_that_both_arguments_must_move_to_meet_is_found():
    """min(|a|, |b|) is 0 where one of them is, so neither alone shows the kink."""

    def function(to_a, to_b):
        return lambda a, b: (np.minimum(np.abs(a), np.abs(b)), lambda dy: (to_a * dy, to_b * dy))

    for to_a, to_b, passes in ((0, 0, True), (1, 0, True), (0.5, -0.5, True), (1, 1, False), (0.8, -0.3, False)):
        report = check(function(to_a, to_b), np.zeros(2), np.zeros(2))
        assert (report.passed, report.kinks) == (passes, 4), report


@pytest.mark.parametrize("fill", [-np.inf, np.inf, -1e38])
def test_a_mask_in_y_excuses_nothing_at_a_kink(fill):
    x = np.array([0.0, 1.0, 2.0])

    def function(slope):
        return lambda x: (
            np.where([True, True, False], np.maximum(x, 0), fill),
            lambda dy: dy * np.array([slope, 1.0, 0.0]),
        )

    for slope, passes in ((0.0, True), (0.4, True), (1.0, True), (1.5, False), (-0.1, False)):
        report = check(function(slope), x)
        assert (report.passed, report.kinks) == (passes, 1), report


def test_a_tie_beside_the_one_in_doubt_stays_one():
    """The corner of the doubtful elements is looked for where the other ties are broken as well."""

    def function(part):
        def both(x):
            y = np.maximum(x[::2], x[1::2])
            return np.array([y.sum()]), lambda dy: dy[0] * part

        return both

    x = np.zeros(8)
    assert check(function(np.tile([1.0, 0.0], 4)), x).passed
    assert check(function(np.tile([0.0, 1.0], 4)), x).passed
    assert check(function(np.full(8, 0.5)), x).passed
    assert not check(function(np.array([1.0, 1, 1, 0, 1, 0, 1, 0])), x).passed


@pytest.mark.parametrize("slope", [1.0, 0.0, 0.5])
def test_a_slope_that_the_complex_step_sees_at_the_point_alone_is_not_believed(slope):
    """relu(x) − relu(−x) is x; to the complex step its slope at 0 is 0, that of its parts."""

    def relu(x):
        return np.where(x.real > 0, x, 0)

    report = check(lambda x: (relu(x) - relu(-x), lambda dy: np.where(x == 0, slope, 1.0) * dy), np.array([0.0, 1.0]))
    assert (report.method, report.passed) == ("complex step", slope == 1.0), report


@pytest.mark.parametrize(
    ("slope", "passes"), [(-1e-8, True), (-5e-6, True), (-1e-4, False), (1 + 5e-6, True), (1 + 1e-4, False)]
)
def test_a_gradient_counts_as_right_within_1e_5_of_the_largest_slope(slope, passes):
    """And not of the gradient itself, which may be tiny."""

    def relu(x):
        return np.maximum(x, 0), lambda dy: dy * np.where(x == 0, slope, x > 0)

    report = check(relu, np.array([0.0]))
    assert (report.passed, report.kinks) == (passes, 1), report


@pytest.mark.parametrize(("parts", "passes"), [((0.5, 0.5003), True), ((0.5, 0.503), False)])
def test_in_float32_it_counts_as_right_within_the_tolerance_of_the_method(parts, passes):
    """Then the report says nothing of the elements together either."""

    def function(x):
        return x.astype(np.float32).max(), lambda dy: (dy * np.array(parts)).astype(np.float32)

    report = check(function, np.zeros(2))
    assert (report.passed, report.kinks, not report.notes) == (passes, 2, passes), report


@pytest.mark.parametrize("constant", [1e4, 1e5, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_the_rounding_of_a_large_constant_in_y_moves_no_right_gradient_at_a_tie(constant, seed):
    """Differences at points nearby are off by u·constant/h, up to a thousandth of the slope."""

    def function(part):
        return lambda x: (np.array(max(map(float, x)) + constant), lambda dy: dy * part(x))

    for part, passes in ((lambda x: winners(x) / 3, True), (first, True), (winners, False)):
        report = check(function(part), np.ones(3), seed=seed)
        assert (report.method, report.passed, report.kinks) == ("4-point", passes, 3), report
