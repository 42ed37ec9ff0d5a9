"""The experiment on the effective depth can come out every way."""

import math

import numpy as np
import pytest

from minires import data, lab, models, storage
from minires.errors import OptionError
from minires.lab import Results
from minires.lab.experiments.effective_depth import needed_share, spare

NETWORKS = ("resnet8", "plain8", "plain14", "resnet20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("effective-depth")


@pytest.fixture(scope="module")
def report(folder):
    return lab.effective_depth(networks=NETWORKS, epochs=4, seeds=3, out=folder)


def made(needed):
    """Results of networks that need so many of their blocks, with three seeds."""
    blocks = {"resnet8": 3, "resnet20": 9}
    return Results(
        {
            (arm, seed): {"errors": [10.0] * (n + 1), "needed": needed[arm][seed], "blocks": n}
            for arm, n in blocks.items()
            for seed in range(3)
        }
    )


def test_a_deeper_network_needs_a_smaller_share_of_its_blocks(report, again):
    short = again(report, networks=("resnet8", "resnet20"))
    numbers = report.results["resnet20", 0]
    assert sorted(numbers["order"]) == list(range(9))
    assert len(numbers["errors"]) == 10
    assert short.comparisons[0].interval[0] > 0
    assert short.verdict in ("held", "undecided")
    assert len(short.figure().axes) == 2


def test_the_share_of_the_shallowest_network_is_claimed_to_be_larger():
    s = lab.effective_depth.settings(networks=("resnet8", "resnet20"))
    (part,) = lab.effective_depth.compare(s, made({"resnet8": [3, 3, 2], "resnet20": [3, 2, 3]}))
    assert part.differences == pytest.approx([200 / 3, 700 / 9, 100 / 3])
    assert part.outcome == "held"
    (part,) = lab.effective_depth.compare(s, made({"resnet8": [1, 1, 1], "resnet20": [9, 9, 8]}))
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

    alone = [error(train_set.limit(s.rank_images), {i}) for i in range(9)]
    numbers = report.results["resnet20", 0]
    assert numbers["order"] == np.argsort(alone, kind="stable").tolist()
    for k in (0, 1, 4):
        assert numbers["errors"][k] == pytest.approx(error(test_set, set(numbers["order"][:k])))


def test_same_network_decides_nothing(report, again):
    assert again(report, networks=("resnet20", "resnet20")).verdict == "undecided"


def test_without_shortcuts_all_blocks_are_needed(report, again):
    """plain8 can lose one of its 3 blocks, plain14 4 of 6, and they need them."""
    for arm, blocks, deletable in (("plain8", 3, 1), ("plain14", 6, 4)):
        for seed in range(3):
            numbers = report.results[arm, seed]
            assert len(numbers["errors"]) == deletable + 1
            assert numbers["needed"] == numbers["blocks"] == blocks
    assert again(report, networks=("plain8", "plain14")).verdict != "held"


def test_a_block_is_spare_until_the_error_has_risen():
    assert spare([5, 6, 14, 30, 3], 10) == 2
    assert spare([5, 15.5], 10) == 0
    assert spare([5, 12, 19, 26], 10) == 1  # the rise is that above the intact network
    assert spare([5, 5, 5], 10) == 2


def test_a_network_that_has_not_learned_decides_nothing():
    results = Results({("resnet8", 0): {"errors": [80, 81], "needed": 1, "blocks": 3}})
    assert math.isnan(needed_share(results, "resnet8")[0])
