"""The experiment on ensembles can come out every way."""

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.lab import Results
from minires.lab.experiments.ensembles import largest_step


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ensembles")


@pytest.fixture(scope="module")
def report(folder):
    return lab.ensembles(seeds=3, members=2, draws=3, out=folder)


def load(name, path):
    model = models.create(name, in_channels=1).eval()
    model.load_state_dict(storage.load_checkpoint(path / "checkpoint.safetensors")[0]["model"])
    return model


def test_a_residual_network_loses_blocks_as_an_ensemble_loses_members(report):
    assert report.verdict in ("held", "undecided")
    assert all(part.interval[0] > 0 for part in report.comparisons)
    ensemble = report.results["2xresnet8", 0]
    assert ensemble["removed"] == [0, 0.5]
    assert len(report.results["plain20", 0]["errors"]) == len(report.results["resnet20", 0]["errors"]) == 5
    assert len(report.figure().axes) == 1


def test_swapped_networks_turn_the_verdict(report, again):
    swapped = again(report, plain="resnet20", residual="plain20")
    held = any(part.outcome == "held" for part in report.comparisons)
    assert swapped.verdict == ("refuted" if held else "undecided")
    for part, before in zip(swapped.comparisons, report.comparisons):
        assert np.allclose(part.differences, -np.array(before.differences))


def test_the_error_of_the_ensemble_is_that_of_its_members(report, folder):
    _, test_set = data.load("digits")
    images, labels = next(iter(data.ArrayLoader(test_set, len(test_set))))
    place = folder / "ensembles" / "2xresnet8-seed1"
    logits = [load("resnet8", place / f"member{k}")(images).data.astype(float) for k in range(2)]
    assert not np.allclose(*logits)  # they have different seeds
    odds = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in logits]
    alone = [100 * (p.argmax(axis=1) != labels).mean() for p in odds]
    together = 100 * ((odds[0] + odds[1]).argmax(axis=1) != labels).mean()
    assert report.results["2xresnet8", 1]["errors"] == pytest.approx([together, np.mean(alone)])


def test_a_deep_network_loses_random_blocks_of_its_seed(report, folder):
    _, test_set = data.load("digits")
    images, labels = next(iter(data.ArrayLoader(test_set, len(test_set))))
    for arm in ("plain20", "resnet20"):
        model = load(arm, folder / "ensembles" / f"{arm}-seed1")
        blocks = [block for stage in (model.layer1, model.layer2, model.layer3) for block in stage]
        rng = np.random.default_rng(1)
        curves = []
        for _ in range(3):
            order = rng.permutation([0, 1, 2, 4, 5, 7, 8]).tolist()  # 3 and 6 change the shape
            curves.append([])
            for k in range(5):
                for i, block in enumerate(blocks):
                    block.active = i not in order[:k]
                curves[-1].append(100 * (model(images).data.argmax(axis=1) != labels).mean())
        assert report.results[arm, 1]["errors"] == pytest.approx(np.mean(curves, axis=0))


def test_the_claim_is_a_smaller_jump_and_a_smaller_distance_on_the_way_to_guessing():
    removed = [0, 1 / 4, 1 / 2]
    jumping = {"removed": removed, "errors": [50, 90, 90], "chance": 90}  # by 100 and 100 %
    ensemble = {"removed": [0, 1 / 2], "errors": [10, 26], "chance": 90}  # by 10 and 20 %
    numbers = {}
    for seed in range(6):
        own = seed * 1e-6  # so that no two seeds are equal
        smooth = {"removed": removed, "errors": [10, 20 + own, 30 + 2 * own], "chance": 90}  # rises by 12.5 and 25 %
        numbers |= {("resnet20", seed): smooth, ("plain20", seed): jumping, ("2xresnet8", seed): ensemble}
    s = lab.ensembles.settings(members=2)
    swapped = lab.ensembles.settings(members=2, plain="resnet20", residual="plain20")
    assert [part.outcome for part in lab.ensembles.compare(swapped, Results(numbers))] == ["refuted", "refuted"]
    jump, distance = lab.ensembles.compare(s, Results(numbers))
    assert jump.differences == pytest.approx([100 - 12.5] * 6)
    assert distance.differences == pytest.approx([(90 + 80) / 2 - (2.5 + 5) / 2] * 6)
    assert jump.outcome == distance.outcome == "held"


def test_same_network_in_both_parts_decides_nothing(report, again):
    same = again(report, plain="resnet20")
    assert [part.outcome for part in same.comparisons] == ["undecided"] * 2


def test_without_shortcuts_it_does_not_hold(report, again):
    cut = again(report, residual="plain20")
    assert [part.outcome for part in cut.comparisons] == ["undecided"] * 2


def test_a_part_of_a_place_has_its_own_folder_and_a_part_of_the_progress(tmp_path):
    seen = []
    part = lab.Place(tmp_path, seen.append).part("member1", 0.25, 0.75)
    for fraction in (0, 0.5, 1):
        part.progress(fraction)
    assert seen == [0.25, 0.5, 0.75]
    assert part.folder == tmp_path / "member1"


def test_the_largest_step_is_a_rise_and_not_a_fall():
    numbers = {"errors": [10, 30, 90, 10], "chance": 90}
    assert largest_step(Results({("resnet20", 0): numbers}), "resnet20") == pytest.approx([75])
