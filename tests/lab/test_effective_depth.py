"""The experiment on the effective depth can come out every way."""

import math

import pytest

from minires import lab
from minires.lab import Results
from minires.lab.experiments.effective_depth import needed_share, spare


@pytest.fixture(scope="module")
def report():
    return lab.effective_depth(networks=("resnet8", "resnet20", "plain8"), epochs=4, seeds=3)


def test_a_deeper_network_needs_a_smaller_share_of_its_blocks(report, again):
    short = again(report, networks=("resnet8", "resnet20"))
    numbers = report.results["resnet20", 0]
    assert sorted(numbers["order"]) == list(range(9))
    assert len(numbers["errors"]) == 10
    assert short.comparisons[0].interval[0] > 0
    assert short.verdict in ("held", "undecided")
    assert len(short.figure().axes) == 2


def test_swapped_networks_turn_the_verdict(report, again):
    forward = again(report, networks=("resnet8", "resnet20"))
    backward = again(report, networks=("resnet20", "resnet8"))
    assert backward.comparisons[0].differences == tuple(-d for d in forward.comparisons[0].differences)
    assert backward.verdict == {"held": "refuted", "undecided": "undecided"}[forward.verdict]


def test_same_network_decides_nothing(report, again):
    assert again(report, networks=("resnet20", "resnet20")).verdict == "undecided"


def test_without_shortcuts_all_blocks_are_needed(report):
    """plain8 can lose one of its blocks, and needs it."""
    for seed in range(3):
        numbers = report.results["plain8", seed]
        assert len(numbers["errors"]) == 2
        assert numbers["needed"] == numbers["blocks"] == 3


def test_a_block_is_spare_until_the_error_has_risen():
    assert spare([5, 6, 14, 30, 3], 10) == 2
    assert spare([5, 15.5], 10) == 0
    assert spare([5, 5, 5], 10) == 2


def test_a_network_that_has_not_learned_decides_nothing():
    results = Results({("resnet8", 0): {"errors": [80, 81], "needed": 1, "blocks": 3}})
    assert math.isnan(needed_share(results, "resnet8")[0])
