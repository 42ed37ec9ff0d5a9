"""lab/experiments/batchnorm.py: the verdict comes out every way, and divergence is a result."""

import math

import numpy as np
import pytest

from minires import data, ops, storage
from minires.errors import OptionError
from minires.lab import EXPERIMENTS, Place, Results
from minires.lab.experiments.batchnorm import highest_rate, mean_over_steps, smoothness
from minires.probes import along_gradient
from minires.train.config import Config
from minires.train.setup import load_data, make_model

EXPERIMENT = EXPERIMENTS["batchnorm"]
FAST = {"epochs": 3, "lrs": (0.03, 0.3), "steps": 2, "every": 2, "seeds": 1}


def test_without_batch_norm_a_network_does_not_train_at_a_rate_at_which_it_does_with_it():
    report = EXPERIMENT(**FAST)
    np.testing.assert_allclose(report.comparisons[0].differences, 1)  # decades
    swapped = EXPERIMENT(**FAST, with_norm="norm=None", without_norm="norm='batch'")
    for ours, theirs in zip(report.comparisons, swapped.comparisons, strict=True):
        np.testing.assert_allclose(ours.differences, -np.array(theirs.differences))


def test_the_same_network_in_both_parts_decides_nothing():
    report = EXPERIMENT(epochs=1, limit=64, lrs=(0.01, 0.1), steps=2, every=1, seeds=2, without_norm="norm='batch'")
    assert report.verdict == "undecided"
    assert {d for comparison in report.comparisons[1:] for d in comparison.differences} == {0}
    s = EXPERIMENT.settings(lrs=(0.1, 1.0), seeds=6)
    highest = EXPERIMENT.compare(s, made({"with": (10, 80), "without": (10, 80)}))[0]
    assert highest.differences == (0,) * 6
    assert highest.outcome == "undecided"


def test_without_batch_norm_in_either_network_it_does_not_hold():
    report = EXPERIMENT(epochs=1, limit=64, lrs=(0.01, 0.1), steps=2, every=1, seeds=2, with_norm="norm=None")
    assert report.verdict == "undecided"
    assert {d for comparison in report.comparisons[1:] for d in comparison.differences} == {0}


def test_the_training_error_is_that_of_the_part_and_the_rate(tmp_path):
    report = EXPERIMENT(epochs=2, limit=64, lrs=(0.01, 0.1), steps=2, every=1, seeds=1, out=tmp_path)
    state = storage.load_state(tmp_path / "batchnorm" / "without-lr0.1-seed0" / "checkpoint.safetensors")
    assert (state["config"]["lr"], state["config"]["model_options"]) == (0.1, "norm=None")
    errors = [100 * (1 - row["train_accuracy"]) for row in state["history"]]
    assert report.results["without-lr0.1", 0]["train_error"] == errors


def made(errors, **smooth):
    """Results of two learning rates, with six seeds. errors: those of the lower and the higher one, for each part."""
    numbers = {}
    for part in ("with", "without"):
        for seed in range(6):
            of = smooth.get(f"{part}_", {"variation": [1.0], "beta": [1.0]})
            scale = 1 + 1e-3 * seed * (part == "with")  # so that no two seeds are equal
            numbers[f"{part}-smoothness", seed] = {key: [scale * value[0]] for key, value in of.items()}
            for lr, error in zip((0.1, 1.0), errors[part]):
                curve = [1, error]  # an epoch before the last does not count
                numbers[f"{part}-lr{lr!r}", seed] = {"train_error": curve, "guess": 90, "diverged": False}
    return Results(numbers)


def test_each_part_of_the_claim_has_its_side():
    s = EXPERIMENT.settings(lrs=(0.1, 1.0), seeds=6)
    smooth = {"with_": {"variation": [0.1], "beta": [1.0]}, "without_": {"variation": [1.0], "beta": [1000.0]}}
    parts = EXPERIMENT.compare(s, made({"with": (10, 44), "without": (10, 46)}, **smooth))
    for part, decades in zip(parts, (1, 1, 3), strict=True):
        assert part.differences == pytest.approx([decades] * 6, abs=0.01)
        assert part.outcome == "held"
    swapped = made({"with": (10, 46), "without": (10, 44)}, with_=smooth["without_"], without_=smooth["with_"])
    assert [part.outcome for part in EXPERIMENT.compare(s, swapped)] == ["refuted"] * 3


def test_a_batch_that_the_limit_cannot_fill_is_refused_before_a_trial_runs():
    with pytest.raises(OptionError, match="at most the limit, 3, got 64"):
        EXPERIMENT.trials(EXPERIMENT.settings(limit=3))


def test_two_rates_are_two_trials_however_close_they_are():
    names = [trial.name for trial in EXPERIMENT.trials(EXPERIMENT.settings(lrs=(0.1, 0.1 + 1e-9)))]
    assert len(set(names)) == len(names)


def test_a_network_that_trains_at_no_rate_decides_nothing():
    s = EXPERIMENT.settings(lrs=(0.1, 1.0), seeds=6)
    results = made({"with": (10, 44), "without": (80, 90)})
    assert highest_rate(s, results, "with").tolist() == [1] * 6
    assert np.isnan(highest_rate(s, results, "without")).all()
    assert EXPERIMENT.compare(s, results)[0].outcome == "undecided"


def test_smoothness_is_that_of_the_training_mode_between_half_and_four_times_the_rate(tmp_path):
    s = EXPERIMENT.settings(limit=64, batch_size=64, lr=0.2, steps=2, every=2, seeds=1)
    found = smoothness(Place(tmp_path), s, s.with_norm, seed=3)
    config = Config(dataset="digits", model=s.model, model_options=s.with_norm, limit=64, seed=3)
    train_set, _ = load_data(config)
    images, labels = next(iter(data.ArrayLoader(train_set, 64)))  # all of them, so the order has no part
    model = make_model(config, train_set)
    w = {name: p.data.copy() for name, p in model.named_parameters()}

    def loss_and_gradient(eta, g):
        for name, p in model.named_parameters():
            p.data[...] = w[name] - eta * g[name] if g else w[name]
            p.grad = None
        loss = ops.cross_entropy(model.train()(images), labels)
        loss.backward()
        return loss.item(), {name: p.grad.copy() for name, p in model.named_parameters()}

    loss, g = loss_and_gradient(0, None)
    norm = math.sqrt(sum((a.astype(float) ** 2).sum() for a in g.values()))
    losses, betas = [loss], []
    for eta in (0.1, 0.2, 0.4, 0.8):
        there, gradient = loss_and_gradient(eta, g)
        losses.append(there)
        betas.append(math.sqrt(sum(((gradient[k] - g[k]).astype(float) ** 2).sum() for k in g)) / (eta * norm))
    assert found["variation"] == pytest.approx([max(losses) - min(losses)], rel=1e-3)
    assert found["beta"] == pytest.approx([max(betas)], rel=1e-3)


def test_the_steps_are_those_of_sgd_with_momentum_over_shuffled_batches(tmp_path):
    s = EXPERIMENT.settings(limit=64, batch_size=32, lr=0.05, steps=3, every=1, seeds=1)
    found = smoothness(Place(tmp_path), s, s.with_norm, seed=3)
    config = Config(dataset="digits", model=s.model, model_options=s.with_norm, limit=64, seed=3)
    train_set, _ = load_data(config)
    model = make_model(config, train_set).train()
    loader = data.ArrayLoader(train_set, 32, seed=3, shuffle=True)
    batches = [*loader.epoch(0), next(iter(loader.epoch(1)))]  # two steps are an epoch
    v = {name: 0 for name, _ in model.named_parameters()}
    for k, (images, labels) in enumerate(batches):
        here = along_gradient(model, images, labels, np.geomspace(0.025, 0.2, 4).tolist())
        assert found["variation"][k] == pytest.approx(here.variation, rel=1e-4)
        assert found["beta"][k] == pytest.approx(here.beta, rel=1e-4)
        for p in model.parameters():
            p.grad = None
        ops.cross_entropy(model(images), labels).backward()
        for name, p in model.named_parameters():
            v[name] = 0.9 * v[name] + p.grad
            p.data[...] = p.data - 0.05 * v[name]


def test_a_network_that_diverges_is_measured_until_then(tmp_path):
    s = EXPERIMENT.settings(limit=128, lr=1e6, steps=12, every=2)
    found = smoothness(Place(tmp_path), s, s.without_norm, seed=0)
    assert len(found["beta"]) == len(found["variation"]) == 6
    assert math.isnan(found["beta"][-1])


def test_the_mean_over_steps_is_geometric_and_of_finite_values():
    values = np.array([[10.0, 1000.0, np.nan, np.inf], [np.nan] * 4])
    np.testing.assert_allclose(mean_over_steps(values), [2, np.nan])
