"""Where measuring cannot tell a right gradient from a wrong one, the report says so and does not pass."""

import json

import numpy as np
import pytest

from minires import nn, op
from minires.gradcheck import check, check_module
from minires.gradcheck.checks.point import WIDEST, Point
from minires.gradcheck.grading.results import Result, summary

X = np.array([0.7, -1.3, 2.1])


def sizes(factor):
    """|a| + |b|, with a gradient of b that is `factor` times the right one."""
    return lambda a, b: (abs(a) + abs(b), lambda dy: (dy * np.sign(a), factor * dy * np.sign(b)))


@pytest.mark.parametrize("factor", [1, 2, 0, -1])
def test_a_gradient_that_rounding_hides_does_not_pass(factor):
    report = check(sizes(factor), X * 1e8, X * 1e-8)
    assert (report.status, report.passed, report.wrong) == ("UNSURE", False, []), report
    assert str(report).startswith("UNSURE ")
    assert "rounding leaves db unsure by" in str(report)
    assert "a wrong one would not be seen; scale the inputs" in str(report)


@pytest.mark.parametrize("size", 10.0 ** np.arange(-9, 1))
@pytest.mark.parametrize("seed", range(3))
def test_no_gradient_passes_that_is_wrong_by_a_factor_of_two(size, seed):
    for factor in (2, 0.5, 0, -1):
        assert not check(sizes(factor), X * 1e8, X * size, seed=seed).passed, factor


@pytest.mark.usefixtures("own_ops")
def test_a_module_is_unsure_too():
    @op
    def size_of(x):
        return np.abs(x), lambda dy: dy * np.sign(x)

    class Sizes(nn.Module):
        def __init__(self):
            self.large = nn.Parameter(X * 1e8)
            self.small = nn.Parameter(X * 1e-8)

        def forward(self, x):
            return size_of(self.large) + size_of(self.small) + 0 * x

    report = check_module(Sizes(), X)
    assert report.status == "UNSURE", report
    assert "rounding leaves dsmall unsure by" in str(report)


def test_a_grader_hears_why_nothing_is_proved():
    report = check(sizes(2), X * 1e8, X * 1e-8, label="sizes")
    said = json.loads(json.dumps(report.as_dict()))
    assert (said["status"], said["passed"], len(said["unsure"])) == ("UNSURE", False, 1)
    assert summary(Result("homework.py:sizes", "add", cases=[report])).count("rounding leaves db unsure") == 1


def real(f):
    """f, which refuses complex numbers."""

    def refusing(x):
        if x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return f(x)

    return refusing


@pytest.mark.parametrize("size", [1e4, 1e6, 1e7, 1e8, 1e9])
@pytest.mark.parametrize(("f", "method"), [(np.sin, "complex step"), (real(np.sin), "4-point")])
def test_waves_far_shorter_than_the_inputs_are_followed(f, method, size):
    def waves(x, factor):
        return f(x), lambda dy: factor * dy * np.cos(x)

    report = check(waves, X * size, factor=1.0)
    assert (report.status, report.method, report.kinks) == ("ok", method, 0), report
    for factor in (1.01, 2.0, 0.0, -1.0):
        assert check(waves, X * size, factor=factor).status == "FAILED", factor


@pytest.mark.parametrize("f", [np.sin, real(np.sin)])
@pytest.mark.parametrize("size", [1e11, 1e13, 1e15])
def test_waves_that_floats_do_not_follow_are_reported(f, size):
    for factor in (1.0, 2.0):
        report = check(lambda x, factor=factor: (f(x), lambda dy: factor * dy * np.cos(x)), X * size)
        assert report.status == "UNSURE", report
        assert "y changes too fast where" in str(report)
        assert "scale the inputs down" in str(report)


@pytest.mark.parametrize("x", [[1.3e7, 2.6e7], [1e6, 3e6], [1e8, 3e8]], ids=str)
@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_a_jump_at_a_large_input_is_found(x, slope):
    report = check(lambda x: (np.floor(x), lambda dy: slope * dy), np.array(x))
    assert (report.status, report.kinks, len(report.jumps)) == ("JUMP", 0, 2), report


@pytest.mark.parametrize(
    "x", [[1.3e7 + 0.3, 2.6e7 + 0.4], [1e6 + 0.5, 3e6 - 0.2], [1e8 + 0.3, 3e8 - 0.1], [1e10 + 0.4]], ids=str
)
@pytest.mark.parametrize("f", [np.floor, np.round, np.ceil])
def test_between_jumps_a_large_input_has_a_gradient_of_zero(f, x):
    x = np.array(x) if f is not np.round else np.array(x) + 0.07  # off the half, where it jumps
    report = check(lambda x: (f(x), lambda dy: 0 * dy), x)
    assert (report.status, report.kinks) == ("ok", 0), report
    assert check(lambda x: (f(x), lambda dy: dy.copy()), x).status == "FAILED"


def test_points_with_the_same_phase_in_each_wave_do_not_mislead():
    for offset in np.linspace(0.05, 0.95, 7):
        for base in (1.3e7, 1e8, 3e8, 7.7e8, 1e9):
            point = Point(lambda at: np.floor(at[0]), [np.array([base + offset])], [0])
            point.fit_units({0: np.ones(1)})
            assert 0 < WIDEST * point.units[0][0] < 1, (base, offset)


@pytest.mark.parametrize(("x", "narrowest"), [(2.0**26, 2.0**-7), (2.0**27, 2.0**-9), (2.0**28, 2.0**-8)])
def test_no_width_of_a_thousandth_or_less_is_tried(x, narrowest):
    """There the rounding of constants in y makes steps. Each width is an eighth of the one before."""
    distances = set()

    def evaluate(arrays):
        distances.add(abs(float(arrays[0][0]) - x))
        return np.sin(arrays[0])

    Point(evaluate, [np.array([x])], [0]).fit_units({0: np.ones(1)})
    assert min(distances - {0.0}) == pytest.approx(0.927 / 16 * narrowest, rel=1e-2)


@pytest.mark.parametrize(
    ("f", "dx", "x", "sentence"),
    [
        (np.log, lambda x: 1 / x, [2.0, -1.0], "y[1] is NaN at these inputs: there is no derivative"),
        (np.exp, np.exp, [800.0, 1.0], "y[0] is inf at these inputs"),
        (lambda x: 2 * x, lambda x: 2.0, [np.nan, np.nan], "y[0] is NaN at these inputs (2 of 2 elements are such)"),
    ],
)
def test_an_output_that_is_not_finite_is_named_and_nothing_else_is(f, dx, x, sentence):
    report = check(lambda x: (f(x), lambda dy: dy * dx(x)), np.array(x))
    assert (report.status, report.problems, len(report.unsure)) == ("UNSURE", [], 1), report
    assert sentence in str(report)
    assert "check at inputs where y is finite" in str(report)
    assert "nan" not in str(report)


def test_a_module_whose_output_is_not_finite_or_empty_proves_nothing():
    for x, sentence in (
        (np.full((2, 3), np.nan), "y[0, 0] is NaN at these inputs (4 of 4"),
        (np.zeros((0, 3)), "nothing was compared, because y of shape (0, 2) is empty"),
    ):
        report = check_module(nn.Linear(3, 2, rng=0), x)
        assert report.status == "UNSURE", report
        assert sentence in str(report)


@pytest.mark.parametrize("size", [1e-145, 1e-155, 1e-200, 1e-290])
def test_changes_below_the_smallest_floats_prove_nothing(size):
    for factor in (2, 3, 1):
        report = check(lambda x, factor=factor: (x * x, lambda dy: factor * x * dy), X * size)
        assert report.status == "UNSURE", report
        assert "scale the inputs up" in str(report)


def test_a_backward_that_draws_random_numbers_is_told_just_that():
    rng = np.random.default_rng(0)
    report = check(lambda x: (2 * x, lambda dy: 2 * dy * rng.standard_normal(dy.shape)), X)
    assert report.problems == [
        "backward called twice gives two different gradients for x: it draws random numbers, or "
        "keeps something between calls"
    ]
    assert report.arguments == []


def test_a_module_that_keeps_something_between_calls_is_told_so():
    class Counting(nn.Module):
        def __init__(self):
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    assert "or it keeps something between calls, or changes its input" in str(check_module(Counting(), X))


@pytest.mark.parametrize("size", [1e4, 1e5, 1e6, 1e7, 1e8])
def test_steps_as_long_as_a_period_are_not_believed(size):
    """With h a power of two, x ± h has the same phase in another tooth, and y would seem constant."""

    def teeth(x, factor):
        return np.abs(x - 2 * np.round(x / 2)), lambda dy: factor * dy * np.sign(x - 2 * np.round(x / 2))

    x = X * size + 0.3
    report = check(teeth, x, factor=1.0)
    assert (report.status, report.kinks) == ("ok", 0), report
    for factor in (2.0, 0.0):
        assert check(teeth, x, factor=factor).status == "FAILED"
