"""The experiment on paths can come out every way."""

import math

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.lab import Results
from minires.lab.experiments.paths import middle
from minires.probes import PathGradients, residual_paths


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


def test_the_numbers_are_those_of_the_training_mode(report, files):
    """The paths without a branch and with all of them are one each, so no random choice has a part."""
    model = models.resnet20(in_channels=1)
    model.load_state_dict(storage.load_checkpoint(files[4])[0]["model"])
    model.train()
    train_set, _ = data.load("digits")
    images, labels = next(iter(data.ArrayLoader(train_set.limit(16), 16)))
    paths = PathGradients(model, images, labels)
    numbers = report.results["resnet20", 1]
    for k in (0, 9):
        expected = math.sqrt((paths.along(range(k)) ** 2).sum())
        assert numbers["norm_of_a_path"][k] == pytest.approx(expected)
    exact = np.array(paths.norms_by_length())
    assert numbers["share_of_exact_sums"] == pytest.approx(exact / exact.sum())
    blocks = residual_paths(model, images, labels)
    assert numbers["identity"] == pytest.approx([block.identity for block in blocks])
    assert numbers["branch"] == pytest.approx([block.branch for block in blocks])


def test_the_gradient_of_a_length_is_its_number_of_paths_times_their_norm(report):
    numbers = report.results["resnet20", 0]
    weights = np.array([math.comb(9, k) for k in range(10)]) * numbers["norm_of_a_path"]
    assert numbers["share_of_gradient"] == pytest.approx(weights / weights.sum())


def test_the_figure_shows_the_shortcut_over_the_branch(report):
    (ratio,) = report.experiment.panels(report.settings, report.results)[0].lines
    numbers = report.results["resnet20", 0]
    assert np.asarray(ratio.y)[0] == pytest.approx(np.divide(numbers["identity"], numbers["branch"]))


def made(norms):
    """Results of a network of two blocks, with six seeds."""

    def of(seed):
        own = norms * (1 + seed / 1e8) ** np.arange(3)  # so that no two seeds are equal
        shares = np.array([1, 2, 1]) * own
        return {"branch": [1, 1], "norm_of_a_path": own, "share_of_gradient": (shares / shares.sum()).tolist()}

    return Results({("resnet20", seed): of(seed) for seed in range(6)})


@pytest.mark.parametrize(
    ("norms", "below", "shrinking", "outcome"),
    [([4.0, 2.0, 1.0], 1 / 3, 50, "held"), ([1.0, 2.0, 4.0], -1 / 3, -100, "refuted")],
)
def test_gradient_is_claimed_to_shrink_with_the_length(norms, below, shrinking, outcome):
    short, less = lab.paths.compare(lab.paths.settings(), made(norms))
    assert short.differences == pytest.approx([below] * 6)
    assert less.differences == pytest.approx([shrinking] * 6)
    assert short.outcome == less.outcome == outcome


def test_a_plain_network_has_one_path(report):
    numbers = report.results["plain20", 0]
    assert numbers["share_of_gradient"] == numbers["share_of_exact_sums"] == [0.0] * 9 + [1.0]
    assert numbers["identity"] == [None] * 9


def test_swapped_networks_speak_against_it(report, again):
    """A plain network has one path, whatever the seed. So its differences are equal, and decide nothing."""
    swapped = again(report, plain="resnet20", residual="plain20")
    assert swapped.comparisons[0].differences == (-4.5,) * 3
    assert outcomes(swapped) == ["undecided", "undecided"]
    assert swapped.figure() is not None


def test_the_plain_network_has_no_part_in_the_verdict(report, again):
    assert again(report, plain="resnet20").comparisons == report.comparisons


def test_without_shortcuts_it_does_not_hold(report, again):
    assert again(report, residual="plain20").verdict == "undecided"


def test_the_middle_is_the_shortest_row_of_lengths():
    assert middle([0.05, 0.5, 0.4, 0.05]) == (1, 2)
    assert middle([0, 0, 1]) == (2, 2)
    assert middle([0.0, 0.0]) == (0, 1)
