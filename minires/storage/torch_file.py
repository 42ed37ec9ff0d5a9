"""PyTorch's weight files (.pth, .pt, .th, .tar), without PyTorch.

There are two kinds. Since 2020 a file is a zip archive:

    archive/data.pkl      the pickle: dictionaries, names, and where each tensor's numbers are
    archive/data/0, …     the numbers, a member for each storage
    archive/byteorder     "little" or "big"

Before, it was a stream: five pickles (a magic number, the version, the byte order, the value itself, the list of the
storages' keys), and then for each key its length, as 8 bytes, and its numbers.

Several tensors may share a storage. Each comes back as an array of its own shape and strides on the same numbers.
"""

import io
import math
import zipfile
from contextlib import contextmanager

import numpy as np

from minires.errors import CheckpointError
from minires.storage.torch_pickle import BFLOAT16, PickleError, View, itemsize, read

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a stream
VERSION = 1001
# Where a training run keeps the weights, in the order in which they are looked for.
PARTS = ["state_dict", "model_state_dict", "model", "net", "network", "weights", "params"]
PARTS += ["state_dict_ema", "model_ema", "ema"]
MOST = 8  # times the file: tensors that share their numbers, or repeat them, are copied when they are saved again


def is_torch(content):
    """Whether a file that begins like this may be one of PyTorch's."""
    return content[:2] == b"PK" or (content[:2] == b"\x80\x02" and content[2:3] == b"\x8a")


def load(path, content, part=None):
    """({name: array}, {name: text}) of the bytes of a file: its tensors, and the plain values beside them.

    part: which dictionary of the file is taken, if it has several. Raises CheckpointError.
    """
    try:
        value, storages = _zip(content) if content[:2] == b"PK" else _stream(content)
        views, texts = _part(value, part)
        size = sum(math.prod(view.shape) * itemsize(view.dtype) for view in views.values())
        if size > MOST * len(content):
            raise PickleError(f"its tensors would take {size:,} bytes, and the file has {len(content):,}")
        return {name: storages.array(view) for name, view in views.items()}, texts
    except (PickleError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


class _Storages:
    """The numbers of a file's storages, each read once. find(storage) gives its bytes; order is "<" or ">"."""

    def __init__(self, find, order):
        self.find, self.order = find, order
        self.read = {}

    def array(self, view):
        """The numbers that a View speaks of. Two views of one storage share them."""
        storage = view.storage
        place = (storage.key, view.dtype)
        if place not in self.read:
            self.read[place] = self._numbers(storage, view.dtype)
        numbers = self.read[place]
        steps = [step * numbers.itemsize for step in view.stride]
        if 0 in view.shape:
            return np.empty(view.shape, numbers.dtype)
        return np.ndarray(view.shape, numbers.dtype, numbers, view.offset * numbers.itemsize, steps)

    def _numbers(self, storage, dtype):
        size = storage.length * itemsize(storage.dtype or "u1")
        data = self.find(storage)
        if len(data) != size:
            raise PickleError(f"storage {storage.key!r} should have {size} bytes, and has {len(data)}")
        if dtype == BFLOAT16:  # the upper halves of float32 numbers
            return (np.frombuffer(data, self.order + "u2").astype("u4") << 16).view("f4")
        if dtype == "?":
            return np.frombuffer(data, "u1") != 0
        numbers = np.frombuffer(bytearray(data), np.dtype(dtype).newbyteorder(self.order))
        return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _zip(content):
    archive = _Archive(content)
    value = read(archive.member("data.pkl")).value
    order = archive.member("byteorder") if "byteorder" in archive.members else b"little"
    orders = {b"little": "<", b"big": ">"}
    if order not in orders:
        raise PickleError(f"its byte order {order[:20]!r} is not known")
    return value, _Storages(lambda storage: archive.member(f"data/{storage.key}"), orders[order])


class _Archive:
    """A zip archive of PyTorch. It does not compress, so all that is read is together no longer than the file."""

    def __init__(self, content):
        self.left = len(content)
        with _faults():
            self.archive = zipfile.ZipFile(io.BytesIO(content))
        self.members = {info.filename.partition("/")[2]: info for info in self.archive.infolist()}

    def member(self, name):
        """The bytes of archive/name."""
        info = self.members.get(name)
        if info is None:
            raise PickleError(f"its zip archive has no {name}, so it is not PyTorch's, or damaged")
        self.left -= info.file_size
        if info.compress_type != zipfile.ZIP_STORED or self.left < 0:
            raise PickleError(f"{name} in its zip archive is compressed, which PyTorch never does")
        with _faults():
            return self.archive.read(info)


@contextmanager
def _faults():
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise PickleError(f"its zip archive is damaged: {error}") from error


def _stream(content):
    magic = read(content)
    version = read(content, magic.end)
    if magic.value != MAGIC or version.value != VERSION:
        raise PickleError("it does not begin as PyTorch's files do")
    system = read(content, version.end)
    pickle = read(content, system.end)
    keys = read(content, pickle.end)
    little = system.value.get("little_endian") if isinstance(system.value, dict) else None
    if little not in (True, False) or not isinstance(keys.value, list):
        raise PickleError("it does not say its byte order, or which storages it has")
    places = {}
    at = keys.end
    for key in keys.value:
        storage = pickle.storages.get(key) if isinstance(key, str) else None
        length = int.from_bytes(content[at : at + 8], "little" if little else "big", signed=True)
        if storage is None or length != storage.length or key in places:
            raise PickleError(f"its storage {str(key)[:20]!r} is not the one in its pickle")
        end = at + 8 + length * itemsize(storage.dtype or "u1")
        if end > len(content):
            raise PickleError(f"it ends within storage {key!r}; part of the file is missing")
        places[key] = slice(at + 8, end)
        at = end
    if at != len(content):
        raise PickleError(f"{len(content) - at} bytes follow its last storage")

    def find(storage):
        if storage.key not in places:
            raise PickleError(f"it has no storage {storage.key!r}")
        return content[places[storage.key]]

    return pickle.value, _Storages(find, "<" if little else ">")


def _part(value, part):
    """({name: View}, {name: text}) of the dictionary of the file that holds weights, and of the values beside it."""
    if not isinstance(value, dict):
        raise PickleError(f"it holds {_kind(value)}, and no dictionary of weights")
    texts = {str(name): str(v) for name, v in value.items() if isinstance(v, (str, int, float))}
    inside = [name for name, v in value.items() if isinstance(v, dict) and _views(v)]
    if part is not None:
        if part not in inside:
            raise PickleError(f"it has no weights called {part!r}; {_choice(inside)}")
        return _views(value[part]), texts
    views = _views(value)
    if views:
        return views, texts
    found = [name for name in PARTS if name in inside] or inside[:1] * (len(inside) == 1)
    if not found:
        raise PickleError(f"it holds no weights; {_choice(inside)}")
    return _views(value[found[0]]), texts


def _views(state):
    return {name: v for name, v in state.items() if isinstance(v, View) and isinstance(name, str)}


def _choice(inside):
    return f"it has {', '.join(map(repr, inside))}: choose by part=" if inside else "no dictionary in it has tensors"


def _kind(value):
    kinds = ((View, "a tensor"), (list, "a list"), (tuple, "a tuple"))
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")
