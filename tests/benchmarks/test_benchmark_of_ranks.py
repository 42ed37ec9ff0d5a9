"""The model of weak scaling, and what it is drawn from."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of the installed package
from benchmarks import ranks
from minires import models, parallel
from minires.nn import count_parameters

ONE = {
    "ranks": 1,
    "step": 0.1,
    "compute": 0.1,
    "wait": 0.0,
    "norms": 0.0,
    "gradients": 0.0,
    "exchanges": 40,
    "norm_bytes": 1000,
    "gradient_bytes": 10**6,
    "buckets": 2,
    "augment": 1e-5,
}


def test_the_model_is_that_of_thakur_rabenseifner_and_gropp():
    assert ranks.norms(8, ONE, 1e-3, 1e6) == pytest.approx(40 * 1e-3 * 3 + 7 * 1000 / 1e6)
    assert ranks.gradients(8, ONE, 1e-3, 1e6) == pytest.approx(2 * 2 * 1e-3 * 3 + 2 * 7 / 8)
    assert ranks.step(8, ONE, 1e-3, 1e6) == pytest.approx(0.1 + 0.127 + 1.762)


def test_one_rank_exchanges_nothing():
    assert ranks.step(1, ONE, 1e-3, 1e6) == pytest.approx(0.1)


def test_a_step_is_no_shorter_than_the_augmentation_of_its_batch():
    assert ranks.step(1024, ONE, 0, float("inf")) == pytest.approx(1024 * ranks.IMAGES * 1e-5)


def test_the_parts_of_a_measured_step_are_counted(monkeypatch):
    monkeypatch.setattr(ranks, "NETWORK", "resnet8")
    monkeypatch.setattr(ranks, "IMAGES", 4)
    before = ranks.kernels.get_num_threads()
    try:
        found = ranks.measure(parallel.Alone(), 1)
    finally:
        ranks.kernels.set_num_threads(before)
    # seven norms of resnet8, each forward and backward; the loss; the running statistics
    assert found["exchanges"] == 2 * 7 + 2
    assert found["step"] == pytest.approx(sum(found[part] for part in ranks.PARTS))
    assert found["wait"] == 0
    assert found["gradient_bytes"] == 4 * count_parameters(models.create("resnet8"))
    assert found["augment"] > 0


def test_the_picture_needs_a_measurement_of_one_rank(tmp_path, capsys):
    (tmp_path / "two.json").write_text('{"ranks": 2}')
    assert ranks.main(["--draw", str(tmp_path / "two.json")]) == 2
    assert "one rank" in capsys.readouterr().err
    ranks.draw([ONE, {**ONE, "ranks": 2, "step": 0.12, "norms": 0.02}], tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 10_000
