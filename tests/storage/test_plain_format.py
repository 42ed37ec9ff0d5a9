"""The format in Python writes the library's bytes, and refuses what the library refuses."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minires import models, storage
from minires.errors import CheckpointError
from minires.storage import plain
from minires.storage.weights import _format


def test_the_library_is_used_where_it_is_installed(file_format):
    assert _format()[0].__name__ == {"library": "safetensors.numpy", "plain": "minires.storage.plain"}[file_format]


ALL = {f"{'zyx'[k % 3]}{dtype}": np.arange(6).reshape(2, 3).astype(dtype) for k, dtype in enumerate("?bBhHiIqQefdF")}
ODD = {'é\n\x7f\u2028"\\/': np.ones(3, bool), "b": np.zeros((0, 2)), "a": np.array(7), "": np.ones(1, ">f4")}
NET = {name: np.ascontiguousarray(array) for name, array in models.resnet8(rng=0).state_dict().items()}


@pytest.mark.parametrize("arrays", [ALL, ODD, {}, NET], ids=["all", "odd", "none", "net"])
@pytest.mark.parametrize("metadata", [{}, {"ü": 'a "quoted"\ttext \u0001 ∂'}], ids=["bare", "metadata"])
def test_the_bytes_are_the_library_s_to_the_last(the_library, arrays, metadata):
    written = plain.save(arrays, metadata)
    assert written == the_library.save(arrays, metadata or None)
    for name, array in plain.load(written).items():
        assert (array.dtype, array.shape) == (arrays[name].dtype.newbyteorder("="), arrays[name].shape)
        np.testing.assert_array_equal(array, arrays[name])
        assert array.flags.writeable


@pytest.mark.parametrize("dtype", ["D", "U3", "M8[s]", "O"])
def test_a_dtype_that_the_format_has_not_is_named(dtype):
    with pytest.raises(plain.SafetensorError, match=f"no dtype {np.dtype(dtype).name[:6]}.*; it has bool, uint8"):
        plain.save({"a": np.zeros(1, dtype)}, {})


def file(header, size):
    text = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + bytes(size)


def entry(begin, end, dtype="U8", shape=None):
    return json.dumps(
        {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}
    )


ONE = entry(0, 1)
SOUND = {
    "one array": (f'{{"a":{ONE}}}', 1),
    "the second first": (f'{{"b":{entry(1, 2)},"a":{ONE}}}', 2),
    "no metadata": (f'{{"__metadata__":null,"a":{ONE}}}', 1),
    "spaces around": (f' {{"a":{ONE}}} \n\t', 1),
    "a field more": ('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":[1.5,{"y":null}]}}', 1),
    "empty at the beginning": (f'{{"a":{ONE},"b":{entry(0, 0)}}}', 1),
    "empty at the end": (f'{{"a":{ONE},"b":{entry(1, 1)}}}', 1),
    "a single value": (f'{{"a":{entry(0, 1, shape=[])}}}', 1),
    "no array": ("{}", 0),
    "an escaped name": (f'{{"\\ud83d\\ude00\\u0000":{ONE}}}', 1),
    "an empty name": (f'{{"":{ONE}}}', 1),
    "zero times much": (f'{{"a":{entry(0, 0, shape=[0, 2**32, 2**20])}}}', 0),
    "many axes": (f'{{"a":{entry(0, 1, shape=[1] * 32)}}}', 1),
}
BROKEN = {
    "a gap": (f'{{"a":{entry(1, 2)}}}', 2),
    "an overlap": (f'{{"a":{ONE},"b":{ONE}}}', 1),
    "half an overlap": (f'{{"a":{entry(0, 2)},"b":{entry(1, 3)}}}', 3),
    "empty in the middle": (f'{{"a":{entry(0, 2)},"b":{entry(1, 1)}}}', 2),
    "bytes at the end": (f'{{"a":{ONE}}}', 2),
    "bytes missing": (f'{{"a":{entry(0, 2)}}}', 1),
    "the end before the beginning": (f'{{"a":{entry(1, 0, shape=[1])}}}', 1),
    "below the beginning": (f'{{"a":{entry(-1, 0)}}}', 1),
    "shape too small": (f'{{"a":{entry(0, 2, shape=[1])}}}', 2),
    "shape of nothing": (f'{{"a":{entry(0, 1, shape=[0])}}}', 1),
    "a negative shape": (f'{{"a":{entry(0, 1, shape=[-1, -1])}}}', 1),
    "a shape of floats": (f'{{"a":{entry(0, 1, shape=[1.0])}}}', 1),
    "a shape of truth": (f'{{"a":{entry(0, 1, shape=[True])}}}', 1),
    "a shape of text": (f'{{"a":{entry(0, 1, shape="1")}}}', 1),
    "a size without end": (f'{{"a":{entry(0, 0, shape=[2**64, 0])}}}', 0),
    "a product without end": (f'{{"a":{entry(0, 0, shape=[2**32, 2**32, 0])}}}', 0),
    "an unknown dtype": (f'{{"a":{entry(0, 16, "C128", [1])}}}', 16),
    "a dtype in small letters": (f'{{"a":{entry(0, 4, "f32", [1])}}}', 4),
    "a dtype that is a list": (f'{{"a":{entry(0, 1, ["U8"], [1])}}}', 1),
    "half a byte": (f'{{"a":{entry(0, 1, "F4", [1])}}}', 1),
    "three offsets": ('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1),
    "no offsets": ('{"a":{"dtype":"U8","shape":[1]}}', 1),
    "a field twice": ('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "metadata twice": (f'{{"__metadata__":{{}},"__metadata__":{{}},"a":{ONE}}}', 1),
    "metadata that is a list": (f'{{"__metadata__":[],"a":{ONE}}}', 1),
    "metadata of numbers": (f'{{"__metadata__":{{"a":1}},"a":{ONE}}}', 1),
    "NaN": ('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":NaN}}', 1),
    "half a character": (f'{{"\\ud800":{ONE}}}', 1),
    "bytes that are no UTF-8": (f'{{"\ud800":{ONE}}}', 1),
    "a byte order mark": (f'\ufeff{{"a":{ONE}}}', 1),
    "a line break in a name": (f'{{"a\n":{ONE}}}', 1),
    "more after the end": (f'{{"a":{ONE}}} x', 1),
    "a list": (f"[{ONE}]", 1),
    "nothing": ("", 0),
    "brackets without end": ("[" * 100_000, 0),
}
TWICE = {
    "a name twice": f'{{"a":{ONE},"a":{ONE}}}',
    "a broken one and a sound one": f'{{"a":{entry(5, 9)},"a":{ONE}}}',
    "a text twice": f'{{"__metadata__":{{"x":"1","x":"2"}},"a":{ONE}}}',
}


@pytest.mark.parametrize(("header", "size"), SOUND.values(), ids=SOUND)
def test_sound_files_are_read(the_library, tmp_path, file_format, header, size):
    content = file(header, size)
    (tmp_path / "w").write_bytes(content)
    expected = the_library.load(content)
    found = storage.load(tmp_path / "w")[0]
    assert {name: (a.dtype, a.shape) for name, a in found.items()} == {
        n: (a.dtype, a.shape) for n, a in expected.items()
    }


@pytest.mark.parametrize(("header", "size"), BROKEN.values(), ids=BROKEN)
def test_broken_files_are_refused_as_the_library_refuses_them(the_library, tmp_path, file_format, header, size):
    content = file(header, size)
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(Exception, match="Error while deserializing"):
        the_library.load(content)
    with pytest.raises(plain.SafetensorError):
        plain.load(content)
    with pytest.raises(CheckpointError, match="w is no sound safetensors file"):
        storage.load(tmp_path / "w")


@pytest.mark.parametrize("header", TWICE.values(), ids=TWICE)
def test_what_is_there_twice_is_refused_though_the_library_takes_the_last(the_library, tmp_path, file_format, header):
    (tmp_path / "w").write_bytes(file(header, 1))
    the_library.load(file(header, 1))
    with pytest.raises(CheckpointError, match=r"w is no sound safetensors file: its header has the name '[ax]' twice"):
        storage.load(tmp_path / "w")


def test_a_shape_of_a_million_huge_sizes_is_refused_at_once():
    with pytest.raises(plain.SafetensorError, match="'a' is larger than any memory"):
        plain.load(file(f'{{"a":{entry(0, 0, shape=[2**63] * 1_000_000)}}}', 0))


@given(
    st.dictionaries(
        st.text(max_size=2),
        st.tuples(
            st.sampled_from(["U8", "F4", "F16", "BF16", "F32", "X"]),
            st.lists(st.integers(-1, 3), max_size=2),
            st.tuples(st.integers(-1, 6), st.integers(-1, 6)),
        ),
        max_size=3,
    ),
    st.integers(0, 8),
)
def test_any_header_is_read_or_refused_by_both(entries, size):
    the_library = pytest.importorskip("safetensors.numpy")
    header = {name: dict(zip(("dtype", "shape", "data_offsets"), fields)) for name, fields in entries.items()}
    content = file(json.dumps(header), size)
    assert outcome(plain, content) == outcome(the_library, content)


def outcome(reader, content):
    """{name: what is there}, or the class of the error."""
    try:
        return {name: (a.dtype, a.shape, a.tobytes()) for name, a in reader.load(content).items()}
    except Exception as error:
        return type(error).__name__
