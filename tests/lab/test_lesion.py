"""The lesion experiment can come out every way, and measures networks from files as it measures its own."""

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.errors import CheckpointError, OptionError
from minires.lab import Results
from minires.lab.trained import model_of, way_to_guessing
from minires.probes import Lesions


@pytest.fixture(scope="module")
def report(trained_folder):
    return lab.lesion(seeds=3, draws=2, swaps=2, out=trained_folder, resume=True)


def outcomes(report):
    return [part.outcome for part in report.comparisons]


def test_deleting_a_block_costs_the_plain_network_more(report, again):
    assert outcomes(report)[0] == "held"
    assert report.verdict != "refuted"
    assert outcomes(again(report, little=60.0))[1] == "held"
    assert outcomes(again(report, little=1.0))[1] == "refuted"
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


@pytest.mark.parametrize("file", [1, 4], ids=["plain20", "resnet20"])
def test_the_numbers_are_test_errors_without_the_blocks_that_the_seed_draws(file, report, files):
    arm = ("plain20", "resnet20")[file // 3]
    model = models.create(arm, in_channels=1)
    model.load_state_dict(storage.load_checkpoint(files[file])[0]["model"])
    model.eval()
    stages = (model.layer1, model.layer2, model.layer3)
    blocks = [block for stage in stages for block in stage]
    _, test_set = data.load("digits")
    images, labels = next(iter(data.ArrayLoader(test_set, len(test_set))))

    def error(deleted=(), order=range(9)):
        for place, i in enumerate(order):
            stages[place // 3][place % 3] = blocks[i]
        for i, block in enumerate(blocks):
            block.active = i not in deleted
        return 100 * (model(images).data.argmax(axis=1) != labels).mean()

    lesions = Lesions(model, images, labels)  # for its random orders only
    rng = np.random.default_rng(1)
    several, swapped = [], []
    for _ in range(2):
        chosen = rng.permutation([0, 1, 2, 4, 5, 7, 8]).tolist()  # 3 and 6 change the shape
        orders = [list(range(9)), *[lesions.shuffled(k, rng) for k in (1, 2)]]
        several.append([error(chosen[:k]) for k in range(4)])
        swapped.append([error(order=order) for order in orders])
    numbers = report.results[arm, 1]
    assert numbers["intact"] == pytest.approx(error())
    assert numbers["single"][4] == pytest.approx(error([4]))
    assert numbers["several"] == pytest.approx(np.mean(several, axis=0))
    assert numbers["swapped"] == pytest.approx(np.mean(swapped, axis=0))


def test_each_part_of_the_claim_is_a_smaller_cost_in_the_residual_network():
    def numbers(one, two, swap):
        """Costs in % of the way from 10 % to guessing; the block that changes the shape has no part."""
        one, two, swap = (10 + 0.8 * cost for cost in (one, two, swap))
        single = [one, 90.0, one]
        return {
            "intact": 10,
            "chance": 90,
            "alike": [0, 2],
            "single": single,
            "several": [10, two],
            "swapped": [10, swap],
        }

    made = {}
    for seed in range(6):
        made |= {("plain20", seed): numbers(90, 95, 80), ("resnet20", seed): numbers(20 + seed * 1e-7, 30, 10)}
    s = lab.lesion.settings(little=25.0)
    parts = lab.lesion.compare(s, Results(made))
    for part, expected in zip(parts, (70, 5, 65, 70), strict=True):
        assert part.differences == pytest.approx([expected] * 6)
    s = lab.lesion.settings(little=15.0)
    assert lab.lesion.compare(s, Results(made))[1].outcome == "refuted"


def test_a_network_that_has_not_learned_has_no_way_to_guessing():
    way = way_to_guessing(np.array([50.0, 88.0]), np.array([10.0, 86.0]), 90.0)
    assert way[0] == 50
    assert np.isnan(way[1])


def test_figure_and_table_show_every_network(report):
    assert len(report.figure().axes) == 3
    assert [row[0] for row in report.table.rows] == ["plain20", "resnet20"]
    singles = [report.results["resnet20", seed]["single"] for seed in range(3)]
    worst = report.table.columns.index("the worst one deleted")
    assert report.table.rows[1][worst] == f"{np.mean([max(single) for single in singles]):.1f}"
    panel = report.experiment.panels(report.settings, report.results)[0]
    assert {tuple(line.x) for line in panel.lines} == {tuple(range(1, 10))}  # the first block is number 1


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
