"""Intervals and verdicts."""

import math

import numpy as np
import pytest

from minires.lab.statistics import T_975, Comparison, interval, verdict_of


def test_the_quantiles_of_t_are_those_of_its_distribution():
    """Checked by integrating the density from the quantile on: 2.5 % must remain."""
    for degrees, t in enumerate(T_975, start=1):
        c = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))
        angle = np.linspace(0, math.atan(t), 200_001)  # x = tan(angle), so the range is finite
        density = c * (1 + np.tan(angle) ** 2 / degrees) ** (-(degrees + 1) / 2) / np.cos(angle) ** 2
        inside = 2 * np.sum((density[1:] + density[:-1]) / 2 * np.diff(angle))
        # the table has three decimals: an error of 0.0005 on both sides, where the density is at most 0.06
        assert inside == pytest.approx(0.95, abs=6e-5), degrees


def test_the_interval_of_a_known_sample():
    mean, low, high = interval([1.0, 2.0, 3.0, 4.0, 5.0])  # s = √2.5, t = 2.776, so ± 1.963
    assert (mean, low, high) == (3.0, pytest.approx(1.037, abs=1e-3), pytest.approx(4.963, abs=1e-3))


def test_the_interval_holds_the_mean_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(4000):
        _, low, high = interval(rng.normal(3.0, 2.0, 5))
        inside += low < 3.0 < high
    assert inside / 4000 == pytest.approx(0.95, abs=0.012)  # 3.5 standard deviations of a frequency


@pytest.mark.parametrize(
    ("differences", "margin", "outcome"),
    [
        ((1.0, 1.1, 0.9), 0.0, "held"),
        ((-1.0, -1.1, -0.9), 0.0, "refuted"),
        ((1.0, -1.0, 0.5), 0.0, "undecided"),
        ((1.0, 1.1, 0.9), 2.0, "refuted"),
        ((0.0, 0.0, 0.0), 0.0, "undecided"),  # the same network in both arms
        ((5.0,), 0.0, "undecided"),  # one seed shows no spread
        ((1.0, math.nan, 1.0), 0.0, "undecided"),
        ((1.0, math.inf, 1.0), 0.0, "undecided"),
        ((2.0, 2.0, 2.0), 1.0, "undecided"),  # a measurement that ignores its seed
        ((2.0,) * 20, 1.0, "undecided"),
        ((-12.5, -12.5), 0.0, "undecided"),  # errors on 8 images
        ((0.0, 0.0), -2.0, "undecided"),
        ((1.0, 1.0 - 2e-16, 1.0), 0.0, "undecided"),  # equal but for rounding
    ],
)
def test_a_part_of_a_claim_is_decided_by_its_whole_interval(differences, margin, outcome):
    assert Comparison("it", differences, margin=margin).outcome == outcome


@pytest.mark.parametrize(
    ("differences", "margin", "outcome"),
    [
        ((2.0,) * 5, 0.0, "undecided"),  # 5 equal signs come by chance once in 16
        ((2.0,) * 6, 0.0, "held"),
        ((2.0,) * 6, 3.0, "refuted"),
        ((0.0,) * 6, 0.0, "undecided"),
        ((2.0, 2.0, 3.0), 1.0, "undecided"),
        ((2.0, 2.0, 2.1), 0.0, "undecided"),
        ((200 / 9, 100 - 700 / 9, 22.22222222222222), 0.0, "undecided"),
        ((2.0, 2.0, 2.0, 2.0, 2.0, 3.0), 1.0, "held"),
    ],
)
def test_differences_of_coarse_numbers_decide_from_six_on(differences, margin, outcome):
    assert Comparison("it", differences, margin=margin, coarse=True).outcome == outcome


def test_why_nothing_is_decided_is_printed():
    few = "undecided (coarse numbers decide from 6 seeds on)"
    assert str(Comparison("it", (2.0, 2.0), "blocks", coarse=True)) == f"it: +2 blocks [all equal]: {few}"
    assert str(Comparison("it", (2.0,), coarse=True)) == "it: +2 [-inf, inf]: undecided"
    equal = "undecided (no seed differs from another)"
    assert str(Comparison("it", (2.0, 2.0), "%")) == f"it: +2 % [all equal]: {equal}"
    assert str(Comparison("it", (1.0, math.nan), reason="it broke")).endswith("number: undecided (it broke)")
    assert str(Comparison("it", (1.0, 1.1), reason="it broke")).endswith("undecided (it broke)")


def test_one_refuted_part_refutes_the_claim_and_one_undecided_part_leaves_it_open():
    held, refuted, undecided = (Comparison("it", d) for d in ((1.0, 1.0, 1.01), (-1.0, -1.1), (1.0, -1.0)))
    assert verdict_of([held, held]) == "held"
    assert verdict_of([held, undecided]) == "undecided"
    assert verdict_of([held, undecided, refuted]) == "refuted"


def test_a_part_that_cannot_be_judged_says_so_instead_of_nan():
    text = str(Comparison("a above b", (1.0, float("nan"))))
    assert text == "a above b: not every seed gave a finite number: undecided"
