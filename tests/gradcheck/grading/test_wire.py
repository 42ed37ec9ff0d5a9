"""The wire: what is sent arrives, and whatever else arrives is WireError and nothing else."""

import json
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minires.gradcheck.grading import wire
from minires.gradcheck.grading.wire import WireError

DTYPES = [np.dtype(name) for name in wire.NAMES]
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**500), 2**500),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=20),
    st.just(...),
    st.just(NotImplemented),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=3))
    ),
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=10,
)
EXAMPLE = {"a": [np.arange(6.0).reshape(2, 3), 2.5, (True, None)], "b": np.array([1, 0], bool), "c": ["ü", -7, 1j, ...]}


def there_and_back(value, keep=None, find=None):
    return wire.decode(wire.encode(value, keep)[8:], find)


def same(a, b):
    """Whether two values are alike in type, in structure and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float | complex):
        return np.array(a).tobytes() == np.array(b).tobytes() or (a != a and b != b)
    return a == b


def message(header, data=b""):
    """The bytes that decode() is given, for a header of one's own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(text)) + text + data


@given(values)
def test_what_is_sent_arrives(value):
    assert same(there_and_back(value), value)


def test_arrays_arrive_in_rows_and_in_the_order_of_this_machine():
    for array in (np.arange(6.0).reshape(2, 3).T, np.arange(8, dtype=">f8")[::-2], np.asfortranarray(np.eye(3))):
        arrived = there_and_back(array)
        assert arrived.flags.c_contiguous
        assert arrived.flags.writeable
        assert arrived.flags.aligned
        assert arrived.dtype.isnative
        np.testing.assert_array_equal(arrived, array)


def test_a_scalar_arrives_as_an_array_without_dimensions():
    assert same(there_and_back(np.float32(1.5)), np.array(1.5, np.float32))
    assert same(there_and_back(np.float64("nan")), np.array(float("nan")))


def test_a_subclass_arrives_as_what_it_derives_from():
    class Text(str):
        def __str__(self):
            return "another"

    class Number(int):
        def __int__(self):
            return 9

    class Table(dict):
        def items(self):
            return [("b", 2)]

    class Many(list):
        def __iter__(self):
            return iter([9])

    class Array(np.ndarray):
        def __array__(self, *args, **kwargs):
            raise ValueError

    value = {"a": [Text("one"), Number(1), Table(a=1), Many([1])]}
    assert same(there_and_back(value), {"a": ["one", 1, {"a": 1}, [1]]})
    assert same(there_and_back(np.arange(3.0).view(Array)), np.arange(3.0))


def test_what_has_no_form_becomes_a_handle():
    def keep(value):
        kept.append(value)
        return len(kept) - 1, type(value).__name__, callable(value)

    kept = []
    odd = [len, object(), {1: 2}, np.array([None]), np.array(["a"]), np.longdouble(1), 2**600]
    assert there_and_back(odd, keep, lambda number, kind, is_callable: kept[number]) == odd
    assert there_and_back(odd[0], keep, lambda *handle: handle)[1:] == ("builtin_function_or_method", True)
    with pytest.raises(WireError, match="a object has no form"):
        wire.encode(odd[1])


def test_an_object_that_lies_about_its_class_is_no_array():
    class Liar:
        __class__ = np.ndarray

    with pytest.raises(WireError, match="a Liar has no form"):
        wire.encode(Liar())


def test_what_is_too_deep_too_many_or_too_long_is_not_sent():
    deep = []
    deep.append(deep)
    huge = np.broadcast_to(1.0, (10**6, 10**6))
    for value, sentence in (
        (deep, "nested"),
        ([0] * 20_000, "elements"),
        (huge, "more than 256 MB"),
        ("a" * 2**20, "MB"),
    ):
        with pytest.raises(WireError, match=sentence):
            wire.encode(value)
    with pytest.raises(WireError, match="longer than 0 MB"):
        wire.encode(np.zeros(1000), limit=1000)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"value": null, "value": 1, "arrays": []}',
        b'{"value": NaN, "arrays": []}',
        b'{"value": 1.5, "arrays": []}',
        b'{"value": ' + b"9" * 5000 + b', "arrays": []}',
        b'{"value": ' + b"9" * 1000 + b', "arrays": []}',
        b'{"value": "\xff", "arrays": []}',
        {"value": None},
        {"value": None, "arrays": [], "more": 1},
        {"value": {}, "arrays": []},
        {"value": [], "arrays": []},
        {"value": ["pickle", "cos"], "arrays": []},
        {"value": ["_text", "a"], "arrays": []},
        {"value": ["value", None], "arrays": []},
        {"value": ["float", 1], "arrays": []},
        {"value": ["float", "1", "2"], "arrays": []},
        {"value": ["array", 0], "arrays": []},
        {"value": ["array", -1], "arrays": []},
        {"value": ["array", True], "arrays": []},
        {"value": ["dict", ["a", 1], ["a", 2]], "arrays": []},
        {"value": ["dict", [1, 1]], "arrays": []},
        {"value": ["handle", 0, "f", True], "arrays": []},
        {"value": ["list", ["ellipsis", 1]], "arrays": []},
        {"value": None, "arrays": [["<f8", [0]]]},
        {"value": None, "arrays": {}},
        {"value": ["array", 0], "arrays": [["|O", [1]]]},
        {"value": ["array", 0], "arrays": [["<f16", [1]]]},
        {"value": ["array", 0], "arrays": [["<U1", [1]]]},
        {"value": ["array", 0], "arrays": [["f8,f8", [1]]]},
        {"value": ["array", 0], "arrays": [["<f8", [-1]]]},
        {"value": ["array", 0], "arrays": [["<f8", [1.0]]]},
        {"value": ["array", 0], "arrays": [["<f8", [True]]]},
        {"value": ["array", 0], "arrays": [["<f8", [2**40]]]},
        {"value": ["array", 0], "arrays": [["<f8", [2**31, 2**31, 2**31]]]},
        {"value": ["array", 0], "arrays": [["<f8", [0, 2**31, 2**31, 2**31]]]},
        {"value": ["array", 0], "arrays": [["<f8", [1] * 70]]},
        {"value": ["array", 0], "arrays": [["<f8", "1"]]},
        {"value": ["array", 0], "arrays": [["<f8"]]},
        {"value": ["list"] + [None] * 20_000, "arrays": []},
        {"value": None, "arrays": [["<f8", [0]]] * 20_000},
    ],
    ids=lambda header: str(header)[:60],
)
def test_what_is_not_in_the_format_is_refused(header):
    with pytest.raises(WireError):
        wire.decode(message(header))


def test_bytes_that_are_too_few_too_many_or_no_bool_are_refused():
    header = {"value": ["array", 0], "arrays": [["|b1", [2]]]}
    assert list(wire.decode(message(header, b"\0\1"))) == [False, True]
    for data in (b"", b"\0", b"\0\1\0", b"\0\2"):
        with pytest.raises(WireError):
            wire.decode(message(header, data))


def test_a_message_cut_anywhere_is_refused():
    whole = wire.encode(EXAMPLE)[8:]
    for length in range(len(whole)):
        with pytest.raises(WireError):
            wire.decode(whole[:length])


def test_a_message_with_any_byte_changed_is_a_value_or_refused():
    whole = wire.encode(EXAMPLE)[8:]
    rng = random.Random(0)
    for at in range(len(whole)):
        for byte in {0, 255, *(whole[at] ^ 1 << bit for bit in range(8))}:
            changed = bytearray(whole)
            changed[at] = byte
            decoded_or_refused(changed)
    for _ in range(2000):
        changed = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        decoded_or_refused(changed)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_refused(data):
    decoded_or_refused(data)
    decoded_or_refused(message(data))


def decoded_or_refused(data):
    try:
        wire.decode(bytes(data), lambda *handle: handle)
    except WireError:
        return


def test_lone_surrogates_do_not_arrive():
    assert there_and_back({"a\ud800": "\udcff"}) == {"a?": "?"}
