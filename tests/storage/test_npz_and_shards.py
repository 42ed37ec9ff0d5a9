"""Weights in NumPy's archives, and in several safetensors files."""

import io

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError


def test_an_npz_file_is_read_without_pickles(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b.c": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "d": np.float32(3),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "w.npz", **arrays)
        back, texts = storage.load(tmp_path / "w.npz")
        assert texts == {}
        for key, array in arrays.items():
            assert back[key].dtype == array.dtype
            np.testing.assert_array_equal(back[key], array)
    np.savez(tmp_path / "w.npz", a=np.array([print], object))
    with pytest.raises(CheckpointError, match="holds Python objects, which would run code"):
        storage.load(tmp_path / "w.npz")
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(10**7))
    with pytest.raises(CheckpointError, match="would unpack to"):
        storage.load(tmp_path / "w.npz")


def test_what_has_no_parts_takes_none(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.ones(1))
    (tmp_path / "m.index.json").write_text('{"weight_map": {}}')
    storage.save(tmp_path / "w", {"a": np.ones(1)})
    for name in ("w.npz", "m.index.json", "w"):
        with pytest.raises(CheckpointError, match="has no parts, so there is no 'ema'"):
            storage.load(tmp_path / name, part="ema")


def test_a_damaged_npz_file_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(6.0), b=np.arange(2))
    content = buffer.getvalue()
    path = tmp_path / "w.npz"
    for i in range(0, len(content), 7):
        path.write_bytes(content[:i])
        with pytest.raises(CheckpointError):
            storage.load(path)
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        try:
            arrays, _ = storage.load(path)
        except CheckpointError:
            continue
        assert sum(array.size for array in arrays.values()) <= 8
    large = content.replace(b"'shape': (6,)", b"'shape': (9,)")
    path.write_bytes(large)
    with pytest.raises(CheckpointError):
        storage.load(path)


def test_a_model_in_several_files_is_put_together(tmp_path):
    storage.save(tmp_path / "m-1.safetensors", {"a": np.ones(2), "c": np.zeros(1)})
    storage.save(tmp_path / "m-2.safetensors", {"b": np.arange(3)})
    places = '{"weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors"}}'
    (tmp_path / "m.safetensors.index.json").write_text(places)
    arrays, _ = storage.load(tmp_path / "m.safetensors.index.json")
    assert list(arrays) == ["b", "a"]
    np.testing.assert_array_equal(arrays["b"], np.arange(3))
    for wrong, fault in (
        (places.replace('"b"', '"d"'), "lacks 'd'"),
        (places.replace("m-2", "m-3"), "m-3.safetensors cannot be read"),
        (places.replace("m-2", "../m-2"), "not a file beside it"),
        ('{"weight_map": [1]}', "no weight_map"),
        ('{"weight_map": {"a": {}}}', "no weight_map"),
        ("[", "no weight_map"),
        ("", "no weight_map"),
    ):
        (tmp_path / "m.safetensors.index.json").write_text(wrong)
        with pytest.raises(CheckpointError, match=fault):
            storage.load(tmp_path / "m.safetensors.index.json")
