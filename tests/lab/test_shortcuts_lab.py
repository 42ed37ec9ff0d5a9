"""lab/experiments/shortcuts.py: the verdict comes out every way, and a network that diverges counts as a guess."""

import numpy as np
import pytest

from minires import data, models, storage
from minires.lab import EXPERIMENTS
from minires.lab.experiments.shortcuts import ARMS, ORDERS, SHORTCUTS

EXPERIMENT = EXPERIMENTS["shortcuts"]
FAST = {"depth": 8, "epochs": 4, "limit": 800, "seeds": 3}


def test_dropout_on_the_shortcut_is_worse_than_the_identity_and_not_better():
    report = EXPERIMENT(**FAST, worse=("dropout",), shown=("identity",))
    assert report.verdict == "held"
    swapped = EXPERIMENT(**FAST, best="dropout", worse=("identity",), shown=("identity",))
    assert swapped.verdict == "refuted"
    assert report.results.as_dict() == swapped.results.as_dict()  # the same trainings, to the bit
    without = EXPERIMENT.compare(EXPERIMENT.settings(**FAST, best="dropout", worse=("dropout",)), report.results)
    assert without[0].outcome == "undecided"  # no identity


def test_the_error_is_that_of_the_test_images_with_the_arms_own_shortcut(tmp_path):
    report = EXPERIMENT(**{**FAST, "depth": 8, "seeds": 1}, worse=("scale",), shown=("identity",), out=tmp_path)
    path = tmp_path / "shortcuts" / "scale-seed0" / "checkpoint.safetensors"
    model = models.resnet8(in_channels=1, shortcut="scale").eval()
    model.load_state_dict(storage.load_checkpoint(path)[0]["model"])
    assert storage.load_state(path)["config"]["model_options"] == "shortcut='scale'"
    _, test_set = data.load("digits")
    images, labels = next(iter(data.ArrayLoader(test_set, len(test_set))))
    error = 100 * (model(images).data.argmax(axis=1) != labels).mean()
    assert report.results["scale", 0]["test_error"][-1] == pytest.approx(error)
    best = report.results["identity", 0]["test_error"][-1]
    assert report.comparisons[0].differences == (pytest.approx(error - best),)


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
