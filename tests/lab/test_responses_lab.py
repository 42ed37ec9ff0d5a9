"""The experiment on layer responses: it can come out every way."""

import pytest

from minires import lab
from minires.errors import OptionError

SHORT = {"depths": (8,), "plain_depths": (8,), "epochs": 2}


@pytest.fixture(scope="module")
def report():
    return lab.responses(**SHORT)


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
