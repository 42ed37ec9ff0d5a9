"""A trial's numbers depend on its seed: in all experiments, in what is trained and in what is drawn at random."""

import re

import numpy as np
import pytest

from minires import models, storage
from minires.lab import EXPERIMENTS

TRAINING = {"epochs": 1, "limit": 96, "batch_size": 32}
QUICK = {
    "batchnorm": {**TRAINING, "lrs": (0.01, 0.1), "steps": 2, "every": 1},
    "degradation": {**TRAINING, "depths": (8, 14)},
    "effective-depth": {**TRAINING, "networks": ("resnet8", "resnet14")},
    "ensembles": {**TRAINING, "members": 2, "plain": "plain14", "residual": "resnet14"},
    "gradients": {"depths": (2, 3), "width": 8, "inputs": 32},
    "initialization": {**TRAINING, "blocks": 2, "depth": 20, "images": 8},
    "landscape": {**TRAINING, "depths": (8,), "images": 8, "points": 3, "products": 2},
    "lesion": {**TRAINING, "plain": "plain14", "residual": "resnet14", "draws": 1, "swaps": 2},
    "paths": {**TRAINING, "plain": "plain8", "residual": "resnet8", "images": 8, "samples": 2},
    "responses": {**TRAINING, "depths": (8,), "images": 32},
    "shortcuts": {**TRAINING, "depth": 8},
    "stochastic-depth": {**TRAINING, "depth": 8},
    "successors": {**TRAINING, "better": ("se",), "costs": ("parameters",)},
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_another_seed_gives_other_trainings_and_other_numbers(name, tmp_path):
    report = EXPERIMENTS[name](**QUICK[name], seeds=2, out=tmp_path)
    for arm, numbers in report.results.as_dict().items():
        assert numbers["0"] != numbers["1"], arm
    trained = {}
    for path in tmp_path.rglob("checkpoint.safetensors"):
        trial, *part = path.relative_to(tmp_path / name).parts[:-1]
        arm, seed = re.fullmatch(r"(.+)-seed(\d+)", trial).groups()
        trained.setdefault(arm, []).append((int(seed), storage.load_state(path)["config"]["seed"], part))
    assert bool(trained) == EXPERIMENTS[name].needs_data
    for arm, seeds in trained.items():
        if arm == "2xresnet8":  # an ensemble has several networks, and no two are the same
            assert sorted(used for _, used, _ in seeds) == [0, 1, 2, 3]
        else:
            assert all(used == seed for seed, used, _ in seeds), arm


@pytest.fixture
def same_files(tmp_path):
    """Files of the same networks for two seeds, so that nothing but what is drawn at random can differ."""
    paths = []
    for name in ("plain8", "resnet8"):
        paths.append(str(tmp_path / f"{name}.safetensors"))
        storage.save(paths[-1], models.create(name, in_channels=1, rng=0).state_dict())
    return tuple(path for path in paths for _ in range(2))


def test_the_seed_draws_the_directions_of_a_landscape(same_files):
    report = EXPERIMENTS["landscape"](depths=(8,), images=8, points=3, products=2, weights=same_files)
    first, second = (report.results["resnet8", seed] for seed in (0, 1))
    assert first["loss"] == second["loss"]
    assert first["slices"] != second["slices"]


def test_the_seed_draws_the_paths_whose_gradient_is_measured(same_files):
    quick = {"plain": "plain8", "residual": "resnet8", "images": 8, "samples": 2}
    report = EXPERIMENTS["paths"](**quick, weights=same_files)
    first, second = (report.results["resnet8", seed] for seed in (0, 1))
    np.testing.assert_array_equal(first["share_of_exact_sums"], second["share_of_exact_sums"])
    assert first["norm_of_a_path"] != second["norm_of_a_path"]
