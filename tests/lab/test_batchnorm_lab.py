"""lab/experiments/batchnorm.py: the verdict comes out every way, and divergence is a result."""

import math

import numpy as np

from minires.lab import EXPERIMENTS, Place
from minires.lab.experiments.batchnorm import mean_over_steps, smoothness

EXPERIMENT = EXPERIMENTS["batchnorm"]
FAST = {"epochs": 3, "lrs": (0.3,), "steps": 2, "every": 2, "seeds": 3}


def test_without_batch_norm_a_network_does_not_train_at_a_rate_at_which_it_does_with_it():
    report = EXPERIMENT(**FAST)
    assert report.comparisons[0].outcome == "held"
    assert all(np.array(report.comparisons[0].differences) == 1)  # decades
    swapped = EXPERIMENT(**FAST, with_norm="norm=None", without_norm="norm='batch'")
    assert swapped.verdict == "refuted"
    for ours, theirs in zip(report.comparisons, swapped.comparisons, strict=True):
        np.testing.assert_allclose(ours.differences, -np.array(theirs.differences))


def test_the_same_network_in_both_parts_decides_nothing():
    report = EXPERIMENT(epochs=1, limit=64, lrs=(0.01, 0.1), steps=2, every=1, seeds=2, without_norm="norm='batch'")
    assert report.verdict == "undecided"
    assert {d for comparison in report.comparisons for d in comparison.differences} == {0}


def test_a_network_that_diverges_is_measured_until_then(tmp_path):
    s = EXPERIMENT.settings(limit=128, lr=1e6, steps=12, every=2)
    found = smoothness(Place(tmp_path), s, s.without_norm, seed=0)
    assert len(found["beta"]) == len(found["variation"]) == 6
    assert math.isnan(found["beta"][-1])


def test_the_mean_over_steps_is_geometric_and_of_finite_values():
    values = np.array([[10.0, 1000.0, np.nan, np.inf], [np.nan] * 4])
    np.testing.assert_allclose(mean_over_steps(values), [2, np.nan])
