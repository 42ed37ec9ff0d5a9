"""The experiment on shattered gradients: it can come out every way, and its parts are what they say."""

import numpy as np
import pytest

from minires import Tensor, lab
from minires.lab.experiment import Results
from minires.lab.experiments.gradients import LAGS, Settings, autocorrelation, input_gradient, network

SHORT = {"depths": (2, 30), "width": 50, "inputs": 64, "seeds": 5}


def outcomes(report):
    return [part.outcome for part in report.comparisons]


def test_claim_holds():
    report = lab.gradients(**SHORT)
    assert report.verdict == "held"
    assert set(report.results["plain30", 0]) == {"autocorrelation", "norms", "gradient"}
    assert report.figure() is not None


def test_swapped_networks_refute_it():
    report = lab.gradients(**SHORT, plain="residual", residual="plain")
    assert report.verdict == "refuted"


def test_same_network_in_all_arms_shows_no_difference_and_no_white_noise():
    report = lab.gradients(**SHORT, plain="residual", normalized="residual")
    assert [outcomes(report)[k] for k in (2, 5)] == ["undecided", "undecided"]
    assert [outcomes(report)[k] for k in (1, 4)] == ["refuted", "refuted"]  # it is no white noise
    assert report.verdict == "refuted"
    assert report.figure() is not None


def test_it_does_not_hold_without_shortcuts():
    report = lab.gradients(**SHORT, alpha=0.0)
    assert "held" not in [outcomes(report)[k] for k in (2, 5)]
    assert report.verdict != "held"


def test_each_part_has_its_own_sign():
    s = Settings(depths=(2, 30), seeds=6)

    noise = np.random.default_rng(0)

    def judged(shallow, deep, residual):
        values = {"plain2": shallow, "plain30": deep, "plain-bn2": shallow, "plain-bn30": deep, "residual30": residual}
        numbers = {
            (arm, seed): {"autocorrelation": [1.0, value + 0.01 * noise.random()]}
            for arm, value in {**values, "white-noise": 0.0}.items()
            for seed in range(6)
        }
        return [part.outcome for part in lab.gradients.compare(s, Results(numbers))]

    assert judged(0.9, 0.0, 0.8) == ["held", "held", "held"] * 2
    assert judged(0.0, 0.1, 0.0) == ["refuted", "held", "refuted"] * 2
    assert judged(0.9, 0.5, 0.8) == ["held", "refuted", "held"] * 2
    assert judged(0.9, -0.5, 0.8) == ["held", "refuted", "held"] * 2


def test_same_seed_gives_the_same_numbers():
    first = lab.gradients(**{**SHORT, "seeds": 1})
    again = lab.gradients(**{**SHORT, "seeds": 2})
    assert first.results["residual30", 0] == again.results["residual30", 0]


@pytest.mark.parametrize("kind", ["plain", "plain-bn", "residual"])
def test_gradient_is_that_of_the_summed_output(kind):
    s = Settings(width=5, inputs=LAGS + 2)
    gradient, norms = input_gradient(kind, 3, s, np.random.default_rng(0))
    assert gradient.shape == (s.inputs,)
    assert len(norms) == 3
    x = Tensor(np.linspace(-2, 2, s.inputs)[:, None], requires_grad=True)
    y, layers = network(x, kind, 3, s, np.random.default_rng(0))
    layers[-1].retain_grad()
    y.sum().backward()
    assert norms[-1] == pytest.approx(np.linalg.norm(layers[-1].grad))

    def loss(i, change):
        x = np.linspace(-2, 2, s.inputs)[:, None]
        x[i] += change
        y, _ = network(Tensor(x), kind, 3, s, np.random.default_rng(0))
        return float(y.data.sum())

    for i in (0, 7, 20):
        numeric = (loss(i, 1e-6) - loss(i, -1e-6)) / 2e-6
        assert gradient[i] == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_autocorrelation_of_noise():
    rng = np.random.default_rng(0)
    white = rng.standard_normal(20_000)
    assert autocorrelation(white)[0] == pytest.approx(1)
    assert abs(autocorrelation(white)[1]) < 0.03
    assert autocorrelation(white.cumsum())[1] > 0.99


def test_autocorrelation_of_an_alternating_sequence_is_negative():
    values = autocorrelation(np.tile([1.0, -1.0], 50))
    assert values[1] == pytest.approx(-0.99)
    assert values[2] == pytest.approx(0.98)


@pytest.mark.parametrize("kind", ["plain", "plain-bn", "residual"])
def test_the_networks_are_those_of_the_docstring(kind):
    """Written out here, with weights of the variance 2/fan_in in the order in which they are drawn."""
    s = Settings(width=5, inputs=LAGS + 1, beta=0.3, alpha=0.7)
    grid = np.linspace(-2, 2, s.inputs)[:, None]
    rng = np.random.default_rng(1)
    W = [
        rng.standard_normal((5, 1)) * np.sqrt(2 / 1),
        *(rng.standard_normal((5, 5)) * np.sqrt(2 / 5) for _ in range(2)),
    ]
    w = rng.standard_normal((1, 5)) * np.sqrt(2 / 5)

    def relu_of_normalized(x):
        centered = x - x.mean(axis=0)
        return np.maximum(centered if kind == "plain" else centered / np.sqrt(x.var(axis=0) + 1e-5), 0)

    x = grid @ W[0].T
    for k in (1, 2):
        f = relu_of_normalized(x) @ W[k].T
        x = 0.7 * x + 0.3 * f if kind == "residual" else f
    y, layers = network(Tensor(grid), kind, 3, s, np.random.default_rng(1))
    assert y.data == pytest.approx(relu_of_normalized(x) @ w.T)
    assert layers[-1].data == pytest.approx(x)


def test_the_table_shows_the_gradient_in_the_first_layer_over_that_in_the_last():
    numbers = {"autocorrelation": [1.0, 0.5]}
    arms = ("plain2", "plain-bn2", "residual2", "white-noise", "brown-noise")
    made = {(arm, seed): {**numbers, "norms": [8.0 * 4**seed, 2.0]} for arm in arms for seed in (0, 1)}
    table = lab.gradients.table(Settings(depths=(2,), seeds=2), Results(made))
    assert [row[2] for row in table.rows] == ["8", "8", "8", "", ""]  # √(4·16)
