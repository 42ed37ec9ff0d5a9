"""Weight files: what goes in comes out, and damage shows."""

import os
import socket
import struct

import numpy as np
import pytest

from minires import Tensor, models, nn, storage
from minires.errors import CheckpointError, DTypeError, OptionError

pytestmark = pytest.mark.usefixtures("file_format")

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(3, np.int64),
    "c.d": np.zeros((0, 2)),
    "e": np.array([1.5, -0.0, np.nan, np.inf]),
}


def test_arrays_and_metadata_come_back_to_the_bit(tmp_path):
    storage.save(tmp_path / "w.safetensors", ARRAYS, {"note": "ü ∂"})
    arrays, metadata = storage.load(tmp_path / "w.safetensors")
    assert metadata == {"note": "ü ∂"}
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_views_tensors_and_any_memory_order_are_saved_by_their_values(tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4)
    storage.save(tmp_path / "w", {"t": Tensor(x), "view": x[:, ::-1, 1:3], "transposed": x.T})
    arrays, _ = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["t"], x)
    np.testing.assert_array_equal(arrays["view"], x[:, ::-1, 1:3])
    np.testing.assert_array_equal(arrays["transposed"], x.T)


def test_a_model_comes_back_to_the_bit(tmp_path):
    one = models.resnet8(rng=0)
    two = models.resnet8(rng=1)
    storage.save(tmp_path / "w", one.state_dict())
    two.load_state_dict(storage.load(tmp_path / "w")[0])
    for name, array in one.state_dict().items():
        assert two.state_dict()[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "values", [(0, 255, "one bit"), pytest.param(range(256), marks=pytest.mark.soak)], ids=["a few", "all"]
)
def test_every_byte_set_to_another_value_is_noticed(tmp_path, values):
    path = tmp_path / "w"
    storage.save(path, {"a": ARRAYS["a"]}, {"k": "v"})
    content = path.read_bytes()
    for i, byte in enumerate(content):
        for value in {byte ^ 1 if value == "one bit" else value for value in values} - {byte}:
            path.write_bytes(content[:i] + bytes([value]) + content[i + 1 :])
            with pytest.raises(CheckpointError):
                storage.load(path)


def header(text):
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 1 << 60),
        struct.pack("<Q", 100) + b"{}",
        header(b"not json"),
        header(b"[]"),
        header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
        header(b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}') + b"1234",
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}') + b"1234",
        header(b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}') + b"1234",
        header(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        )
        + b"1234",
        b"<html>not found</html>",
        b"PK\x03\x04" + bytes(100),
    ],
    ids=range(13),
)
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
    (tmp_path / "w").write_bytes(header(b'{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}') + b"12")
    with pytest.raises(CheckpointError, match=r"w holds 'F8_E4M3' values, which NumPy has not; convert them to F32$"):
        storage.load(tmp_path / "w")


def test_bfloat16_becomes_float32(tmp_path):
    values = np.array([[1.0, -2.5], [np.inf, 2.0**-130]], np.float32)  # which bfloat16 holds exactly
    halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    text = b'{"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}'
    (tmp_path / "w").write_bytes(header(text) + halves + np.float16(3).tobytes())
    arrays, _ = storage.load(tmp_path / "w")
    assert arrays["a"].dtype == np.float32
    np.testing.assert_array_equal(arrays["a"], values)
    assert arrays["b"] == np.float16(3)


def test_metadata_that_looks_like_the_digest_does_not_take_its_place(tmp_path):
    metadata = {f"key {i}": "0" * 64 for i in range(10)}  # the order in the file is random
    metadata["quoted"] = '"sha256":"' + "0" * 64 + '"'
    storage.save(tmp_path / "w", {"a": ARRAYS["a"]}, metadata)
    assert storage.load(tmp_path / "w")[1] == metadata


def test_numbers_that_look_like_the_digest_stay_what_they_are(tmp_path):
    array = np.frombuffer(b'"sha256":"' + b"0" * 64 + b'"', np.uint8)
    storage.save(tmp_path / "w", {"a": array})
    np.testing.assert_array_equal(storage.load(tmp_path / "w")[0]["a"], array)


@pytest.mark.parametrize(
    ("arrays", "metadata", "error", "message"),
    [
        ({"a": [1.0]}, {}, DTypeError, "a must be an array or a Tensor, got list"),
        ({"a": np.array([None])}, {}, DTypeError, "dtype .*object"),
        ({"a": np.ones(1)}, {"epoch": 3}, DTypeError, "'int' object"),
        (
            {"a": np.ma.array([1.0, 2.0], mask=[0, 1])},
            {},
            DTypeError,
            r"a: MaskedArray computes in its own way; pass x.filled",
        ),
        ({"\ud800": np.ones(1)}, {}, DTypeError, "surrogates not allowed"),
        ({"a": np.ones(1)}, {"k": "\ud800"}, DTypeError, "surrogates not allowed"),
        ({"a": np.ones(1)}, 5, DTypeError, r"metadata \{str: str\}, got a int"),
        ({"a": np.ones(1)}, [], DTypeError, "got a list"),
        ({"__metadata__": np.ones(1)}, {}, OptionError, "'__metadata__' belongs to the file"),
        ({"a": np.ones(1)}, {"sha256": "mine"}, OptionError, "'sha256' belongs to the file"),
        ({"a": np.ones(1)}, {"written_by": "me"}, OptionError, "'written_by' belongs to the file"),
    ],
)
def test_what_would_not_come_back_is_refused_and_not_written(tmp_path, arrays, metadata, error, message):
    with pytest.raises(error, match=message):
        storage.save(tmp_path / "w", arrays, metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(tmp_path, monkeypatch):
    storage.save(tmp_path / "w", {"a": ARRAYS["a"]}, {"epoch": "1"})
    fstat = os.fstat

    def replaced(handle):  # as soon as it is open
        monkeypatch.undo()
        storage.save(tmp_path / "w", {"a": ARRAYS["a"] + 1}, {"epoch": "2", "more": "x" * 1000})
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", replaced)
    arrays, metadata = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert metadata == {"epoch": "1"}
    assert storage.load(tmp_path / "w")[1]["epoch"] == "2"


@pytest.mark.parametrize("path", ["missing.safetensors", "."])
def test_what_is_no_file_is_refused(tmp_path, path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        storage.load(tmp_path / path)


def test_files_from_elsewhere_carry_no_digest_and_load(tmp_path, the_library):
    (tmp_path / "w").write_bytes(the_library.save({"a": ARRAYS["a"]}))
    arrays, metadata = storage.load(tmp_path / "w")
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert metadata == {}


def test_other_programs_read_our_files(tmp_path, the_library):
    storage.save(tmp_path / "w", ARRAYS)
    np.testing.assert_array_equal(the_library.load((tmp_path / "w").read_bytes())["a"], ARRAYS["a"])


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"\x80\x04\x95\x10\x00", r"a pickle, and not one of PyTorch's; .*np\.savez"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"GGUF" + bytes(50), "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "it is empty"),
    ],
)
def test_files_of_other_kinds_are_named_with_the_way_to_convert_them(tmp_path, start, hint):
    (tmp_path / "w.pth").write_bytes(start)
    with pytest.raises(CheckpointError, match=rf"w\.pth is no sound safetensors file: .*{hint}"):
        storage.load(tmp_path / "w.pth")


def test_a_run_s_checkpoint_says_where_its_weights_are(tmp_path):
    storage.save_checkpoint(tmp_path / "c", {"model": {"a": np.ones(1)}}, {})
    with pytest.raises(CheckpointError, match=r"storage\.load_checkpoint\(path\)\[0\]\['model'\]"):
        storage.load(tmp_path / "c")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    """A pipe without a writer would be waited for, and /dev/zero read for ever."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", "/dev/zero", "/dev/null", tmp_path, "x" * 5000):
            with pytest.raises(CheckpointError, match="cannot be read"):
                storage.load(path)


def test_files_larger_than_they_say_or_than_memory_are_refused_unread(tmp_path):
    path = tmp_path / "w"
    for said in (4, 8 << 40):  # a sparse file of eight terabytes, which says that it has four bytes, or them all
        text = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (said, said)
        with open(path, "wb") as file:
            file.write(header(text))
            file.truncate(8 + len(text) + (8 << 40))
        with pytest.raises(CheckpointError, match="its header says" if said == 4 else "more than the .* GB of this"):
            storage.load(path)


@pytest.mark.parametrize("more", [0, 1])
def test_a_header_longer_than_the_format_allows_is_not_read(tmp_path, monkeypatch, more):
    text = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "w").write_bytes(header(text + b" " * more) + b"1")
    monkeypatch.setattr(storage.weights, "MAX_HEADER", len(text))
    if more:
        with pytest.raises(CheckpointError, match="w is no sound safetensors file: its header would be 54 bytes long"):
            storage.load(tmp_path / "w")
    else:
        assert storage.load(tmp_path / "w")[0]["a"] == [ord("1")]


@pytest.mark.parametrize("metadata", ["[]", "5", '{"a": 1}', '"x"', "[[1]]"])
def test_odd_metadata_is_refused_by_all_readers(tmp_path, metadata):
    (tmp_path / "w").write_bytes(header(b'{"__metadata__":' + metadata.encode() + b"}"))
    for read in (storage.load, storage.load_checkpoint, storage.load_state):
        with pytest.raises(CheckpointError, match="w is no"):
            read(tmp_path / "w")


@pytest.mark.parametrize(
    ("arrays", "remedy"),
    [
        (nn.Linear(2, 2, rng=0), r"got a Linear; give model\.state_dict\(\)"),
        ("weights.safetensors", r"got a str; the path comes first: save\(path, arrays\)"),
    ],
)
def test_a_model_or_a_path_in_the_place_of_the_arrays_says_what_to_write(tmp_path, arrays, remedy):
    with pytest.raises(DTypeError, match=remedy):
        storage.save(tmp_path / "weights.safetensors", arrays)
    assert not list(tmp_path.iterdir())
