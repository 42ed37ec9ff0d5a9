"""Checkpoints with a right digest and odd content: each is one CheckpointError that names what is odd."""

import copy
import json
import math

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError
from minires.storage.schema import shown
from minires.train import Config, Run

DELETED = object()
DEEP = json.loads("[" * 400 + "]" * 400)
ODD = [None, True, "7", "", -1, 1.5, math.nan, math.inf, 10**30, 10**400, [], {}, [[]], DEEP]
# What is allowed at a place, though it is not what the run had: a log may hold any numbers in its range, and a data set
# that has moved is DataError.
FINE = {
    "config.model_options": [""],
    "config.out": ["7", ""],
    "config.data": ["7", ""],
    "config.dataset": ["7"],
    "totals.seconds": [1.5, 10**30],
    "totals.loss": [1.5, 10**30],
    "history[0].lr": [1.5, 10**30],
    "history[0].train_loss": [1.5, 10**30],
    "history[0].test_loss": [-1, 1.5, math.nan, math.inf, 10**30],
    "history[0].images_per_second": [1.5, 10**30],
    "history[0].seconds": [1.5, 10**30],
    "config.lr": [1.5, 10**30],
    "config.weight_decay": [1.5, 10**30],
    "dataset.name": ["7", ""],
}


def places(value, path=()):
    """Every place in a state: of each dictionary all keys, of each list its first item."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def name_of(path):
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def changed(state, path, value):
    state = copy.deepcopy(state)
    *way, last = path
    inner = state
    for key in way:
        inner = inner[key]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    return state


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """(sections, state) of a run stopped in the middle of its second epoch, which draws random numbers too."""
    folder = tmp_path_factory.mktemp("run") / "run"
    run = Run.start(Config(model="resnet8", epochs=3, limit=32, batch_size=16, out=str(folder), processes=1))
    assert not run.fit(stop=lambda: run.step >= 3)
    return storage.load_checkpoint(run.checkpoint_path)


@pytest.fixture
def resumed(tmp_path, monkeypatch):
    """resumed(sections, state): what Run.resume makes of a checkpoint with this content."""
    from minires import data

    digits = data.load("digits")
    load = data.load
    monkeypatch.setattr(data, "load", lambda *args: digits if args[:2] == ("digits", None) else load(*args))
    monkeypatch.setattr("os.fsync", lambda handle: None)

    def resume(sections, state):
        storage.save_checkpoint(tmp_path / "checkpoint.safetensors", sections, state)
        run = Run.resume(tmp_path)
        run.close()
        return run

    return resume


def refusal(resumed, sections, state):
    """What CheckpointError says; "" if the checkpoint is accepted. Any other error goes through."""
    try:
        resumed(sections, state)
    except CheckpointError as error:
        return str(error)
    return ""


def test_the_checkpoint_itself_is_fine(saved, resumed):
    assert resumed(*saved).step == 3


def test_every_odd_value_at_every_place_of_the_state_is_refused_by_name(saved, resumed):
    sections, state = saved
    tried = 0
    for path in places(state):
        if not path:
            continue
        name = name_of(path)
        for value in [DELETED, *ODD]:
            before = state
            for key in path:
                before = before[key]
            same = value is not DELETED and type(value) is type(before) and value == before
            fine = FINE.get(name, ())
            if same or any(value is ok or (type(value) is type(ok) and value == ok) for ok in fine):
                continue
            if value is DELETED and name in (*(f"config.{added}" for added in Config.ADDED_LATER), "dataset"):
                continue  # the first versions did not write them
            tried += 1
            text = refusal(resumed, sections, changed(state, path, value))
            assert text, f"{name} = {shown(value)} was accepted"
            assert "checkpoint.safetensors is no checkpoint that a run can resume from: " in text, (name, value)
            parent = name_of(path[:-1])
            assert any(word in text for word in (name, parent if value is DELETED else name, str(path[-1]))), (
                name,
                text,
            )
            assert "\n" not in text
            assert len(text) < 500
    assert tried >= 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 99}, "epoch must be at most 3, got 99"),
        ({"epoch": 2}, "history must have a row for each of the 2 epochs, got 1"),
        ({"batch": 3}, "batch must be at most 2, got 3"),
        ({"batch": 2}, r"totals\.seen must be 32, got 16"),
        ({"totals": {"seen": 16, "seconds": 1.0, "loss": 3.0, "correct": 17}}, r"totals\.correct must be at most 16"),
        ({"rng": {"layer9": {}}}, r"rng\['layer9'\] lacks"),
        ({"extra": 1}, "has an unknown entry 'extra'"),
        ({"history": []}, "history must have a row"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_named(saved, resumed, change, message):
    sections, state = saved
    with pytest.raises(CheckpointError, match=message):
        resumed(sections, {**state, **change})


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("model", "resnet9", "there is no model 'resnet9'"),
        ("model", "resnet20", "cannot load this state; missing: layer1.1"),
        ("schedule", "step", "schedule must be one of one_cycle"),
        ("device", "cpu:0", "device must be 'cpu', 'cuda'"),
        ("batch_size", 999, "batch_size must be from 1 to the 32"),
        ("batch_size", 8, r"totals\.seen must be 8, got 16"),
        ("epochs", 0, "epoch must be at most 0, got 1"),
        ("limit", 0, r"history\[0\]\.step must be 90, got 2"),
        ("momentum", 5, "config has an unknown entry 'momentum'"),
    ],
)
def test_a_setting_that_does_not_belong_to_the_run_is_named(saved, resumed, setting, value, message):
    sections, state = saved
    with pytest.raises(CheckpointError, match=message):
        resumed(sections, {**state, "config": {**state["config"], setting: value}})


def weights_with(sections, section, name, array):
    group = {**sections[section], name: array}
    return {**sections, section: {key: value for key, value in group.items() if value is not DELETED}}


def test_every_odd_array_is_refused_by_name(saved, resumed):
    sections, state = saved
    tried = 0
    for section, names in (
        ("model", ["conv1.weight", "bn1.running_var", "bn1.num_batches_tracked", "linear.bias"]),
        ("optimizer", ["steps", "momentum_buffer.0", "momentum_buffer.5"]),
    ):
        for name in names:
            array = sections[section][name]
            flat = np.ravel(array).astype(np.float64)
            odd = [
                DELETED,
                array.astype(bool),
                array.astype(np.int32),
                array.astype(np.uint8),
                array.astype(np.float16),
                array.astype(np.float64 if array.dtype.kind == "i" else np.int64),
                np.zeros((0,), array.dtype),
                np.zeros((*array.shape, 2), array.dtype),
                array[None],
            ]
            odd.append(
                np.full_like(array, -7)
                if "momentum" not in name and "weight" not in name and "bias" not in name
                else np.full_like(array, np.nan)
            )
            if array.dtype.kind == "f":
                for value in (np.nan, np.inf, -np.inf):
                    flat[-1] = value
                    odd.append(flat.astype(array.dtype).reshape(array.shape))
            else:
                odd += [np.asarray(array + 1), np.full_like(array, -(2**63))]
            for value in odd:
                if value is DELETED and "num_batches" in name:
                    continue  # torch's may lack it
                if (
                    isinstance(value, np.ndarray)
                    and "num_batches" in name
                    and value.dtype == array.dtype
                    and value.shape == array.shape
                    and value >= 0
                ):
                    continue  # a count, of which nothing depends
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
    ("sections", "state"),
    [
        ("[]", "{}"),
        ('"model"', "{}"),
        ('{"model": 0}', "{}"),
        ("[1]", "{}"),
        ('["a/b"]', "{}"),
        ("null", "{}"),
        ('["model"]', "[]"),
        ('["model"]', "3"),
        ('["model"]', '"x"'),
        ('["model"]', "{"),
        ('["model"]', "[" * 99_999),
        ('["model"]', "9" * 9999),
        ("[" * 99_999, "{}"),
        ('["model"]', '{"a": 1, "a": 2}'),
        (None, "{}"),
        ('["model"]', None),
    ],
    ids=range(16),
)
def test_what_is_no_state_at_all_is_refused(tmp_path, sections, state):
    metadata = {"format": "minires checkpoint 1", "sections": sections, "state": state}
    storage.save(
        tmp_path / "checkpoint.safetensors",
        {"model/a": np.ones(1)},
        {key: text for key, text in metadata.items() if text is not None},
    )
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is "):
        Run.resume(tmp_path)


def test_a_finished_run_has_no_batch_under_way(saved, resumed):
    sections, state = saved
    rows = [{**state["history"][0], "epoch": epoch, "step": 2 * epoch} for epoch in (1, 2, 3)]
    with pytest.raises(CheckpointError, match=r"batch must be 0, got 1$"):
        resumed(sections, {**state, "epoch": 3, "history": rows})


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


def test_a_generators_odd_state_is_refused(resumed, tmp_path, monkeypatch):
    from minires import models
    from minires.nn import Dropout, Sequential

    create = models.create
    monkeypatch.setattr(
        models,
        "create",
        lambda name, *, rng, **options: Sequential(create(name, rng=rng, **options), Dropout(0.2, rng=rng)),
    )
    run = Run.start(Config(model="resnet8", epochs=1, limit=32, batch_size=16, out=str(tmp_path / "run")))
    run.fit(stop=lambda: True)
    sections, state = storage.load_checkpoint(run.checkpoint_path)
    assert list(state["rng"]) == ["1"]
    assert resumed(sections, state).step == 1
    big = [DELETED, *ODD, 2**128]
    for path, values in {
        ("bit_generator",): [*big, "MT19937"],
        ("has_uint32",): [*big, 2],
        ("uinteger",): [*big, 2**32],
        ("state",): [*big, 7],
        ("state", "state"): big,
        ("state", "inc"): big,
    }.items():
        for value in values:
            if path[0] == "state" and len(path) == 2 and value == 10**30:
                continue  # within its 128 bits
            odd = {**state, "rng": {"1": changed(state["rng"]["1"], path, value)}}
            assert "rng" in refusal(resumed, sections, odd), f"{path} = {shown(value)}"
    with pytest.raises(CheckpointError, match=r"rng must hold the generators of \['1'\], got \[\]"):
        resumed(sections, {**state, "rng": {}})


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


def test_a_history_longer_than_the_run_is_refused(saved, resumed):
    sections, state = saved
    (row,) = state["history"]
    history = [{**row, "epoch": i, "step": 2 * i} for i in (1, 2)]
    with pytest.raises(CheckpointError, match="history must have a row for each of the 1 epochs, got 2"):
        resumed(sections, {**state, "history": history})


def test_the_same_images_under_another_name_are_taken(saved, resumed):
    """A folder of images may have been renamed."""
    sections, state = saved
    assert resumed(sections, {**state, "dataset": {**state["dataset"], "name": "renamed"}}).step == 3


def test_a_run_that_is_finished_has_no_epoch_under_way(saved, resumed):
    sections, state = saved
    (row,) = state["history"]
    history = [{**row, "epoch": i, "step": 2 * i} for i in (1, 2, 3)]
    with pytest.raises(CheckpointError, match="batch must be 0, got 1"):
        resumed(sections, {**state, "epoch": 3, "history": history})


def test_a_parameter_may_have_had_fewer_steps_and_not_more_or_less_than_none(saved, resumed):
    """One that was frozen for a while has."""
    sections, state = saved
    steps = sections["optimizer"]["steps"]
    assert steps.ndim == 1
    for first, accepted in ((1, True), (0, True), (4, False), (-1, False)):
        changed = np.array([first, *steps[1:]], steps.dtype)
        text = refusal(resumed, weights_with(sections, "optimizer", "steps", changed), state)
        assert (text == "") == accepted, (first, text)


def test_more_images_cannot_be_right_than_were_seen(saved, resumed):
    sections, state = saved
    for correct, accepted in ((16, True), (17, False)):
        text = refusal(resumed, sections, {**state, "totals": {**state["totals"], "correct": correct}})
        assert (text == "") == accepted, text


def test_a_count_of_batches_is_not_below_none(saved, resumed):
    sections, state = saved
    text = refusal(resumed, weights_with(sections, "model", "bn1.num_batches_tracked", np.array(-1)), state)
    assert "model/bn1.num_batches_tracked holds values below 0" in text
