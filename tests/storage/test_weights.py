"""Weight files: what goes in comes out, and damage shows."""

import os
import stat
import struct

import numpy as np
import pytest

from minires import Tensor, models, storage
from minires.errors import CheckpointError, DTypeError, OptionError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(3, np.int64), "c.d": np.zeros((0, 2)),
          "e": np.array([1.5, -0.0, np.nan, np.inf])}


def test_arrays_and_metadata_come_back_to_the_bit(tmp_path):
    storage.save(tmp_path / "w.safetensors", ARRAYS, {"note": "ü ∂"})
    arrays, metadata = storage.load(tmp_path / "w.safetensors")
    assert metadata == {"note": "ü ∂"}
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_views_tensors_and_any_memory_order_are_saved_by_their_values(tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4)
    storage.save(tmp_path / "w", {"t": Tensor(x), "view": x[:, ::-1, 1:3], "turned": x.T})
    arrays, _ = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["t"], x)
    np.testing.assert_array_equal(arrays["view"], x[:, ::-1, 1:3])
    np.testing.assert_array_equal(arrays["turned"], x.T)


def test_a_model_comes_back_to_the_bit(tmp_path):
    one, two = models.resnet8(rng=0), models.resnet8(rng=1)
    storage.save(tmp_path / "w", one.state_dict())
    two.load_state_dict(storage.load(tmp_path / "w")[0])
    for name, array in one.state_dict().items():
        assert two.state_dict()[name].tobytes() == array.tobytes()


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "w"
    storage.save(path, {"a": ARRAYS["a"]}, {"k": "v"})
    content = path.read_bytes()
    for i in range(len(content)):
        for bit in (1, 32):
            damaged = bytearray(content)
            damaged[i] ^= bit
            path.write_bytes(damaged)
            with pytest.raises(CheckpointError):
                storage.load(path)


def header(text):
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize("content", [
    b"", b"\x01", struct.pack("<Q", 1 << 60), struct.pack("<Q", 100) + b"{}", header(b"not json"), header(b"[]"),
    header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
    header(b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}') + b"1234",
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}') + b"1234",
    header(b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}') + b"1234",
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')
    + b"1234", b"<html>not found</html>", b"PK\x03\x04" + bytes(100),
], ids=range(13))
def test_malformed_and_hostile_files_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"bad\.safetensors") as caught:
        storage.load(path)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "w"
    storage.save(path, {"a": ARRAYS["a"]})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            storage.load(path)


def test_values_that_numpy_has_no_type_for_are_named(tmp_path):
    (tmp_path / "w").write_bytes(header(b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}') + b"12")
    with pytest.raises(CheckpointError, match=r"w holds 'BF16' values, which NumPy has not; convert them to F32$"):
        storage.load(tmp_path / "w")


def test_metadata_that_looks_like_the_digest_does_not_take_its_place(tmp_path):
    metadata = {f"key {i}": "0" * 64 for i in range(10)}  # the order in the file is random
    metadata["quoted"] = '"sha256":"' + "0" * 64 + '"'
    storage.save(tmp_path / "w", {"a": ARRAYS["a"]}, metadata)
    assert storage.load(tmp_path / "w")[1] == metadata


@pytest.mark.parametrize(("arrays", "metadata", "error", "message"), [
    ({"a": [1.0]}, {}, DTypeError, "a must be an array or a Tensor, got list"),
    ({"a": np.array([None])}, {}, DTypeError, "dtype .*object"),
    ({"a": np.ones(1)}, {"epoch": 3}, DTypeError, "'int' object"),
    ({"__metadata__": np.ones(1)}, {}, OptionError, "'__metadata__' belongs to the file"),
    ({"a": np.ones(1)}, {"sha256": "mine"}, OptionError, "'sha256' belongs to the file"),
    ({"a": np.ones(1)}, {"written_by": "me"}, OptionError, "'written_by' belongs to the file"),
])
def test_what_would_not_come_back_is_refused_and_not_written(tmp_path, arrays, metadata, error, message):
    with pytest.raises(error, match=message):
        storage.save(tmp_path / "w", arrays, metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(tmp_path, monkeypatch):
    storage.save(tmp_path / "w", {"a": ARRAYS["a"]}, {"epoch": "1"})
    content = (tmp_path / "w").read_bytes()
    storage.save(tmp_path / "w", {"a": ARRAYS["a"] + 1}, {"epoch": "2"})
    monkeypatch.setattr(type(tmp_path), "read_bytes", lambda path: content)
    arrays, metadata = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert metadata == {"epoch": "1"}


@pytest.mark.parametrize("path", ["missing.safetensors", "."])
def test_what_is_no_file_is_refused(tmp_path, path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        storage.load(tmp_path / path)


def test_files_from_elsewhere_carry_no_digest_and_load(tmp_path):
    from safetensors.numpy import save_file
    save_file({"a": ARRAYS["a"]}, tmp_path / "w")
    arrays, metadata = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert metadata == {}


def test_other_programs_read_our_files(tmp_path):
    from safetensors.numpy import load_file
    storage.save(tmp_path / "w", ARRAYS)
    np.testing.assert_array_equal(load_file(tmp_path / "w")["a"], ARRAYS["a"])


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "w"
    storage.save(path, {"a": ARRAYS["a"]})
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        storage.save(path, {"a": ARRAYS["a"] + 1})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_a_folder_that_cannot_be_synced_does_not_fail_a_write_that_is_done(tmp_path, monkeypatch):
    sync, synced = os.fsync, []

    def files_only(handle):
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        if synced[-1]:
            raise OSError("Invalid argument")
        sync(handle)
    monkeypatch.setattr(os, "fsync", files_only)
    storage.atomic_write(tmp_path / "w", b"new")
    assert (tmp_path / "w").read_bytes() == b"new"
    assert synced == [False, True]


def test_folders_are_made_and_permissions_follow_the_umask(tmp_path):
    path = tmp_path / "new" / "folder" / "w"
    storage.atomic_write(path, b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
