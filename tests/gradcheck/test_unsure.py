"""Where measuring cannot tell a right gradient from a wrong one, the report says so and does not pass."""

import json

import numpy as np
import pytest

from minires import nn, op
from minires.gradcheck import check, check_module
from minires.gradcheck.graders import Result, summary

X = np.array([0.7, -1.3, 2.1])


def sizes(factor):
    """|a| + |b|, with a gradient of b that is `factor` times the right one."""
    return lambda a, b: (abs(a) + abs(b), lambda dy: (dy * np.sign(a), factor * dy * np.sign(b)))


@pytest.mark.parametrize("factor", [1, 2, 0, -1])
def test_what_rounding_hides_wholly_is_not_passed(factor):
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
            self.large, self.small = nn.Parameter(X * 1e8), nn.Parameter(X * 1e-8)

        def forward(self, x):
            return size_of(self.large) + size_of(self.small) + 0 * x
    report = check_module(Sizes(), X)
    assert report.status == "UNSURE", report
    assert "rounding leaves dsmall unsure by" in str(report)


def test_a_grader_hears_why_nothing_is_proved():
    report = check(sizes(2), X * 1e8, X * 1e-8, label="sizes")
    said = json.loads(json.dumps(report.as_dict()))
    assert (said["status"], said["passed"], len(said["unsure"])) == ("UNSURE", False, 1)
    assert summary(Result("homework.py:sizes", "add", [report])).count("rounding leaves db unsure") == 1
