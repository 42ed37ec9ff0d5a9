"""The safetensors format in Python, for where the library of that name is not installed: a browser has none.

    8 bytes    the length of the header, little-endian
    header     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …} in JSON, padded with spaces
    the rest   the arrays one after another, without a gap

save() writes the library's bytes, but for the order of the metadata, which is random there. load() refuses what the
library refuses, and whatever has a name twice, because the format forbids that.
"""

import json

import numpy as np

from minires.storage.json_text import parse

# The library writes wide values first, so that each array is aligned: from the last of these to the first.
DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "I32": "<i4",
    "U32": "<u4",
    "F32": "<f4",
    "C64": "<c8",
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
BITS = {code: 8 * dtype.itemsize for dtype, code in CODES.items()} | {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    "BF16": 16,
}  # of a value; NumPy has not the last of them, but BF16 is read as F32
MOST = 2**64  # a size is below this


class SafetensorError(Exception):
    """What the format cannot hold, or no file of this format."""


class TwiceError(ValueError):
    """A name that is twice in a header."""


def save(arrays, metadata):
    """{name: contiguous array} and {str: str} -> the bytes of a file."""
    _check_texts("a name", arrays)
    _check_texts("metadata", [*metadata, *metadata.values()])
    little = {name: array.astype(array.dtype.newbyteorder("<"), copy=False) for name, array in arrays.items()}
    unknown = [array.dtype.name for array in little.values() if array.dtype not in CODES]
    if unknown:
        raise SafetensorError(f"the format has no dtype {unknown[0]}; it has {', '.join(d.name for d in CODES)}")
    order = list(DTYPES)
    names = sorted(little, key=lambda name: (-order.index(CODES[little[name].dtype]), name))
    header = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name in names:
        array = little[name]
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": CODES[array.dtype], "shape": array.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(little[name].tobytes() for name in names)])


def _check_texts(what, values):
    wrong = [value for value in values if not isinstance(value, str)]
    if wrong:
        raise TypeError(f"{what} must be text, got a {type(wrong[0]).__name__!r} object")


def load(content):
    """The bytes of a file -> {name: array}; BF16 becomes float32. Raises KeyError for other types unknown to NumPy."""
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = parse(content[8:start].decode(), object_pairs_hook=unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"its header cannot be parsed: {error}") from error
    if not isinstance(header, dict):
        raise SafetensorError("its header is no dictionary")
    texts = header.pop("__metadata__", None)
    texts = {} if texts is None else texts
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise SafetensorError("its metadata must be texts")
    for name, entry in header.items():
        _check(name, entry)
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["data_offsets"][0] != end:
            raise SafetensorError(f"{name!r} does not begin where the array before it ends")
        end = entry["data_offsets"][1]
    if start + end != len(content):
        raise SafetensorError(f"its arrays end at byte {start + end}, and it has {len(content)}")
    body = memoryview(content)[start:]
    return {name: _array(body, **entry) for name, entry in header.items()}


def unique(pairs):
    """A dictionary of JSON. Raises TwiceError for a name that is there twice, where Python would take the last."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise TwiceError(f"its header has the name {name!r} twice")
        found[name] = value
    return found


def _no_number(text):
    raise ValueError(f"{text} is no JSON")


def _check(name, entry):
    """Raise SafetensorError unless dtype, shape and data_offsets fit together."""
    try:
        name.encode()
        sizes = [*entry["shape"], *entry["data_offsets"]]
        begin, end = entry["data_offsets"]
        bits = BITS[entry["dtype"]]
    except (UnicodeEncodeError, KeyError, TypeError, ValueError) as error:
        raise SafetensorError(f"its header does not describe {name!r}: {error!r}") from error
    if not all(type(size) is int and 0 <= size < MOST for size in sizes):
        raise SafetensorError(f"{name!r} has a size that is none, among {sizes}")
    for size in entry["shape"]:
        bits *= size
        if bits >= 8 * MOST:  # at once, because a product of many such sizes takes for ever
            raise SafetensorError(f"{name!r} is larger than any memory")
    if bits != 8 * (end - begin):
        raise SafetensorError(
            f"{name!r} of {entry['dtype']} and shape {entry['shape']} does not have {end - begin} bytes"
        )


def _array(body, dtype, shape, data_offsets, **unknown):
    begin, end = data_offsets
    if dtype == "BF16":  # the upper halves of float32 numbers
        return (np.frombuffer(body[begin:end], "<u2").astype("u4") << 16).view("f4").reshape(shape)
    return np.frombuffer(bytearray(body[begin:end]), DTYPES[dtype]).reshape(shape)
