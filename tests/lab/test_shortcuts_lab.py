"""lab/experiments/shortcuts.py: the verdict comes out every way, and a network that diverges counts as a guess."""

import numpy as np
import pytest

from minires.lab import EXPERIMENTS
from minires.lab.experiments.shortcuts import ARMS, ORDERS, SHORTCUTS

EXPERIMENT = EXPERIMENTS["shortcuts"]
FAST = {"depth": 20, "epochs": 2, "limit": 800, "seeds": 3}


def test_dropout_on_the_shortcut_is_worse_than_the_identity_and_not_better():
    report = EXPERIMENT(**FAST, worse=("dropout",), shown=("identity",))
    assert report.verdict == "held"
    swapped = EXPERIMENT(**FAST, best="dropout", worse=("identity",), shown=("identity",))
    assert swapped.verdict == "refuted"
    assert report.results.as_dict() == swapped.results.as_dict()  # the same trainings, to the bit


def test_the_same_network_in_both_parts_decides_nothing():
    report = EXPERIMENT(depth=8, epochs=1, limit=64, seeds=2, worse=("identity",), shown=("norm_after_add",))
    assert report.verdict == "undecided"
    assert report.comparisons[0].differences == (0, 0)


def test_a_diverging_network_is_a_result():
    report = EXPERIMENT(depth=8, epochs=2, limit=64, batch_size=16, seeds=2, lr=1e30, worse=("none",), shown=("scale",))
    assert all(report.results.of("none", "diverged"))
    np.testing.assert_array_equal(report.results.of("none", "test_error"), 90)
    assert [row[3] for row in report.table.rows] == ["2"] * 3


def test_every_arm_is_a_network_and_the_figure_shows_shortcuts_and_orders():
    settings = EXPERIMENT.settings(depth=20, epochs=1, limit=32, seeds=1, shown=tuple(ARMS))
    assert settings.arms == list(ARMS)
    report = EXPERIMENT(depth=20, epochs=1, limit=32, seeds=1, shown=tuple(ARMS))
    shortcuts, order = report.experiment.panels(report.settings, report.results)
    assert shortcuts.labels == [arm.label for arm in SHORTCUTS.values()]
    assert shortcuts.paper == [6.61, None, 12.35, 8.70, 12.86, 12.22, None, None]
    assert order.labels == ["original", *(arm.label for arm in ORDERS.values())]
    assert order.paper == [6.61, 8.17, 7.84, 6.71, 6.37]
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    report.figure()
