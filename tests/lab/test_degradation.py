"""Degradation: the verdict comes out every way, each part has its sign, and the numbers are those of the runs."""

import dataclasses

import numpy as np
import pytest

from minires import storage
from minires.errors import OptionError
from minires.lab.experiment import Results
from minires.lab.experiments.degradation import Degradation
from minires.lab.running import run
from minires.lab.training import spread

QUICK = {"depths": (8, 14), "epochs": 1, "limit": 200, "seeds": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("degradation")


@pytest.fixture(scope="module")
def report(folder):
    return run(Degradation(), out=folder, **QUICK)


def judged(s=None, **errors):
    """The outcomes of the parts, where the last training errors of the networks are these, a little apart."""
    s = s or Degradation().settings(depths=(8, 14), seeds=3)
    numbers = {
        (arm, seed): {"train_error": [99.0, error + seed / 10], "guess": 90.0}
        for arm, error in errors.items()
        for seed in (0, 1, 2)
    }
    for depth, seed in ((14, 1), (8, 2)):  # so that no difference is the same for all seeds
        numbers[f"plain{depth}", seed]["train_error"][-1] += 0.3
        numbers[f"resnet{depth}", seed]["train_error"][-1] += 0.2
    return [part.outcome for part in Degradation().compare(s, Results(numbers))]


def test_depth_that_costs_the_plain_network_alone_holds_and_is_refuted_with_swapped_arms():
    errors = {"plain8": 10, "plain14": 30, "resnet8": 10, "resnet14": 10}
    assert judged(**errors) == ["held", "held", "held"]
    s = Degradation().settings(depths=(8, 14), seeds=3, plain="resnet", residual="plain")
    assert judged(s, **errors) == ["undecided", "refuted", "refuted"]


@pytest.mark.parametrize(
    ("errors", "outcomes"),
    [
        ({"plain8": 10, "plain14": 30, "resnet8": 10, "resnet14": 20}, ["held", "held", "refuted"]),
        ({"plain8": 10, "plain14": 30, "resnet8": 10, "resnet14": 50}, ["held", "refuted", "refuted"]),
        ({"plain8": 30, "plain14": 10, "resnet8": 30, "resnet14": 1}, ["refuted", "held", "held"]),
        ({"plain8": 10, "plain14": 30, "resnet8": 10, "resnet14": 12}, ["held", "held", "undecided"]),
    ],
)
def test_each_part_has_its_own_sign(errors, outcomes):
    assert judged(**errors) == outcomes


def test_networks_that_have_learned_nothing_decide_nothing():
    assert judged(plain8=70, plain14=80, resnet8=70, resnet14=70) == ["undecided"] * 3
    assert judged(plain8=10, plain14=80, resnet8=70, resnet14=70) == ["held", "undecided", "undecided"]


def test_one_depth_alone_is_refused():
    with pytest.raises(OptionError, match="give two depths or more"):
        Degradation().trials(Degradation().settings(depths=(8, 8)))


def test_the_tolerance_is_a_setting():
    errors = {"plain8": 10, "plain14": 30, "resnet8": 10, "resnet14": 14}
    s = Degradation().settings(depths=(8, 14), seeds=3)
    assert judged(s, **errors)[2] == "refuted"
    assert judged(dataclasses.replace(s, tolerance=6.0), **errors)[2] == "held"


def test_swapped_networks_turn_what_was_measured(report):
    s, results = report.settings, report.results
    swapped = report.experiment.compare(dataclasses.replace(s, plain="resnet", residual="plain"), results)
    assert swapped[1].differences == tuple(-difference for difference in report.comparisons[1].differences)
    cost = np.array(report.comparisons[0].differences)
    assert swapped[2].differences == tuple(-cost)


def test_the_same_network_in_both_arms_cannot_be_told(report):
    s = dataclasses.replace(report.settings, residual="plain")
    part = report.experiment.compare(s, report.results)[1]
    assert part.differences == (0.0, 0.0)
    assert part.outcome == "undecided"


def test_without_shortcuts_it_does_not_hold():
    s = Degradation().settings(depths=(8, 14), seeds=3, residual="plain")
    outcomes = judged(s, plain8=10, plain14=30, resnet8=10, resnet14=10)
    assert outcomes == ["held", "undecided", "refuted"]


def test_the_numbers_are_those_of_the_run(report, folder):
    checkpoint = folder / "degradation" / "plain14-seed1" / "checkpoint.safetensors"
    history = storage.load_state(checkpoint)["history"]
    last = 100 * (1 - history[-1]["train_accuracy"])
    assert report.results["plain14", 1]["train_error"] == [last]
    low = report.results["plain8", 1]["train_error"][-1]
    assert report.comparisons[0].differences[1] == last - low


def test_the_table_marks_what_was_read_off_a_figure(report):
    s = dataclasses.replace(report.settings, depths=(8, 14))
    assert [row[0] for row in report.experiment.table(s, report.results).rows] == [
        "plain8",
        "plain14",
        "resnet8",
        "resnet14",
    ]
    assert "≈" in report.table.note
    assert report.figure() is not None


def test_table_and_figure_show_training_and_test_errors_in_their_places(report):
    results = report.results
    errors = {key: results.of("plain14", key)[:, -1] for key in ("train_error", "test_error")}
    cells = dict(zip(report.table.columns, report.table.rows[1]))
    assert cells["training error (%)"] == spread(errors["train_error"])
    assert cells["test error (%)"] == spread(errors["test_error"])
    assert cells["training error (%)"] != cells["test error (%)"]
    final = report.experiment.panels(report.settings, results)[2:]
    for panel, key in zip(final, ("train_error", "test_error"), strict=True):
        plain = next(line for line in panel.lines if line.kind == "plain")
        np.testing.assert_array_equal(np.transpose(plain.y)[1], errors[key])
