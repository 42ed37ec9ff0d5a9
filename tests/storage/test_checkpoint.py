"""Checkpoints keep sections apart and Python values exact."""

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError, OptionError


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


@pytest.mark.parametrize("metadata", [
    {"format": "minires checkpoint 99"}, {"format": "minires checkpoint 1"},
    {"format": "minires checkpoint 1", "sections": "[]", "state": "{}"},
    {"format": "minires checkpoint 1", "sections": '["model"]', "state": "{"},
    {"format": "minires checkpoint 1", "sections": '["model"]', "state": "[" * 100_000},
])
def test_a_malformed_checkpoint_is_refused(tmp_path, metadata):
    storage.save(tmp_path / "c", {"model/a": np.ones(1)}, metadata)
    with pytest.raises(CheckpointError, match="c is "):
        storage.load_checkpoint(tmp_path / "c")


def test_a_section_that_would_not_come_back_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no '/', got 'model/ema'"):
        storage.save_checkpoint(tmp_path / "c", {"model/ema": {"a": np.ones(1)}}, {})


def test_state_that_is_no_json_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError):
        storage.save_checkpoint(tmp_path / "c", {}, {"a": object()})
    assert list(tmp_path.iterdir()) == []
