"""The experiment on paths can come out every way."""

import pytest

from minires import lab
from minires.lab.experiments.paths import middle


@pytest.fixture(scope="module")
def report(files):
    return lab.paths(weights=files, images=16, samples=6)


def outcomes(report):
    return [part.outcome for part in report.comparisons]


def test_gradient_comes_through_short_paths(report):
    assert report.verdict == "held"
    numbers = report.results["resnet20", 0]
    for key in ("share_of_paths", "share_of_gradient", "share_of_exact_sums"):
        assert len(numbers[key]) == 10
        assert sum(numbers[key]) == pytest.approx(1)
    assert len(report.figure().axes) == 4


def test_a_plain_network_has_one_path(report):
    numbers = report.results["plain20", 0]
    assert numbers["share_of_gradient"] == numbers["share_of_exact_sums"] == [0.0] * 9 + [1.0]
    assert numbers["identity"] == [None] * 9


def test_swapped_networks_refute_it(report, again):
    swapped = again(report, plain="resnet20", residual="plain20")
    assert outcomes(swapped) == ["refuted", "undecided"]
    assert swapped.verdict == "refuted"
    assert swapped.figure() is not None


def test_the_plain_network_has_no_part_in_the_verdict(report, again):
    assert again(report, plain="resnet20").comparisons == report.comparisons


def test_without_shortcuts_it_does_not_hold(report, again):
    assert again(report, residual="plain20").verdict == "refuted"


def test_the_middle_is_the_shortest_row_of_lengths():
    assert middle([0.05, 0.5, 0.4, 0.05]) == (1, 2)
    assert middle([0, 0, 1]) == (2, 2)
    assert middle([0.0, 0.0]) == (0, 1)
