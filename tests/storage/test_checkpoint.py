"""Checkpoints keep sections apart and Python values exact."""

import json

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError, DTypeError, OptionError

pytestmark = pytest.mark.usefixtures("file_format")


def test_sections_and_state_come_back(tmp_path):
    sections = {"model": {"a": np.ones(2, np.float32), "b/c": np.zeros(1)}, "optimizer": {}}
    generator = np.random.default_rng(7).bit_generator.state  # holds 128-bit integers
    state = {"rng": generator, "float": 0.1 + 0.2, "tiny": 5e-324, "nan": float("nan"), "list": [1, None, "ü"]}
    storage.save_checkpoint(tmp_path / "c", sections, state)
    found, back = storage.load_checkpoint(tmp_path / "c")
    assert found.keys() == sections.keys()
    np.testing.assert_array_equal(found["model"]["b/c"], np.zeros(1))
    assert back["rng"] == generator
    assert (back["float"], back["tiny"], back["list"]) == (0.1 + 0.2, 5e-324, [1, None, "ü"])
    assert back["nan"] != back["nan"]


def test_bare_weights_are_no_checkpoint(tmp_path):
    storage.save(tmp_path / "w", {"a": np.ones(1)})
    with pytest.raises(CheckpointError, match="no checkpoint of this version but 'bare weights'"):
        storage.load_checkpoint(tmp_path / "w")


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "minires checkpoint 99"},
        {"format": "minires checkpoint 1"},
        {"format": "minires checkpoint 1", "sections": "[]", "state": "{}"},
        {"format": "minires checkpoint 1", "sections": '["model"]', "state": "{"},
        {"format": "minires checkpoint 1", "sections": '["model"]', "state": "[]"},
        {"format": "minires checkpoint 1", "sections": '["model"]', "state": "null"},
        {"format": "minires checkpoint 1", "sections": '["model"]', "state": "[" * 100_000},
    ],
)
def test_a_malformed_checkpoint_is_refused(tmp_path, metadata):
    storage.save(tmp_path / "c", {"model/a": np.ones(1)}, metadata)
    with pytest.raises(CheckpointError, match="c is "):
        storage.load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("name", ["model", "other/a", "a", "/a", "model2/a"])
def test_an_array_of_no_section_is_named(tmp_path, name):
    arrays = {"model/a": np.ones(1), name: np.ones(1)}
    storage.save(tmp_path / "c", arrays, {"format": "minires checkpoint 1", "sections": '["model"]', "state": "{}"})
    with pytest.raises(CheckpointError, match=f"its array '{name}' is in none of its sections model"):
        storage.load_checkpoint(tmp_path / "c")


def test_a_section_that_would_not_come_back_is_refused(tmp_path):
    with pytest.raises(OptionError, match="sections\\[0\\] must be a section's name, without '/', got 'model/ema'"):
        storage.save_checkpoint(tmp_path / "c", {"model/ema": {"a": np.ones(1)}}, {})


LOOP = {}
LOOP["itself"] = LOOP


@pytest.mark.parametrize(
    ("sections", "state", "error", "message"),
    [
        ({}, {"a": object()}, DTypeError, "c cannot hold this state, .*: Object of type object is not JSON"),
        ({}, {"a": np.float32(1)}, DTypeError, "type float32 is not JSON"),
        ({}, {"a": {1, 2}}, DTypeError, "type set"),
        ({}, {"a": json.loads("[" * 101 + "]" * 101)}, DTypeError, "whose values are nested deeper than 100"),
        ({}, {"a": 10**5000}, DTypeError, "c cannot hold this state"),
        ({}, LOOP, DTypeError, "Circular reference"),
        ({}, [], DTypeError, r"takes a state \{name: value\}, got a list"),
        ({}, None, DTypeError, "got a NoneType"),
        ({}, {1: 2, "1": 3}, DTypeError, "the state has the key 1, which would come back as a string"),
        ({}, {"a": [{"b": {None: 0}}]}, DTypeError, r"the state\['a'\]\[0\]\['b'\] has the key None"),
        ({}, {"a": {"b": (1, 2)}}, DTypeError, r"the state\['a'\]\['b'\] is a tuple, which would come back as a list"),
        ({"model": {1: np.ones(1)}}, {}, DTypeError, "the array 1 in model needs a string as its name"),
        (None, {}, DTypeError, r"takes sections \{name: \{name: array\}\}, got None"),
        ("model", {}, DTypeError, "got 'model'"),
        ({"model": None}, {}, DTypeError, "got {'model': None}"),
        (["model"], {}, DTypeError, r"got \['model'\]"),
        ({1: {}}, {}, OptionError, r"sections\[0\] must be a section's name, without '/', got 1"),
        ({"a\0": {}}, {}, OptionError, "must be a section's name"),
    ],
)
def test_what_would_not_come_back_is_refused_before_anything_is_written(tmp_path, sections, state, error, message):
    with pytest.raises(error, match=message):
        storage.save_checkpoint(tmp_path / "c", sections, state)
    assert list(tmp_path.iterdir()) == []
