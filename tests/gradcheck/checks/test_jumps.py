"""Where y itself jumps, nothing can be proved: the status is neither ok nor FAILED, and there is no kink."""

import itertools
import json

import numpy as np
import pytest

from minires import nn, ops
from minires.gradcheck import check, check_module
from minires.gradcheck.checks.jumps import jump
from minires.gradcheck.checks.numeric import COMPLEX_STEP, FOUR_POINT, FOUR_POINT_SINGLE
from minires.gradcheck.checks.point import Point
from minires.gradcheck.grading.results import Result, summary


def flat(f):
    """f with a gradient of zeros."""
    return lambda *arrays: (f(*arrays), lambda dy: tuple(np.zeros(a.shape) for a in arrays))


def rising(f):
    """f with a gradient of dy."""
    return lambda x: (f(x), lambda dy: dy.copy())


def around(jump):
    return jump.before, jump.at, jump.after


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (flat(np.floor), (2, 3, 3)),
        (flat(np.ceil), (3, 3, 4)),
        (flat(lambda x: np.round(x + 0.5)), (3, 4, 4)),
        (flat(lambda x: np.sign(x - 3)), (-1, 0, 1)),
        (flat(lambda x: (x > 3) * 1.0), (0, 0, 1)),
        (flat(lambda x: (x >= 3) * 1.0), (0, 1, 1)),
        (flat(lambda x: np.heaviside(x - 3, 0.5)), (0, 0.5, 1)),
        (
            rising(lambda x: np.where(x > 3, x + 1, x)),
            (3, 3, 4),
        ),  # by the complex step, which sees a slope of 1 everywhere
        (rising(lambda x: np.where(x == 3, 5, x)), (3, 5, 3)),
        (rising(lambda x: x - np.floor(x)), (1, 0, 0)),
        (rising(lambda x: x + 1e-4 * (x > 3)), (3, 3, 3.0001)),
        (rising(lambda x: x - 1e6 * (x > 3)), (3, 3, -999997)),
        (
            lambda x: ((x.astype(np.float32) > 3) * np.float32(1), lambda dy: np.float32(0) * dy.astype(np.float32)),
            (0, 0, 1),
        ),
    ],
    ids=itertools.count(),
)
def test_a_jump_is_said_to_be_one(function, values):
    report = check(function, np.array([0.7, 3.0, -1.6]))
    assert (report.status, report.passed, report.kinks, report.elements) == ("JUMP", False, 0, 3), report
    (found,) = report.jumps
    assert (found.index, found.output) == ((1,), (1,))
    assert around(found) == pytest.approx(values, abs=1e-5)
    assert str(report).startswith("JUMP ")
    assert "there is no derivative here, so nothing is proved; check at other inputs" in str(report)


@pytest.mark.parametrize("x", [3.1, 2.9, 3.00001, 2.99999, -0.5, 1e-5, 100.5])
@pytest.mark.parametrize("f", [np.floor, np.ceil, lambda x: np.sign(x - 3), lambda x: (x > 3) * 1.0])
def test_beside_a_jump_all_is_well(x, f):
    report = check(flat(f), np.array([x, 0.7]))
    assert (report.status, report.jumps, report.kinks) == ("ok", [], 0), report
    assert not check(rising(f), np.array([x, 0.7])).passed


def test_a_complex_step_is_not_misled_by_a_jump_that_is_near():
    for distance in (1e-8, 1e-7, -1e-8, -1e-6):
        report = check(rising(lambda x: np.where(x > 3, x + 1, x)), np.array([3 + 4 * distance, 0.7]))
        assert (report.status, report.method) == ("ok", "complex step"), report


def test_differences_say_what_lies_too_near_for_them():
    for distance in (1e-14, 1e-10, 1e-8, 1e-7, -1e-14, -1e-10, -1e-8, -1e-7):
        report = check(flat(np.floor), np.array([3 + distance, 0.7]))
        assert (report.status, report.kinks) == ("JUMP", 0), f"{distance}: {report}"


KINKS = {
    "relu": (lambda x: np.maximum(x, 0), [0.0, 1.0, -1.0]),
    "abs": (np.abs, [0.0, 1e-9, -3.0]),
    "clip": (lambda x: np.clip(x, -1, 2), [-1.0, 2.0, 0.3]),
    "relu6": (lambda x: np.clip(x, 0, 6), [0.0, 6.0, 7.0]),
    "max": (np.max, [2.0, 2.0, 1.0]),
    "min": (np.min, [0.0, 0.0, 0.0]),
    "steep": (lambda x: 1e9 * abs(x), [0.0, 1.0]),
    "√": (lambda x: np.sqrt(np.abs(x)), [0.0, 2.0]),
    "√ on one side": (lambda x: np.sqrt(np.maximum(x, 0)), [0.0, 2.0]),
    "above a constant": (lambda x: np.maximum(x, 0) + 1e9, [0.0, 1.0]),
    "sort": (np.sort, [1.0, 1.0, 2.0, 1.0]),
    "smooth": (np.tanh, [0.0, 1.0]),
    "nothing": (lambda x: x * 0 + 4, [0.0, 1.0]),
    "huber": (lambda x: np.where(abs(x) < 1, x * x / 2, abs(x) - 0.5), [1.0, -1.0, 0.0]),
    "beside a kink": (
        lambda x: np.maximum(x - 3, 0) + np.maximum(3 - x, 0),
        [3 + 1e-7, 3 - 1e-8, 3 + 1e-10, 3 - 1e-12],
    ),
    "pole": (lambda x: 1 / x, [0.0, 1.0]),
    "log": (np.log, [0.0, 1.0]),
    "overflow": (np.exp, [709.7827128933840, 1.0]),
}


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("name", KINKS)
@pytest.mark.parametrize("method", [COMPLEX_STEP, FOUR_POINT, FOUR_POINT_SINGLE], ids=lambda m: m.name)
def test_what_bends_does_not_jump(method, name, scale):
    f, x = KINKS[name]
    point = Point(lambda at: f(at[0] / scale), [np.array(x) * scale], [0])
    with np.errstate(all="ignore"):
        assert not any(
            jump(point, method, along)
            for along in (point.axis(0, (0,)), *(point.random_direction(np.random.default_rng(k)) for k in range(20)))
        )


@pytest.mark.parametrize("function", [ops.relu, ops.relu6, ops.abs, ops.leaky_relu, ops.amax, ops.amin, ops.sqrt])
def test_our_ops_jump_nowhere(function):
    x = np.array([0.0, 6.0, 6.0, 0.0, 1.5])
    report = check(function, x)
    assert not report.jumps, report


@pytest.mark.parametrize("size", [1.0, 1e-7, 1e-9, 1e-11])
def test_the_stairs_that_rounding_makes_are_no_jumps(size):
    rng = np.random.default_rng(0)
    for f in (
        lambda x: (x + 1e9) - 1e9,
        lambda x: np.log(1 + x),
        lambda x: (1 + x) ** 2 - 1,
        lambda x: (x - x.mean()) / x.std(),
    ):
        for _ in range(50):
            point = Point(lambda at, f=f: f(at[0]), [size * rng.uniform(0.5, 2, 2)], [0])
            for method in (COMPLEX_STEP, FOUR_POINT):
                assert not jump(point, method, {0: rng.standard_normal(2)})


@pytest.mark.parametrize(("size", "jumps"), [(1e-3, True), (1e-5, True), (7e-6, False), (1e-9, False)])
def test_a_jump_is_told_from_a_slope_down_to_the_size_that_is_stated(size, jumps):
    """8e-6 of what y changes when x changes by its own size."""
    point = Point(lambda at: at[0].real + size * (at[0].real > 1), [np.ones(1)], [0])
    assert (jump(point, FOUR_POINT, {0: np.ones(1)}) is not None) is jumps


def test_a_jump_in_the_rounding_of_y_is_none():
    for size, jumps in ((1e-15, False), (2e-14, True)):  # 64 rounding units are 7e-15
        point = Point(lambda at, size=size: 1 + size * (at[0].real > 1), [np.ones(1)], [0])
        assert (jump(point, FOUR_POINT, {0: np.ones(1)}) is not None) is jumps


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e4, 1e9])
def test_jumps_are_found_at_every_scale(scale):
    x = np.array([0.7, 3.0, 0.0]) * scale
    report = check(flat(lambda x: (x > 3 * scale) * 1.0 + (x >= 0)), x)
    assert [j.index for j in report.jumps] == [(1,), (2,)], report


def test_the_elements_that_jump_are_counted_and_the_first_one_is_shown():
    report = check(flat(lambda x: np.floor(x).sum()), np.array([[1.0, 0.5], [2.0, -3.0]]))
    assert [j.index for j in report.jumps] == [(0, 0), (1, 0), (1, 1)]
    assert (report.elements, sum(w.elements for w in report.arguments)) == (4, 1)
    assert (
        "y jumps when arrays[0][0, 0] moves: y is -1 just below, 0 here and 0 just above (3 of 4 elements are such)"
        in str(report)
    )


def test_a_jump_between_two_arguments_is_found_in_both():
    def larger(a, b):
        return (a > b) * 1.0, lambda dy: (0 * dy, 0 * dy)

    report = check(larger, np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    assert [(j.argument, j.index, *around(j)) for j in report.jumps] == [("a", (0,), 0, 0, 1), ("b", (0,), 1, 0, 0)]


@pytest.mark.parametrize("f", [np.max, np.min])
def test_a_jump_that_takes_several_elements_is_found(f):
    """The maximum of two equal ones falls only if both fall, so half of all directions show nothing."""
    for seed in range(10):
        report = check(flat(lambda x: np.floor(f(x)) if f is np.max else np.ceil(f(x))), np.ones(2), seed=seed)
        assert (report.status, report.elements) == ("JUMP", 2), report
        assert "y jumps when several elements move together: y is" in str(report)


def test_a_wrong_gradient_beside_a_jump_is_still_wrong():
    def function(x, factor):
        return np.where(x > 3, x * x + 1, x * x), lambda dy: factor * 2 * x * dy

    x = np.array([0.7, 3.0, -1.6])
    assert check(lambda x: function(x, 1.0), x).status == "JUMP"
    for factor in (1 + 1e-9, 2.0):
        report = check(lambda x, factor=factor: function(x, factor), x)
        assert (report.status, report.worst.index) == ("FAILED", (2,)), report
        assert "y jumps when x[1] moves" in str(report)


def test_a_kink_beside_a_jump_is_still_held_to_its_subgradients():
    def function(x, slope):
        return np.array([np.floor(x[0]), max(x[1], 0.0)]), lambda dy: np.array([0.0, slope * dy[1]])

    x = np.array([1.0, 0.0])
    for slope, status in ((0.0, "JUMP"), (0.5, "JUMP"), (1.0, "JUMP"), (1.2, "FAILED"), (-0.1, "FAILED")):
        report = check(lambda x, slope=slope: function(x, slope), x)
        assert (report.status, report.kinks) == (status, 1), report


def test_the_slope_at_a_jump_loosens_no_tolerance():
    """Differences over a jump are 1e8; relative to them any gradient would pass."""
    report = check(
        lambda x: (np.floor(x[0]) + np.array([float(x[1])]), lambda dy: np.array([0.0, 1.00001 * dy[0]])),
        np.array([1.0, 1.0]),
    )
    assert (report.status, report.method, report.worst.index) == ("FAILED", "4-point", (1,)), report


class Steps(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(2, 1, rng=0)

    def forward(self, x):
        y = self.inner(x)
        return ops.where(y.data.real > float(self.inner.bias.data[0].real), y + 1, y)


def test_a_module_that_jumps_is_told_so():
    x = np.array([[0.5, -1.0]])
    assert check_module(Steps(), x).status == "ok"
    report = check_module(Steps(), 0 * x)
    assert (report.status, report.passed, report.kinks) == ("JUMP", False, 0), report
    assert {"input 0", "everything"} <= {j.argument for j in report.jumps} <= {"input 0", "weight", "everything"}
    assert "y jumps when input 0 moves: y[0, 0] is" in str(report)


def test_a_grader_hears_of_jumps():
    report = check(flat(np.floor), np.ones(2), label="floor")
    assert json.loads(json.dumps(report.as_dict()))["status"] == "JUMP"
    assert report.as_dict()["jumps"][1]["index"] == (1,)
    said = summary(Result("homework.py:floor", "relu", cases=[report]))
    assert said.count("y jumps when") == 1
    assert "0 of 1 cases passed" in said
