"""NumPy's archives of arrays (.npz), without its pickles.

The archive is a zip file with an .npy member for each array. Each member says its type and shape in a header. These are
compared with the member's size before memory is taken for them.
"""

import io
import zipfile

import numpy as np

from minires.errors import CheckpointError

MOST = 100  # times the file: weights hardly compress, so what unpacks to more is made to fill the memory


def is_npz(content):
    """Whether these bytes are a zip archive whose members are .npy files."""
    return content[:2] == b"PK" and b".npy" in content[:300]


def load(path, content):
    """({name: array}, {}) of the bytes of a file. Raises CheckpointError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            size = sum(info.file_size for info in members)
            if size > MOST * len(content):
                raise CheckpointError(f"{path} cannot be read: {len(content):,} bytes would unpack to {size:,}")
            return {info.filename.removesuffix(".npy"): _array(path, archive, info) for info in members}, {}
    except CheckpointError:
        raise
    except Exception as error:  # a hostile archive raises errors of many kinds, also zlib's and those of compile()
        raise CheckpointError(f"{path} is no sound .npz file: {error!r}") from error


def _array(path, archive, info):
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = header(member)
        if dtype.hasobject:
            raise CheckpointError(f"{path} cannot be read: {info.filename} holds Python objects, which would run code")
        data = bytearray(member.read())
    if len(data) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise CheckpointError(f"{path} is no sound .npz file: {info.filename} has {len(data)} bytes for shape {shape}")
    return np.ndarray(shape, dtype, data, order="F" if in_columns else "C")
