"""The loss landscape: the verdict comes out every way, trained networks are measured, and the figure shows it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minires import models, storage
from minires.lab.experiment import Results, Trial
from minires.lab.experiments.landscape import Landscape, far, sharpness, start
from minires.lab.running import run
from minires.lab.trained import trained
from minires.plots import Contour, round_levels
from minires.probes import LossSurface, extreme_eigenvalues, hessian_product

SMALL = {"depths": (20,), "epochs": 1, "seeds": 3, "images": 32, "points": 3, "products": 4}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run(Landscape(), out=tmp_path_factory.mktemp("landscape"), **SMALL)


def test_every_direction_of_the_verdict(report):
    experiment, s, results = report.experiment, report.settings, report.results
    as_measured = [comparison.interval[0] for comparison in experiment.compare(s, results)]
    swapped = experiment.compare(replace(s, plain=s.residual, residual=s.plain), results)
    assert [comparison.interval[0] for comparison in swapped] == [-mean for mean in as_measured]
    assert report.comparisons[1].outcome == "held"
    assert swapped[1].outcome == "refuted"


def test_without_the_shortcuts_it_cannot_be_told():
    report = run(Landscape(), **{**SMALL, "depths": (8,), "seeds": 2}, residual="plain")
    assert report.verdict == "undecided"
    assert all(difference == 0 for part in report.comparisons for difference in part.differences)


def test_a_trial_has_the_same_bits_again(report, tmp_path):
    again = run(Landscape(), out=tmp_path, **{**SMALL, "seeds": 1})
    for arm in ("plain20", "resnet20"):
        assert again.results[arm, 0] == report.results[arm, 0]


def test_only_the_first_seed_draws_the_plane_and_its_middle_row_is_the_first_slice(report):
    first, second = (report.results["resnet20", seed] for seed in (0, 1))
    assert np.shape(first["plane"]) == (3, 3)
    assert second["plane"] == []
    assert first["plane"][1] == first["slices"][0]
    assert [row[1] for row in first["plane"]] == pytest.approx(first["slices"][1])
    assert first["slices"][0][1] == first["loss"]


def test_the_numbers_are_those_of_the_claim(report):
    for arm in ("plain20", "resnet20"):
        highest = report.results.of(arm, "highest")
        assert (highest > 0).all()
        assert (report.results.of(arm, "lowest") < highest).all()
        assert sharpness(report.results, arm) == pytest.approx(np.log10(highest))
        ends = [np.log10([s[0], s[-1]]) for s in report.results[arm, 1]["slices"]]
        assert far(report.results, arm)[1] == pytest.approx(np.mean(ends))


def test_the_figure_has_a_plane_for_each_network_on_the_same_levels(report, tmp_path):
    panels = report.experiment.panels(report.settings, report.results)
    contours = [panel for panel in panels if isinstance(panel, Contour)]
    assert [panel.title for panel in contours] == ["loss of plain20, seed 0", "loss of resnet20, seed 0"]
    assert [panel.kind for panel in contours] == ["plain", "residual"]
    for panel, arm in zip(contours, ("plain20", "resnet20")):
        np.testing.assert_array_equal(panel.z, report.results[arm, 0]["plane"])  # a row for each step along η
    assert len({tuple(panel.levels) for panel in contours}) == 1
    report.figure(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_ratio_of_the_eigenvalues_is_above_zero_where_the_surface_is_not_convex(report):
    made = {
        (arm, seed): {**report.results[arm, seed], "lowest": -1.0, "highest": 4.0}
        for arm in ("plain20", "resnet20")
        for seed in range(3)
    }
    table = report.experiment.table(replace(report.settings, products=100), Results(made))
    assert {row[table.columns.index("−λ_min/λ_max")] for row in table.rows} == {"0.25"}


def with_losses(report, plain, residual):
    """The same results, where the loss at the weights is another."""
    measured = report.results.as_dict()
    numbers = {
        (arm, int(seed)): {**measured[arm][seed], "loss": loss}
        for arm, loss in (("plain20", plain), ("resnet20", residual))
        for seed in measured[arm]
    }
    return report.experiment.table(report.settings, Results(numbers))


def test_the_loss_at_the_weights_stands_beside_and_a_large_difference_is_named(report):
    loss = report.results.of("plain20", "loss")
    assert start(report.results, "plain20") == pytest.approx(np.exp(np.log(loss).mean()))
    table = with_losses(report, 0.3, 0.1)
    assert table.columns[1] == "loss L₀ at the weights"
    assert [row[1] for row in table.rows] == ["0.3", "0.1"]
    assert "L₀ of plain20 is 3 times that of resnet20" in table.note
    assert "0.33 times" in with_losses(report, 0.1, 0.3).note
    assert "times" not in with_losses(report, 0.15, 0.1).note


def test_the_curvature_is_that_of_the_training_images_in_filters_lengths(report, tmp_path):
    """One product of a trial, from its checkpoint: D·H·D·v by differences of the gradient, D the filters' lengths."""
    folder = tmp_path / "again"
    run(Landscape(), out=folder, **{**SMALL, "seeds": 1})
    trial = Trial("resnet20", 0, inputs={"file": str(folder / "landscape/resnet20-seed0/checkpoint.safetensors")})
    s = report.settings
    network = trained(trial, s, None)
    surface = LossSurface(network.model, *network.train_batch(s.images))
    assert surface.loss(surface.w0) == pytest.approx(report.results["resnet20", 0]["loss"])
    sizes = surface.filter_norms()
    rng = np.random.default_rng(0)
    directions = [surface.random_direction(rng) for _ in range(s.directions)]
    assert surface.loss(surface.w0 + directions[1]) == pytest.approx(report.results["resnet20", 0]["slices"][1][-1])

    def product(v):
        return sizes * hessian_product(surface.gradient, surface.w0, sizes * v)

    found = extreme_eigenvalues(product, len(surface.w0), steps=s.products, rng=rng)
    measured = report.results["resnet20", 0]
    assert found == pytest.approx((measured["lowest"], measured["highest"]))


@pytest.fixture
def own_files(tmp_path):
    paths = []
    for name in ("plain8", "resnet8"):
        for seed in (0, 1):
            path = tmp_path / f"{name}-seed{seed}.safetensors"
            storage.save(path, models.create(name, in_channels=1, rng=seed).state_dict())
            paths.append(str(path))
    return paths


def test_networks_from_files_are_measured_and_none_is_trained(own_files, tmp_path):
    out = tmp_path / "out"
    few = {"images": 16, "points": 3, "products": 2}
    report = run(Landscape(), out=out, depths=(8,), weights=tuple(own_files), **few)
    assert report.results.seeds("plain8") == report.results.seeds("resnet8") == [0, 1]
    assert not list(out.rglob("checkpoint.safetensors"))
    assert json.loads((out / "landscape.json").read_text())["settings"]["weights"] == own_files
    text = (out / "landscape.md").read_text()
    assert "over 2 seeds" in text
    assert "2 networks of each kind from files" in text
    assert "--depths 8 --images 16 --points 3 --products 2`" in text
    how = text[text.index("Settings: ") :]
    assert not {"seeds", "epochs", "lr", "batch_size"} & set(how.replace(",", "").split())


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [
        (0.15, 3.0, [0.2, 0.5, 1, 2]),
        (0.05, 300, [0.1, 0.3, 1, 3, 10, 30, 100]),
        (0.5, 3e7, [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7]),
        (1e-9, 1e9, [1e-8, 1e-6, 1e-4, 1e-2, 1, 100, 1e4, 1e6, 1e8]),
        (2.1, 4.9, []),
    ],
)
def test_levels_are_few_round_numbers(low, high, levels):
    assert round_levels(low, high) == levels
