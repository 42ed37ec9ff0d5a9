"""lab/experiments/stochastic_depth.py: the verdict comes out against the claim, and blocks are counted."""

import numpy as np
import pytest

from minires import data, models, storage
from minires.lab import EXPERIMENTS, Results
from minires.lab.experiments.stochastic_depth import computed_blocks

EXPERIMENT = EXPERIMENTS["stochastic-depth"]
FAST = {"depth": 8, "epochs": 1, "limit": 96, "seeds": 3}


def test_blocks_are_saved_and_with_the_arms_swapped_they_are_not():
    report = EXPERIMENT(**FAST)
    error, saved = report.comparisons
    assert saved.outcome == "held"
    assert 20 < np.mean(saved.differences) < 45  # a third is expected of three blocks
    swapped = EXPERIMENT(**FAST, constant="stochastic_depth=0.5", stochastic="")
    assert swapped.verdict == "refuted"
    for ours, theirs in zip((error, saved), swapped.comparisons, strict=True):
        np.testing.assert_allclose(ours.differences, -np.array(theirs.differences))


def test_the_test_error_is_judged_and_a_lower_one_is_claimed():
    numbers = {}
    for seed in range(6):
        numbers["constant", seed] = {"train_error": [90, 1], "test_error": [90, 12], "computed": [1, 1], "guess": 90}
        numbers["stochastic", seed] = {"train_error": [90, 30], "test_error": [90, 10 - seed / 10], "guess": 90}
        numbers["stochastic", seed]["computed"] = [1, 0.5 - seed / 100]
    error, saved = EXPERIMENT.compare(EXPERIMENT.settings(), Results(numbers))
    np.testing.assert_allclose(error.differences, 2 + np.arange(6) / 10)
    np.testing.assert_allclose(saved.differences, 25 + np.arange(6) / 2)
    assert error.outcome == saved.outcome == "held"
    numbers["stochastic", 3]["test_error"] = [90, 61.8]
    error, _ = EXPERIMENT.compare(EXPERIMENT.settings(), Results(numbers))
    assert (error.outcome, error.reason[:36]) == ("undecided", "the stochastic network has not learn")


def test_the_error_is_that_of_all_blocks_on_test_images(tmp_path):
    report = EXPERIMENT(**{**FAST, "seeds": 1}, out=tmp_path)
    path = tmp_path / "stochastic-depth" / "stochastic-seed0" / "checkpoint.safetensors"
    assert storage.load_state(path)["config"]["model_options"] == "stochastic_depth=0.5"
    model = models.resnet8(in_channels=1).eval()
    model.load_state_dict(storage.load_checkpoint(path)[0]["model"])
    test_set = data.load("digits")[1].limit(96)
    images, labels = next(iter(data.ArrayLoader(test_set, len(test_set))))
    error = 100 * (model(images).data.argmax(axis=1) != labels).mean()
    assert report.results["stochastic", 0]["test_error"] == [pytest.approx(error)]


@pytest.mark.parametrize(
    "arms", [{"stochastic": "stochastic_depth=0.0"}, {"constant": "stochastic_depth=0.5"}], ids=["no block", "the same"]
)
def test_leaving_no_block_out_or_the_same_ones_decides_nothing(arms):
    report = EXPERIMENT(**FAST, **arms)
    assert report.verdict == "undecided"
    assert {d for comparison in report.comparisons for d in comparison.differences} == {0}


def test_computed_blocks_are_counted_with_the_probability_of_each_block():
    model = models.resnet20(stochastic_depth=0.5, rng=0).eval()
    before = {name: value.copy() for name, value in model.state_dict().items()}
    computed = computed_blocks(model, 100)
    p = 1 - np.arange(1, 10) / 18
    assert (np.abs(computed - p) < 4 * np.sqrt(p * (1 - p) / 100)).all()
    assert computed_blocks(models.resnet8(rng=0), 3) == [1, 1, 1]
    assert all((before[name] == value).all() for name, value in model.state_dict().items())
    assert not model.training


def test_the_figure_shows_the_probabilities_of_the_paper():
    """p_l = 1 − l/(2L), for l = 1 … L: the last block is computed half of the time."""
    curve = {"test_error": [90.0, 10.0], "computed": [1.0, 0.7, 0.5]}
    made = Results({(arm, seed): curve for arm in ("constant", "stochastic") for seed in range(2)})
    panel = EXPERIMENT.panels(EXPERIMENT.settings(epochs=2), made)[1]
    (paper,) = (line for line in panel.lines if line.kind == "paper")
    assert list(paper.x) == [1, 2, 3]
    assert list(paper.y) == pytest.approx([100 * 5 / 6, 100 * 4 / 6, 50])
