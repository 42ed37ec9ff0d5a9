"""PyTorch's weight files (.pth), written without PyTorch: a dictionary of tensors, in the zip format of torch.save.

torch_file.py describes the archive. The pickle in it is made of the few opcodes below, one tensor after another, so the
same arrays give the same bytes. torch.load(path, weights_only=True) reads it.
"""

import io
import math
import struct
import zipfile

import numpy as np

from minires.errors import DTypeError
from minires.storage.torch_pickle import STORAGES

TYPES = {np.dtype(code): kind for kind, code in STORAGES.items() if code != "bfloat16"}
UNTYPED = {np.dtype(code): name for name, code in (("uint16", "u2"), ("uint32", "u4"), ("uint64", "u8"))}
ALIGNED = 64  # bytes: where the numbers of a tensor begin, so that they can be mapped into memory
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can have
# Opcodes of a pickle, as pickletools of Python describes them
MARK = b"("
TUPLE = b"t"
EMPTY_TUPLE = b")"
REDUCE = b"R"
SETITEM = b"s"
STOP = b"."
PERSISTENT_ID = b"Q"
FALSE = b"\x89"


def content(arrays, name="archive"):
    """The bytes of a file that holds {name: array}. name: the folder within the archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for member, data in _members(arrays):
            _add(archive, file, f"{name}/{member}", data)
    return file.getvalue()


def _members(arrays):
    """(name, bytes) of each member, in the order in which torch.save writes them."""
    yield "data.pkl", pickled(arrays)
    yield ".format_version", b"1"
    yield ".storage_alignment", str(ALIGNED).encode()
    yield "byteorder", b"little"
    for key, array in enumerate(arrays.values()):
        yield f"data/{key}", array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    yield "version", b"3\n"
    yield ".data/serialization_id", b"0" * 40


def _add(archive, file, name, data):
    """Add a member whose data begin at a multiple of ALIGNED bytes, with a filler in its header."""
    info = zipfile.ZipInfo(name, DATE)
    header = file.tell() + 30 + len(name.encode())  # what stands before the extra field
    free = -(header + 4) % ALIGNED
    info.create_system = 3  # the same bytes on every system
    info.extra = b"FB" + struct.pack("<H", free) + b"Z" * free
    archive.writestr(info, data)


def pickled(arrays):
    """The pickle of {name: tensor}: an OrderedDict, as a state_dict is."""
    parts = [b"\x80\x02", _function("collections", "OrderedDict"), EMPTY_TUPLE, REDUCE]
    for key, (name, array) in enumerate(arrays.items()):
        parts += [_text(name), _tensor(str(key), array), SETITEM]
    return b"".join([*parts, STOP])


def _tensor(key, array):
    """torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)."""
    sizes = [max(n, 1) for n in array.shape]  # PyTorch's strides where a size is 0
    strides = [math.prod(sizes[i + 1 :]) for i in range(array.ndim)]
    no_hooks = _function("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
    common = [_integer(0), _tuple(map(_integer, array.shape)), _tuple(map(_integer, strides)), FALSE, no_hooks]
    if array.dtype in TYPES:
        storage = _storage(key, TYPES[array.dtype], array.size)
        return _function("torch._utils", "_rebuild_tensor_v2") + _tuple([storage, *common]) + REDUCE
    if array.dtype in UNTYPED:  # which have no storage of their own
        storage = _storage(key, "UntypedStorage", array.nbytes)
        kind = _function("torch", UNTYPED[array.dtype])
        return _function("torch._utils", "_rebuild_tensor_v3") + _tuple([storage, *common, kind]) + REDUCE
    raise DTypeError(f"PyTorch has no tensors of {array.dtype}")


def _storage(key, kind, length):
    """The identity by which a tensor names its numbers, the member data/key."""
    module = "torch.storage" if kind == "UntypedStorage" else "torch"
    names = [_text("storage"), _function(module, kind), _text(key), _text("cpu"), _integer(length)]
    return _tuple(names) + PERSISTENT_ID


def _function(module, name):
    return f"c{module}\n{name}\n".encode()


def _tuple(parts):
    return MARK + b"".join(parts) + TUPLE


def _text(text):
    data = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(number):
    if 0 <= number < 256:
        return b"K" + struct.pack("<B", number)
    if -(2**31) <= number < 2**31:
        return b"J" + struct.pack("<i", number)
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + struct.pack("<B", len(data)) + data
