"""Checkpoints with an odd state: each is one CheckpointError that names what is odd."""

import math

import numpy as np
import pytest
from odd_content import DELETED, ODD, changed, refusal

from minires import models, storage
from minires.errors import CheckpointError
from minires.nn import Dropout, Sequential
from minires.storage.schema import shown
from minires.train import Config, Run


def test_the_checkpoint_itself_is_fine(saved, resumed):
    assert resumed(*saved).step == 3


# What is allowed at a place, though it is not what the run had: a log may hold any numbers in its range, and a data set
# that has moved is DataError.
FINE = {
    "config.model_options": [""],
    "config.out": ["7", ""],
    "config.data": ["7", ""],
    "config.dataset": ["7"],
    "config.weights": ["7"],  # a resumed run has its own
    "config.clip_grad_norm": [1.5, 10**30],
    "config.mixup": [1.5],
    "totals.seconds": [1.5, 10**30],
    "totals.loss": [1.5, 10**30],
    "history[0].lr": [1.5, 10**30],
    "history[0].train_loss": [1.5, 10**30],
    "history[0].test_loss": [-1, 1.5, math.nan, math.inf, 10**30],
    "history[0].images_per_second": [1.5, 10**30],
    "history[0].seconds": [1.5, 10**30],
    "config.lr": [1.5, 10**30],
    "config.head_lr": [1.5, 10**30],
    "config.weight_decay": [1.5, 10**30],
    "config.sync_norm": [True],
    "config.patience": [1.5],
    "dataset.name": ["7", ""],
    "images.train.digest": [""],
    "images.test.digest": [""],
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
            if value is DELETED and name in (*(f"config.{added}" for added in Config.ADDED_LATER), "dataset", "images"):
                continue  # the first versions did not write them
            tried += 1
            text = refusal(resumed, sections, changed(state, path, value))
            assert text, f"{name} = {shown(value)} was accepted"
            assert "checkpoint.safetensors is no checkpoint that a run can resume from: " in text, (name, value)
            parent = name_of(path[:-1])
            words = (name, parent if value is DELETED else name, str(path[-1]))
            assert any(word in text for word in words), (name, text)
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
        ("limit", 0, r"class '0' had \d images for training and has \d+ in digits \(10 of 10 classes have changed\)"),
        ("momentum", 5, "config has an unknown entry 'momentum'"),
    ],
)
def test_a_setting_that_does_not_belong_to_the_run_is_named(saved, resumed, setting, value, message):
    sections, state = saved
    with pytest.raises(CheckpointError, match=message):
        resumed(sections, {**state, "config": {**state["config"], setting: value}})


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


def test_a_run_that_is_finished_has_no_epoch_under_way(saved, resumed):
    sections, state = saved
    (row,) = state["history"]
    history = [{**row, "epoch": i, "step": 2 * i} for i in (1, 2, 3)]
    with pytest.raises(CheckpointError, match="batch must be 0, got 1"):
        resumed(sections, {**state, "epoch": 3, "history": history})


def test_a_history_longer_than_the_run_is_refused(saved, resumed):
    sections, state = saved
    (row,) = state["history"]
    history = [{**row, "epoch": i, "step": 2 * i} for i in (1, 2)]
    with pytest.raises(CheckpointError, match="history must have a row for each of the 1 epochs, got 2"):
        resumed(sections, {**state, "history": history})


def test_more_images_cannot_be_right_than_were_seen(saved, resumed):
    sections, state = saved
    for correct, accepted in ((16, True), (17, False)):
        text = refusal(resumed, sections, {**state, "totals": {**state["totals"], "correct": correct}})
        assert (text == "") == accepted, text


def test_a_generators_odd_state_is_refused(resumed, tmp_path, monkeypatch):
    create = models.create

    def with_dropout(name, *, rng, **options):
        return Sequential(create(name, rng=rng, **options), Dropout(0.2, rng=rng))

    monkeypatch.setattr(models, "create", with_dropout)
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
