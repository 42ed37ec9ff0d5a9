"""The lesion experiment can come out every way, and measures networks from files as it measures its own."""

import numpy as np
import pytest

from minires import lab, storage
from minires.errors import CheckpointError, OptionError
from minires.lab.trained import model_of


@pytest.fixture(scope="module")
def report(trained_folder):
    return lab.lesion(seeds=3, draws=2, swaps=2, out=trained_folder, resume=True)


def outcomes(report):
    return [part.outcome for part in report.comparisons]


def test_deleting_a_block_costs_the_plain_network_more(report):
    assert outcomes(report)[:2] == ["held", "held"]
    assert report.verdict != "refuted"
    numbers = report.results["resnet20", 0]
    assert len(numbers["single"]) == 9
    assert report.results["plain20", 0]["single"][3] is None  # this block changes the shape
    assert numbers["several"][0] == numbers["swapped"][0] == numbers["intact"]
    assert numbers["kendall_tau"][0] == 1


def test_swapped_networks_refute_it(report, again):
    assert again(report, plain="resnet20", residual="plain20").verdict == "refuted"


def test_same_network_in_both_parts_decides_nothing(report, again):
    same = again(report, plain="resnet20")
    assert [outcomes(same)[k] for k in (0, 2, 3)] == ["undecided"] * 3
    assert same.verdict == "undecided"


def test_without_shortcuts_it_does_not_hold(report, again):
    cut = again(report, residual="plain20")
    assert outcomes(cut)[1] == "refuted"  # a deleted block brings it to chance
    assert cut.verdict == "refuted"


def test_networks_that_cannot_lose_the_same_blocks_are_refused():
    for size in lab.lesion.sizes:
        lab.lesion.trials(lab.lesion.settings(size))
    with pytest.raises(OptionError, match="plain8 and resnet20 cannot lose the same blocks"):
        lab.lesion(plain="plain8")


def test_figure_and_table_show_every_network(report):
    assert len(report.figure().axes) == 4  # one is empty
    assert [row[0] for row in report.table.rows] == ["plain20", "resnet20"]


def test_networks_from_files_give_the_same_numbers(report, files):
    from_files = lab.lesion(draws=2, swaps=2, weights=files)
    assert from_files.results.as_dict() == report.results.as_dict()


def test_bare_weights_are_recognized_by_their_name(report, files, tmp_path):
    paths = []
    for name, file in (("plain20-mine", files[0]), ("resnet20", files[3])):
        paths.append(str(tmp_path / f"{name}.safetensors"))
        storage.save(paths[-1], storage.load_checkpoint(file)[0]["model"])
    found = lab.lesion(draws=2, swaps=2, weights=tuple(paths))
    assert found.results["resnet20", 0] == report.results["resnet20", 0]
    assert found.verdict == "undecided"  # one seed shows no spread


def test_unfit_files_are_refused(files, tmp_path):
    with pytest.raises(OptionError, match="give each network equally many files"):
        lab.lesion(weights=files[:4])
    with pytest.raises(OptionError, match="is a plain20; this experiment compares plain8 and resnet20"):
        lab.lesion(weights=files, plain="plain8")
    nameless = tmp_path / "mine.safetensors"
    storage.save(nameless, {"w": np.zeros(3, np.float32)})
    with pytest.raises(OptionError, match="does not say of which model it is"):
        model_of(nameless)
    wrong = tmp_path / "resnet20.safetensors"
    storage.save(wrong, {"w": np.zeros(3, np.float32)})
    with pytest.raises(CheckpointError, match="does not fit resnet20 on digits"):
        lab.lesion(weights=(files[0], str(wrong)))
