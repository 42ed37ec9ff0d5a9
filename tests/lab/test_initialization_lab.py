"""The experiment on initialization: it can come out every way, and its arms begin as they say."""

import numpy as np
import pytest

from minires import lab, models
from minires.errors import OptionError
from minires.lab.__main__ import main
from minires.lab.experiments.initialization import ARMS, variance_over_depth

SHORT = {"blocks": 8, "depth": 20, "epochs": 2, "seeds": 5, "images": 32}


@pytest.fixture(scope="module")
def report():
    return lab.initialization(**SHORT, trained=("he", "fixup"))


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
    assert growing == ["refuted", "refuted", "held", "refuted"]
    assert changing[2] == "refuted"


def test_same_network_in_all_arms_cannot_decide(report):
    same = dict.fromkeys(("unnormalized", "normalized", "scaled", "zero", "fixup"), "he")
    assert compared(report, **same) == ["undecided"] * 4


def test_a_loss_that_overflows_counts_as_guessing():
    report = lab.initialization(blocks=2, epochs=1, lr=1e9, seeds=1)
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
