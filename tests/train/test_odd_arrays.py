"""Checkpoints with odd arrays: each is one CheckpointError that names what is odd."""

import numpy as np
import pytest
from odd_content import DELETED, refusal, weights_with

from minires.errors import CheckpointError


def odd_values(name, array):
    """Arrays with another dtype, shape or content, none of which fits in the place of this one."""
    yield DELETED
    for dtype in (bool, np.int32, np.uint8, np.float16, np.float64 if array.dtype.kind == "i" else np.int64):
        yield array.astype(dtype)
    yield np.zeros((0,), array.dtype)
    yield np.zeros((*array.shape, 2), array.dtype)
    yield array[None]
    signed = any(word in name for word in ("momentum", "weight", "bias"))
    yield np.full_like(array, np.nan if signed else -7)
    if array.dtype.kind == "f":
        for value in (np.nan, np.inf, -np.inf):
            other = array.copy()
            other.flat[-1] = value
            yield other
    else:
        yield np.asarray(array + 1)
        yield np.full_like(array, -(2**63))


def fits(name, array, value):
    """Whether this is another count of batches, on which nothing depends; torch's files may lack it."""
    if "num_batches" not in name or value is DELETED:
        return "num_batches" in name
    return value.dtype == array.dtype and value.shape == array.shape and value >= 0


def test_every_odd_array_is_refused_by_name(saved, resumed):
    sections, state = saved
    tried = 0
    for section, names in (
        ("model", ["conv1.weight", "bn1.running_var", "bn1.num_batches_tracked", "linear.bias"]),
        ("optimizer", ["steps", "momentum_buffer.0", "momentum_buffer.5"]),
    ):
        for name in names:
            array = sections[section][name]
            for value in odd_values(name, array):
                if fits(name, array, value):
                    continue
                tried += 1
                text = refusal(resumed, weights_with(sections, section, name, value), state)
                assert name.split(".")[0] in text, f"{section}/{name} = {value}: {text or 'accepted'}"
    assert tried >= 60


def test_a_setting_of_the_optimizer_that_is_not_the_runs_is_refused(saved, resumed):
    """Its rate is set before each step, whatever is saved."""
    sections, state = saved
    names = [name for name in sections["optimizer"] if name.startswith("group.") and not name.endswith(".lr")]
    assert names
    for name in names:
        for value in (5.0, -1.0, np.nan):
            text = refusal(resumed, weights_with(sections, "optimizer", name, np.array(value)), state)
            assert f"optimizer/{name} is {value}, the run's configuration makes it " in text


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {"model": s["model"]},
        lambda s: {},
        lambda s: {**s, "ema": {}},
        lambda s: {**s, "model": {}},
        lambda s: {**s, "optimizer": {}},
        lambda s: {**s, "model": {**s["model"], "fc.weight": np.ones(3, np.float32)}},
        lambda s: {**s, "optimizer": {**s["optimizer"], "momentum_buffer.999": np.ones(3, np.float32)}},
        lambda s: {"model": s["optimizer"], "optimizer": s["model"]},
    ],
    ids=range(8),
)
def test_sections_that_are_not_the_runs_are_refused(saved, resumed, change):
    sections, state = saved
    with pytest.raises(CheckpointError, match="no checkpoint that a run can resume from: "):
        resumed(change(sections), state)


@pytest.mark.parametrize(
    ("first", "message"),
    [(-1, "steps below 0: -1"), (4, r"optimizer/steps must be 3, as many as the run has done, got \[3, 4\]")],
)
def test_one_parameters_odd_count_of_steps_is_refused(saved, resumed, first, message):
    sections, state = saved
    steps = sections["optimizer"]["steps"].copy()
    steps[0] = first
    with pytest.raises(CheckpointError, match=message):
        resumed(weights_with(sections, "optimizer", "steps", steps), state)


def test_a_parameter_that_was_frozen_for_a_while_has_done_fewer_steps(saved, resumed):
    sections, state = saved
    steps = sections["optimizer"]["steps"].copy()
    steps[0] = 0
    assert resumed(weights_with(sections, "optimizer", "steps", steps), state).step == 3


def test_a_parameter_may_have_had_fewer_steps_and_not_more_or_less_than_none(saved, resumed):
    """One that was frozen for a while has."""
    sections, state = saved
    steps = sections["optimizer"]["steps"]
    assert steps.ndim == 1
    for first, accepted in ((1, True), (0, True), (4, False), (-1, False)):
        changed = np.array([first, *steps[1:]], steps.dtype)
        text = refusal(resumed, weights_with(sections, "optimizer", "steps", changed), state)
        assert (text == "") == accepted, (first, text)


def test_a_count_of_batches_is_not_below_none(saved, resumed):
    sections, state = saved
    text = refusal(resumed, weights_with(sections, "model", "bn1.num_batches_tracked", np.array(-1)), state)
    assert "model/bn1.num_batches_tracked holds values below 0" in text
