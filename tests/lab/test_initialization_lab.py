"""The experiment on initialization: it can come out every way, and its arms begin as they say."""

from dataclasses import replace

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.errors import OptionError
from minires.lab import Results
from minires.lab.__main__ import main
from minires.lab.experiments.initialization import ARMS, best_rates, variance_over_depth

SHORT = {"blocks": 8, "depth": 20, "epochs": 1, "limit": 128, "seeds": 3, "images": 32, "lr": (0.01, 0.1)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("initialization")


@pytest.fixture(scope="module")
def report(folder):
    return lab.initialization(**SHORT, out=folder)


def compared(report, **arms):
    """The outcomes of the same measurements with other networks in the arms."""
    s = lab.initialization.settings(**SHORT, **arms)
    return [part.outcome for part in lab.initialization.compare(s, report.results)]


def test_variance_grows_without_norms_and_not_otherwise(report):
    assert [part.outcome for part in report.comparisons[:3]] == ["held"] * 3
    assert report.verdict != "refuted"
    assert report.figure() is not None


def test_swapped_networks_refute_it(report):
    swapped = {"unnormalized": "fixup", "fixup": "he"}
    growing = compared(report, **swapped, normalized="he", scaled="he")
    changing = compared(report, **swapped, normalized="zero-gamma", zero="batch-norm")
    assert growing[:3] == ["refuted", "refuted", "held"]
    assert changing[2] == "refuted"


def test_same_network_in_all_arms_cannot_decide(report):
    same = dict.fromkeys(("unnormalized", "normalized", "scaled", "zero", "fixup"), "he")
    assert compared(report, **same) == ["undecided"] * 4


def test_a_cause_that_is_taken_away_leaves_its_part_undecided(report):
    assert compared(report, normalized="he")[0] == "undecided"  # no norm
    assert compared(report, scaled="he")[1] == "undecided"  # branches as large as the others
    assert compared(report, zero="batch-norm")[2] == "undecided"  # γ begins with 1
    assert compared(report, fixup="he")[3] == "undecided"  # branches that do not begin with 0


def test_each_part_of_the_claim_has_its_side():
    variances = {"he": [1.0, 16.0], "batch-norm": [1.0, 2.0], "scaled": [1.0, 4.0], "zero-gamma": [1.0, 1.0]}
    changes = {"batch-norm": [0.5, 0.7], "zero-gamma": [0.1, 0.1]}
    errors = {"he": 80, "fixup": 30}
    made = {
        (arm, seed): {
            "variances": np.multiply(variances.get(arm, [1.0, 1.0]), [1.0, 1 + seed * len(arm) / 1e8]),
            "changes": np.multiply(changes.get(arm, [1.0, 1.0]), 1 + seed / 1e8),
            "train_error": errors.get(arm, 50) * (1 + seed / 1e8),
            "guess": 90.0,
        }
        for arm in ARMS
        for seed in range(6)
    }
    s = lab.initialization.settings(blocks=2)
    swapped = replace(s, unnormalized="fixup", fixup="he")
    assert lab.initialization.compare(swapped, Results(made))[3].outcome == "refuted"
    parts = lab.initialization.compare(s, Results(made))
    for part, expected in zip(parts, (1.5, 1.0, 0.5, 50), strict=True):
        assert part.differences == pytest.approx([expected] * 6)
        assert part.outcome == "held"
    for numbers in made.values():
        numbers["train_error"] += 16.0  # 46 of 90: neither has learned
    untrained = lab.initialization.compare(s, Results(made))[3]
    assert untrained.differences == pytest.approx([50] * 6)
    assert untrained.outcome == "undecided"
    assert "the better of the two has not learned" in str(untrained)


def test_the_best_learning_rate_of_a_network_counts(report, folder):
    numbers = report.results["fixup", 1]
    ends = []
    for lr in report.settings.lr:
        path = folder / "initialization" / "fixup-seed1" / f"lr{lr:g}" / "checkpoint.safetensors"
        state = storage.load_state(path)
        assert state["config"]["lr"] == lr
        assert state["config"]["model_options"] == "norm=None, branches='fixup'"
        ends.append(100 * (1 - state["history"][-1]["train_accuracy"]))
    assert numbers["train_errors"] == ends
    assert numbers["train_error"] == min(ends)


def test_the_variances_are_those_before_and_behind_each_block(report):
    train_set, _ = data.load("digits")
    images, _ = next(iter(data.ArrayLoader(train_set.limit(32), 32)))
    model = models.PreActCifarResNet(6 * 8 + 2, in_channels=1, norm=None, rng=1)
    x = model.conv1(images).data
    block = model.layer1[0]
    h = (
        x + block.conv2(np.maximum(block.conv1(np.maximum(x, 0)).data, 0)).data
    )  # the factors begin with 1, biases with 0
    numbers = report.results["he", 1]
    assert numbers["variances"][:2] == pytest.approx([x.var(), h.var()], rel=1e-4)
    assert numbers["changes"][0] == pytest.approx(np.linalg.norm(h - x) / np.linalg.norm(x), rel=1e-4)


def test_batch_norm_uses_the_statistics_of_the_batch(report):
    train_set, _ = data.load("digits")
    images, _ = next(iter(data.ArrayLoader(train_set.limit(32), 32)))
    model = models.PreActCifarResNet(6 * 8 + 2, in_channels=1, rng=1)
    block = model.layer1[0]

    def normalized_relu(x):
        mean = x.mean(axis=(0, 2, 3), keepdims=True)
        var = x.var(axis=(0, 2, 3), keepdims=True)
        return np.maximum((x - mean) / np.sqrt(var + 1e-5), 0)

    x = model.conv1(images).data
    h = x + block.conv2(normalized_relu(block.conv1(normalized_relu(x)).data)).data
    assert report.results["batch-norm", 1]["variances"][:2] == pytest.approx([x.var(), h.var()], rel=1e-4)


def test_the_table_shows_the_rates_at_which_the_error_is_lowest():
    s = lab.initialization.settings(lr=(0.01, 0.1, 1.0))
    made = Results({("he", seed): {"train_errors": errors} for seed, errors in enumerate(([30, 20, 80], [30, 40, 80]))})
    assert best_rates(s, made, "he") == "0.01, 0.1"


def test_a_loss_that_overflows_counts_as_guessing():
    report = lab.initialization(blocks=2, epochs=1, lr=(1e9,), seeds=1)
    assert report.results["he", 0]["train_error"] == pytest.approx(90)


def test_the_other_spelling_is_understood(capsys):
    assert lab.find("initialisation", lab.EXPERIMENTS) is lab.initialization
    with pytest.raises(SystemExit) as exit:
        main(["initialisation", "--help"])
    assert exit.value.code == 0
    assert "De & Smith 2020" in capsys.readouterr().out


@pytest.mark.parametrize("network", [models.CifarResNet, models.PreActCifarResNet])
@pytest.mark.parametrize("arm", ["zero-gamma", "fixup"])
def test_blocks_begin_as_the_identity(network, arm):
    model = network(14, in_channels=1, rng=0, **models.read_options(ARMS[arm]))
    images = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    variances, changes = variance_over_depth(model, images)
    assert changes == [0.0, 0.0]
    assert variances[0] == variances[-1] > 0


def test_fixup_makes_the_first_convolutions_smaller():
    he = models.PreActCifarResNet(20, norm=None, rng=0)
    fixup = models.PreActCifarResNet(20, norm=None, branches="fixup", rng=0)
    L = 9
    np.testing.assert_allclose(fixup.layer1[0].conv1.weight.data, he.layer1[0].conv1.weight.data * L**-0.5, rtol=1e-6)
    assert not fixup.layer1[0].conv2.weight.data.any()
    assert not fixup.linear.weight.data.any()
    assert np.array_equal(fixup.conv1.weight.data, he.conv1.weight.data)


def test_scaled_branches_begin_with_one_over_root_l():
    he = models.PreActCifarResNet(20, rng=0)
    scaled = models.PreActCifarResNet(20, branches="scaled", rng=0)
    np.testing.assert_allclose(scaled.layer2[1].conv2.weight.data, he.layer2[1].conv2.weight.data / 3, rtol=1e-6)
    assert np.array_equal(scaled.layer2[1].conv1.weight.data, he.layer2[1].conv1.weight.data)


def test_an_unknown_beginning_is_refused():
    with pytest.raises(OptionError, match="branches must be 'he', 'scaled' or 'fixup'"):
        models.resnet20(branches="zero")
