"""The experiment on the effective depth can come out every way."""

import math

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.errors import OptionError
from minires.lab import Results
from minires.lab.experiments.effective_depth import needed_share, spare

NETWORKS = ("plain8", "resnet14", "plain14", "resnet20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("effective-depth")


@pytest.fixture(scope="module")
def report(folder):
    return lab.effective_depth(networks=NETWORKS, epochs=4, seeds=3, out=folder)


def made(needed):
    """Results of networks that need so many of their blocks, with three seeds."""
    blocks = {"resnet14": 4, "resnet20": 7}
    return Results(
        {
            (arm, seed): {"errors": [10.0] * (n + 1), "needed": needed[arm][seed], "blocks": n}
            for arm, n in blocks.items()
            for seed in range(3)
        }
    )


def test_a_deeper_network_needs_a_smaller_share_of_its_blocks(report, again):
    short = again(report, networks=("resnet14", "resnet20"))
    numbers = report.results["resnet20", 0]
    assert sorted(numbers["order"]) == [0, 1, 2, 4, 5, 7, 8]  # the blocks 3 and 6 change the shape
    assert len(numbers["errors"]) == 8
    assert short.verdict in ("held", "undecided")
    assert len(short.figure().axes) == 2


def test_the_share_of_the_shallowest_network_is_claimed_to_be_larger():
    s = lab.effective_depth.settings(networks=("resnet14", "resnet20"))
    (part,) = lab.effective_depth.compare(s, made({"resnet14": [4, 4, 3], "resnet20": [3.5, 0.7, 1.4]}))
    assert part.differences == pytest.approx([50, 90, 55])
    assert part.outcome == "held"
    (part,) = lab.effective_depth.compare(s, made({"resnet14": [1, 1, 1], "resnet20": [7, 7, 6.5]}))
    assert part.outcome == "refuted"


def test_networks_stand_from_the_shallowest_to_the_deepest():
    with pytest.raises(OptionError, match="resnet20 with 9 blocks, resnet8 with 3 blocks"):
        lab.effective_depth(networks=("resnet20", "resnet8"))


def test_training_images_rank_the_blocks_and_test_images_judge_them(report, folder):
    model = models.resnet20(in_channels=1)
    path = folder / "effective-depth" / "resnet20-seed0" / "checkpoint.safetensors"
    model.load_state_dict(storage.load_checkpoint(path)[0]["model"])
    model.eval()
    blocks = [block for stage in (model.layer1, model.layer2, model.layer3) for block in stage]
    train_set, test_set = data.load("digits")
    s = report.settings

    def error(dataset, deleted):
        images, labels = next(iter(data.ArrayLoader(dataset, len(dataset))))
        for i, block in enumerate(blocks):
            block.active = i not in deleted
        return 100 * (model(images).data.argmax(axis=1) != labels).mean()

    numbers = report.results["resnet20", 0]
    alone = {i: error(train_set.limit(s.rank_images), {i}) for i in sorted(numbers["order"])}
    assert numbers["order"] == sorted(alone, key=alone.get)
    for k in (0, 1, 4):
        assert numbers["errors"][k] == pytest.approx(error(test_set, set(numbers["order"][:k])))


def test_same_network_decides_nothing(report, again):
    assert again(report, networks=("resnet20", "resnet20")).verdict == "undecided"


def test_without_shortcuts_blocks_are_needed(report, again):
    """plain8 can lose one of its 3 blocks, plain14 4 of 6, and the error has risen before the first is gone."""
    for arm, blocks in (("plain8", 1), ("plain14", 4)):
        for seed in range(3):
            numbers = report.results[arm, seed]
            assert numbers["blocks"] == blocks
            assert len(numbers["errors"]) == blocks + 1
            assert blocks - 1 < numbers["needed"] < blocks
    assert again(report, networks=("plain8", "plain14")).verdict != "held"


def test_a_block_is_spare_until_the_error_has_risen():
    assert spare([5, 6, 14, 30, 3], 10) == pytest.approx(2 + 1 / 16)
    assert spare([5, 15.5], 10) == pytest.approx(10 / 10.5)
    assert spare([5, 12, 19, 26], 10) == pytest.approx(1 + 3 / 7)  # the rise is that above the intact network
    assert spare([5, 5, 5], 10) == 2


@pytest.mark.parametrize("blocks", [1, 2, 4, 7, 24])
def test_the_measure_does_not_depend_on_the_number_of_blocks(blocks):
    """In whole blocks, the same share of 25 % would be 0 of one block, and 6 of 24."""
    errors = np.linspace(5, 45, blocks + 1)  # rises by 10 points over a quarter of the blocks
    assert spare(errors, 10) / blocks == pytest.approx(0.25)


def test_a_network_that_has_not_learned_decides_nothing():
    results = Results({("resnet8", 0): {"errors": [80, 81], "needed": 1.0, "blocks": 1}})
    assert math.isnan(needed_share(results, "resnet8")[0])
