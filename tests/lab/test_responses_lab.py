"""The experiment on layer responses: it can come out every way."""

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.errors import OptionError
from minires.lab import Results

SHORT = {"depths": (8,), "plain_depths": (8,), "epochs": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("responses")


@pytest.fixture(scope="module")
def report(folder):
    return lab.responses(**SHORT, out=folder)


def compared(report, **arms):
    """The outcomes of the same trainings with other networks in the arms."""
    s = lab.responses.settings(**SHORT, **arms)
    return [part.outcome for part in lab.responses.compare(s, report.results)]


def test_plain_network_responds_more_strongly(report):
    assert report.verdict == "held"
    assert len(report.results["plain8", 0]["responses"]) == 7
    assert report.figure() is not None


def test_swapped_networks_refute_it(report):
    assert compared(report, plain="resnet", residual="plain") == ["refuted"]


@pytest.mark.parametrize("family", ["plain", "resnet"])
def test_same_network_in_both_arms_cannot_decide(report, family):
    assert compared(report, plain=family, residual=family) == ["undecided"]


def test_networks_that_were_not_trained_respond_alike():
    report = lab.responses(depths=(8, 20), plain_depths=(8,), epochs=1, lr=0.0, seeds=2)
    assert report.verdict != "held"
    assert report.comparisons[1].what == "mean response of resnet8 above that of resnet20"


def test_plain_depths_are_some_of_the_depths():
    with pytest.raises(OptionError, match="plain_depths must be some of the depths"):
        lab.responses.settings(depths=(8, 20), plain_depths=(14,))


def test_the_first_response_is_that_of_test_images_in_evaluation_mode(report, folder):
    path = folder / "responses" / "plain8-seed1" / "checkpoint.safetensors"
    model = models.plain8(in_channels=1)
    model.load_state_dict(storage.load_checkpoint(path)[0]["model"])
    _, test_set = data.load("digits")
    images, _ = next(iter(data.ArrayLoader(test_set, len(test_set))))
    x = model.conv1(images).data.astype(float)
    bn = model.bn1
    weight, bias = (p.data.reshape(16, 1, 1) for p in (bn.weight, bn.bias))
    mean, var = (a.reshape(16, 1, 1) for a in (bn.running_mean, bn.running_var))
    y = weight * (x - mean) / np.sqrt(var + bn.eps) + bias
    assert report.results["plain8", 1]["responses"][0] == pytest.approx(y.std(), rel=1e-4)


def test_plain_and_shallow_networks_are_claimed_to_respond_more_strongly():
    sigma = {"plain8": 0.9, "resnet8": 0.7, "resnet20": 0.4}
    made = {
        (arm, seed): {"responses": [mean - 0.1, mean + 0.1 + seed / 100 * len(arm)], "train_error": 5.0, "guess": 90.0}
        for arm, mean in sigma.items()
        for seed in range(3)
    }
    parts = lab.responses.compare(lab.responses.settings(), Results(made))
    assert [part.differences[0] for part in parts] == pytest.approx([0.2, 0.3])
    assert [part.outcome for part in parts] == ["held", "held"]
    swapped = lab.responses.settings(plain_depths=(20,), plain="resnet", residual="plain")
    made |= {
        ("plain20", seed): {"responses": [2.0, 2.0 + seed / 10], "train_error": 5.0, "guess": 90.0} for seed in range(3)
    }
    parts = lab.responses.compare(swapped, Results(made))
    assert [part.outcome for part in parts] == ["refuted", "refuted"]
    made["resnet8", 1]["train_error"] = 60.0
    parts = lab.responses.compare(lab.responses.settings(), Results(made))
    assert [part.outcome for part in parts] == ["undecided", "undecided"]


def test_without_shortcuts_it_does_not_hold(report):
    assert compared(report, residual="plain") == ["undecided"]


def test_the_second_panel_sorts_the_layers_of_each_seed():
    made = {(arm, seed): {"responses": [0.2, 0.5 + seed, 0.3]} for arm in ("plain8", "resnet8") for seed in range(2)}
    by_layer, sorted_ = lab.responses.panels(lab.responses.settings(**SHORT), Results(made))
    assert by_layer.lines[0].y.tolist() == [[0.2, 0.5, 0.3], [0.2, 1.5, 0.3]]
    assert sorted_.lines[0].y.tolist() == [[0.5, 0.3, 0.2], [1.5, 0.3, 0.2]]
