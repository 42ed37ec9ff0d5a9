"""The gradient is the sum over all paths, and each length holds what its paths carry."""

import math
from itertools import combinations

import numpy as np
import pytest

from minires import data, models
from minires.probes import PathGradients, mean_length, residual_paths, shares_of_paths
from minires.probes.lengths import _norm


@pytest.fixture(scope="module")
def digits():
    train, _ = data.load("digits")
    return next(iter(data.ArrayLoader(train.limit(16), 16)))


def network(name, **options):
    return models.create(name, in_channels=1, rng=0, **options)


@pytest.mark.parametrize("options", [{}, {"shortcut": "B"}], ids=["A", "B"])
def test_the_paths_of_a_length_add_up_to_it(options, digits):
    paths = PathGradients(network("resnet8", **options), *digits)
    for k, total in enumerate(paths.by_length()):
        ours = sum(paths.along(chosen) for chosen in combinations(range(3), k))
        assert np.abs(ours - total).max() <= 1e-14 * np.abs(paths.total).max()


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20", "plain20"])
@pytest.mark.parametrize("training", [True, False])
def test_all_lengths_add_up_to_the_networks_own_gradient(name, training, digits):
    model = network(name).train(training)
    paths = PathGradients(model, *digits)
    total = sum(g for g in paths.by_length() if g is not None)
    assert np.abs(total - paths.total).max() <= 1e-13 * np.abs(paths.total).max()
    assert _norm(paths.total) == pytest.approx(residual_paths(model, *digits)[0].total, rel=1e-12)


def test_the_shortest_path_passes_no_branch(digits):
    """With identities and no ReLU after the add, it carries the gradient of the last block unchanged."""
    paths = PathGradients(network("preact_resnet20"), *digits)
    n = paths.n
    last_stage = paths._blocks[n - 2 :]
    g = paths.arriving
    for fork in reversed(last_stage):
        assert fork.through_shortcut(g) is g


def test_a_plain_network_has_one_path(digits):
    paths = PathGradients(network("plain8"), *digits)
    assert paths.norms_by_length()[:3] == [0, 0, 0]
    assert not paths.along((0, 1)).any()
    assert np.array_equal(paths.along((0, 1, 2)), paths.total)


def test_samples_are_those_of_the_generator(digits):
    paths = PathGradients(network("resnet8"), *digits)
    first = paths.sampled_norms(1, 5, np.random.default_rng(3))
    assert np.array_equal(first, paths.sampled_norms(1, 5, np.random.default_rng(3)))
    assert set(first) <= {_norm(paths.along((i,))) for i in range(3)}
    assert len(set(paths.sampled_norms(1, 30, np.random.default_rng(3)))) == 3  # every path can be drawn


def test_a_sampled_path_passes_a_branch_once(digits):
    paths = PathGradients(network("resnet8"), *digits)
    all_branches = _norm(paths.along((0, 1, 2)))
    assert paths.sampled_norms(3, 10, np.random.default_rng(3)).tolist() == [all_branches] * 10


def test_the_network_stays_as_it_is(digits):
    model = network("resnet8")
    state = {name: array.copy() for name, array in model.state_dict().items()}
    PathGradients(model, *digits).by_length()
    assert all(np.array_equal(array, state[name]) for name, array in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_lengths_are_binomial():
    assert shares_of_paths(3) == [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    paper = shares_of_paths(54)  # Veit et al. 2016: 19 to 35 hold more than 95 %, 5 to 17 hold 0.45 %
    assert sum(paper[19:36]) > 0.95
    assert 100 * sum(paper[5:18]) == pytest.approx(0.45, abs=0.01)
    assert mean_length(paper) == pytest.approx(27)
    assert math.isnan(mean_length([0, 0]))
