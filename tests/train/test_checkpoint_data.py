"""What a checkpoint says of its data set, and checkpoints of the first versions, which said nothing."""

import pytest

from minires.errors import CheckpointError


def test_checkpoints_of_before_resume(saved, resumed):
    """The first versions wrote neither the data set's description nor these settings."""
    sections, state = saved
    config = {key: value for key, value in state["config"].items() if key not in ("size", "tf32", "processes")}
    old = {key: value for key, value in state.items() if key != "dataset"}
    assert resumed(sections, {**old, "config": config}).step == 3


def test_a_checkpoint_says_what_a_prediction_needs(saved):
    assert saved[1]["dataset"] == {
        "name": "digits",
        "classes": [str(i) for i in range(10)],
        "shape": [1, 8, 8],
        "mean": [pytest.approx(0.3, abs=0.1)],
        "std": [pytest.approx(0.4, abs=0.1)],
    }


def test_other_classes_than_at_the_start_are_refused(saved, resumed):
    sections, state = saved
    other = {**state["dataset"], "classes": [*"1023456789"]}
    with pytest.raises(CheckpointError, match=r"dataset\.classes was \['1', '0', .* and is \['0', '1', .* in digits"):
        resumed(sections, {**state, "dataset": other})


def test_the_same_images_under_another_name_are_taken(saved, resumed):
    """A folder of images may have been renamed."""
    sections, state = saved
    assert resumed(sections, {**state, "dataset": {**state["dataset"], "name": "renamed"}}).step == 3
