"""The experiment on ensembles can come out every way."""

import numpy as np
import pytest

from minires import lab


@pytest.fixture(scope="module")
def report():
    return lab.ensembles(seeds=3, members=2, draws=3)


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


def test_same_network_in_both_parts_decides_nothing(report, again):
    same = again(report, plain="resnet20")
    assert [part.outcome for part in same.comparisons] == ["undecided"] * 2


def test_a_part_of_a_place_has_its_own_folder_and_a_part_of_the_progress(tmp_path):
    seen = []
    part = lab.Place(tmp_path, seen.append).part("member1", 0.25, 0.75)
    for fraction in (0, 0.5, 1):
        part.progress(fraction)
    assert seen == [0.25, 0.5, 0.75]
    assert part.folder == tmp_path / "member1"
