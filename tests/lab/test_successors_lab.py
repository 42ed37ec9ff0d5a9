"""lab/experiments/successors.py: networks of equal cost, and a verdict that comes out every way."""

import numpy as np
import pytest

from minires import models
from minires.errors import OptionError
from minires.lab import EXPERIMENTS
from minires.lab.equal_cost import COSTS, Family, at_cost, costs
from minires.lab.experiment import Results
from minires.lab.experiments.successors import FAMILIES
from minires.summary import summary

EXPERIMENT = EXPERIMENTS["successors"]
FAST = {"epochs": 1, "limit": 64, "seeds": 2, "better": ("resnet",)}
DIGITS = (1, 8, 8)


def test_costs_are_those_of_the_network_itself():
    model = models.resnet20(in_channels=1, width=5, num_classes=7, rng=0)
    table = summary(model, (1, *DIGITS))
    assert costs("resnet20", "width=5", DIGITS, 7) == {
        "parameters": sum(p.data.size for p in model.parameters()),
        "multiply_adds": table.multiply_adds,
    }


@pytest.mark.parametrize("cost", ["parameters", "multiply_adds"])
def test_the_width_found_is_nearer_than_its_neighbors(cost):
    for wanted in (30_000, 250_000, 2_000_000):
        family = FAMILIES["resnet"]
        found = at_cost(family, cost, wanted, DIGITS, 10)
        width = models.read_options(found)["width"]
        off = {w: abs(np.log(costs("resnet20", f"width={w}", DIGITS, 10)[cost] / wanted)) for w in range(1, 60)}
        assert width == min(off, key=off.get)


def test_a_network_that_fits_no_width_is_refused():
    with pytest.raises(OptionError, match=r"resnet20 has .* times the parameters .* choose another reference"):
        at_cost(FAMILIES["resnet"], "parameters", 10, DIGITS, 10)


def test_the_step_of_a_width_is_kept():
    family = Family("vit_tiny_digits", "hidden_dim", 4, "num_heads=4")
    found = models.read_options(at_cost(family, "parameters", 100_000, DIGITS, 10))
    assert found["hidden_dim"] % 4 == 0
    assert found["num_heads"] == 4


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_all_networks_of_a_run_cost_the_same_within_an_eighth(size):
    s = EXPERIMENT.settings(size, seeds=1)
    for cost in s.costs:
        arms = {t.arm: t.inputs for t in EXPERIMENT.trials(s) if t.arm.endswith(cost)}
        wanted = arms[f"resnet-{cost}"][cost]
        assert len(arms) == 8
        assert arms[f"resnet-{cost}"]["options"] == "width=16"  # the paper's
        for network in arms.values():
            assert network[cost] == pytest.approx(wanted, rel=1 / 8)


def test_what_is_trained_is_the_network_of_the_table(tmp_path):
    from minires import storage

    report = EXPERIMENT(**FAST, costs=("parameters",), without_pretraining="plain", out=tmp_path)
    path = tmp_path / "successors" / "plain-parameters-seed1" / "checkpoint.safetensors"
    numbers = report.results["plain-parameters", 1]
    config = storage.load_state(path)["config"]
    assert (config["model"], config["model_options"]) == (numbers["model"], numbers["options"])
    weights = storage.load_checkpoint(path)[0]["model"]
    model = models.create(numbers["model"], in_channels=1, **models.read_options(numbers["options"]))
    assert numbers["parameters"] == sum(weights[name].size for name, _ in model.named_parameters())
    assert report.table.rows[0][2] == f"{numbers['parameters']:,}"


def made_up(errors, guess=90):
    """Results in which each family ends with an error, a little different for each seed."""
    spread = {0: -0.2, 1: 0.0, 2: 0.2}
    return Results(
        {
            (f"{name}-parameters", seed): {"test_error": [guess, error + more * (1 + k)], "guess": guess}
            for k, (name, error) in enumerate(errors.items())
            for seed, more in spread.items()
        }
    )


def compared(errors, **settings):
    s = EXPERIMENT.settings(seeds=3, costs=("parameters",), better=("resnet", "se"), **settings)
    return [part.outcome for part in EXPERIMENT.compare(s, made_up(errors))]


def test_the_verdict_follows_the_errors():
    assert compared({"plain": 20, "resnet": 10, "se": 8, "vit": 30}) == ["held"] * 3
    assert compared({"plain": 5, "resnet": 10, "se": 8, "vit": 30}) == ["refuted", "refuted", "held"]
    assert compared({"plain": 20, "resnet": 10, "se": 8, "vit": 9}) == ["held", "held", "refuted"]
    assert compared({"plain": 20, "resnet": 10, "se": 12, "vit": 30}, base="resnet") == ["undecided", "refuted", "held"]


def test_a_transformer_that_has_not_learned_decides_nothing():
    """Its training was too short for it, which is no word on the network."""
    assert compared({"plain": 20, "resnet": 10, "se": 8, "vit": 80}) == ["held", "held", "undecided"]


def test_a_plain_network_that_fails_is_a_result_and_two_that_fail_are_none():
    assert compared({"plain": 80, "resnet": 10, "se": 70, "vit": 30}) == ["held", "undecided", "held"]


def test_the_figure_has_a_panel_for_each_cost():
    report = EXPERIMENT(**FAST, without_pretraining="plain", costs=tuple(COSTS))
    panels = report.experiment.panels(report.settings, report.results)
    assert [panel.ylabel for panel in panels] == [
        "test error (%), equal parameters",
        "test error (%), equal multiply-adds",
    ]
    assert panels[0].labels == ["plain", "ResNet"]
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    report.figure()
