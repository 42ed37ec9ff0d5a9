"""The plain format between the grader and a submission's process: values and arrays, and nothing that could run.

    message   length of what follows (8 bytes) | length of the header (4 bytes) | header (JSON) | the arrays' bytes
    header    {"value": tree, "arrays": [[dtype, shape], …]}
    tree      null, true, 7, "text", or a list whose first element says what it is:
              ["float", "0x1.8p+1"]  ["complex", "0x0.0p+0", "nan"]  ["array", 0]  ["list", …]  ["tuple", …]
              ["dict", ["key", tree], …]  ["ellipsis"]  ["not implemented"]  ["handle", 3, "Conv", true]

The arrays follow one another in the order of their list, little-endian and row by row, so that no offset can be wrong.
Both sides use this file. The child's side loads it by its path, so it imports nothing of minires.
"""

import json
import math
import struct

import numpy as np

NAMES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
NAMES += ("float16", "float32", "float64", "complex64", "complex128")
DTYPES = {np.dtype(name).newbyteorder("<").str: np.dtype(name).newbyteorder("<") for name in NAMES}
LIMIT = 256 * 2**20  # bytes in a message
HEADER = 2**20  # bytes in its header
DEPTH = 16  # lists within lists
NODES = 10_000  # values in all
DIMENSIONS = 32
EXTENT = 2**31  # elements along one dimension
WORD = 64 * 8  # bits of an integer


class WireError(ValueError):
    """Bytes that are no message, or a value that no message can hold."""


# ---- a value to bytes


def encode(value, keep=None, limit=LIMIT):
    """The bytes of a message. What has no form here becomes a handle, keep(object) -> (number, type, callable).

    Raises WireError for what is too long, too deep, or has neither a form nor a handle.
    """
    writer = _Writer(keep)
    tree = writer.tree(value, 0)
    header = json.dumps({"value": tree, "arrays": writer.table}, separators=(",", ":")).encode()
    length = 4 + len(header) + writer.bytes
    if length > limit or len(header) > HEADER:
        raise WireError(
            f"it is longer than {limit // 2**20} MB, or has more than {HEADER // 2**20} MB beside its arrays"
        )
    return b"".join([struct.pack(">QI", length, len(header)), header, *(array.tobytes() for array in writer.arrays)])


class _Writer:
    """Walks over a value. Types are asked by type(), because an object may lie about its __class__."""

    def __init__(self, keep):
        self.keep = keep
        self.arrays = []
        self.table = []
        self.bytes = 0
        self.nodes = 0

    def tree(self, value, depth):
        self.nodes += 1
        if depth > DEPTH:
            raise WireError(f"it is nested more than {DEPTH} deep")
        if self.nodes > NODES:
            raise WireError(f"it has more than {NODES} elements, numbers in lists and the like")
        kind = type(value)
        if value is None or value is True or value is False:
            return value
        if value is Ellipsis:
            return ["ellipsis"]
        if value is NotImplemented:
            return ["not implemented"]
        if issubclass(kind, np.ndarray | np.generic) and value.dtype.newbyteorder("<").str in DTYPES:
            return self.array(value)
        if issubclass(kind, str) and len(value) <= HEADER:
            return str.__str__(value)
        if issubclass(kind, int) and int.bit_length(value) <= WORD:
            return int.__int__(value)
        if issubclass(kind, float):
            return ["float", float.hex(value)]
        if issubclass(kind, complex):
            return ["complex", float.hex(value.real), float.hex(value.imag)]
        if issubclass(kind, list):
            return ["list", *(self.tree(v, depth + 1) for v in list.__iter__(value))]
        if issubclass(kind, tuple):
            return ["tuple", *(self.tree(v, depth + 1) for v in tuple.__iter__(value))]
        if issubclass(kind, dict) and all(issubclass(type(key), str) for key in dict.keys(value)):
            return ["dict", *([str.__str__(k), self.tree(v, depth + 1)] for k, v in dict.items(value))]
        if self.keep is None:
            raise WireError(f"a {kind.__name__} has no form in a message")
        return ["handle", *self.keep(value)]

    def array(self, value):
        plain = np.asarray(value)  # of a subclass, the array itself
        self.table.append([plain.dtype.newbyteorder("<").str, list(plain.shape)])
        self.bytes += plain.nbytes
        if self.bytes > LIMIT:  # said before bytes are made of it: a view may be far larger than its memory
            raise WireError(f"its arrays have more than {LIMIT // 2**20} MB")
        self.arrays.append(plain.astype(plain.dtype.newbyteorder("<"), copy=False))
        return ["array", len(self.table) - 1]


# ---- bytes to a value


def decode(message, find=None):
    """The value of a message without its first 8 bytes; find(number, type, callable) says what a handle stands for.

    Raises WireError, and nothing else, whatever the bytes are.
    """
    try:
        return _decode(memoryview(message), find)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, struct.error) as error:
        raise WireError(f"it is not in the format: {type(error).__name__}") from None


def _decode(message, find):
    (length,) = struct.unpack_from(">I", message)
    _need(length <= HEADER and 4 + length <= len(message), "its header is cut off or too long")
    header = json.loads(
        bytes(message[4 : 4 + length]).decode(),
        parse_constant=_refuse,
        parse_float=_refuse,
        object_pairs_hook=_without_duplicates,
    )
    _need(type(header) is dict and header.keys() == {"value", "arrays"}, "its header is none")
    reader = _Reader(_arrays(header["arrays"], message[4 + length :]), find)
    value = reader.value(header["value"], 0)
    _need(reader.next == len(reader.arrays), "it has arrays that nothing refers to")
    return value


def _arrays(table, data):
    """Copies of the arrays; every length is known to fit before anything is made."""
    _need(type(table) is list and len(table) <= NODES, "its list of arrays is none")
    at = 0
    places = []
    for row in table:
        _need(type(row) is list and len(row) == 2, "an array has no dtype or no shape")
        dtype, shape = row
        _need(type(dtype) is str and dtype in DTYPES, "an array has a dtype of its own")
        _need(type(shape) is list and len(shape) <= DIMENSIONS, "an array has no shape")
        _need(all(type(n) is int and 0 <= n <= EXTENT for n in shape), "an array has an impossible shape")
        count = math.prod(shape)
        places.append((DTYPES[dtype], shape, at, count))
        at += count * DTYPES[dtype].itemsize
        _need(at <= len(data), "an array is cut off")
    _need(at == len(data), "there is something after the arrays")
    arrays = []
    for dtype, shape, start, count in places:
        flat = np.frombuffer(data[start : start + count * dtype.itemsize], dtype, count)
        if dtype.kind == "b":
            _need(flat.view(np.uint8).max(initial=0) <= 1, "a bool is neither true nor false")
        arrays.append(flat.reshape(shape).astype(dtype.newbyteorder("="), copy=True))
    return arrays


class _Reader:
    def __init__(self, arrays, find):
        self.arrays = arrays
        self.find = find
        self.next = 0
        self.nodes = 0

    def value(self, tree, depth):
        self.nodes += 1
        _need(depth <= DEPTH, f"it is nested more than {DEPTH} deep")
        _need(self.nodes <= NODES, f"it has more than {NODES} elements")
        if tree is None or tree is True or tree is False:
            return tree
        if type(tree) is int:
            _need(tree.bit_length() <= WORD, "an integer is too long")
            return tree
        if type(tree) is str:
            return _text(tree)
        _need(type(tree) is list and tree and type(tree[0]) is str, "a value has no kind")
        kind, *parts = tree
        read = getattr(self, "_" + kind.replace(" ", "_"), None) if kind in KINDS else None
        _need(read is not None, "a value has a kind of its own")
        return read(parts, depth)

    def _float(self, parts, depth):
        (text,) = parts
        return float.fromhex(text)

    def _complex(self, parts, depth):
        real, imag = parts
        return complex(float.fromhex(real), float.fromhex(imag))

    def _ellipsis(self, parts, depth):
        _need(not parts, "an ellipsis has parts")
        return ...

    def _not_implemented(self, parts, depth):
        _need(not parts, "NotImplemented has parts")
        return NotImplemented

    def _array(self, parts, depth):
        (index,) = parts
        _need(type(index) is int and index == self.next < len(self.arrays), "an array is missing, or used twice")
        self.next += 1
        return self.arrays[index]

    def _list(self, parts, depth):
        return [self.value(part, depth + 1) for part in parts]

    def _tuple(self, parts, depth):
        return tuple(self.value(part, depth + 1) for part in parts)

    def _dict(self, parts, depth):
        _need(
            all(type(part) is list and len(part) == 2 and type(part[0]) is str for part in parts), "a dict has no keys"
        )
        found = {_text(key): self.value(part, depth + 1) for key, part in parts}
        _need(len(found) == len(parts), "a key comes twice")
        return found

    def _handle(self, parts, depth):
        number, kind, is_callable = parts
        _need(type(number) is int and 0 <= number < 2**63, "a handle has no number")
        _need(type(kind) is str and type(is_callable) is bool, "a handle has no type")
        _need(self.find is not None, "it has a handle of an unknown object")
        return self.find(number, _text(kind), is_callable)


KINDS = {"float", "complex", "array", "list", "tuple", "dict", "ellipsis", "not implemented", "handle"}


def _text(text):
    """A str without lone surrogates: Python holds them, no file and no console takes them."""
    return text.encode("utf-8", "replace").decode()


def _need(condition, sentence):
    if not condition:
        raise WireError(sentence)


def _refuse(text):
    raise WireError("a number is not in the format")


def _without_duplicates(pairs):
    found = dict(pairs)
    _need(len(found) == len(pairs), "a name comes twice")
    return found
