"""Named arrays in a safetensors file with a SHA-256 of the whole file inside.

The format alone lets a flipped bit in the weights go unnoticed. So the file is serialised with 64 zeros as the metadata
entry "sha256", and the digest of those bytes is written over the zeros; load() puts the zeros back and compares.
A second entry says that the digest must be there, for a flipped bit may as well hit the word "sha256".
Files from elsewhere have neither and load unchecked. Never a pickle.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from minires.arrays import is_array, to_device
from minires.errors import CheckpointError, DTypeError, OptionError, need
from minires.storage.atomic import atomic_write
from minires.tensor import unwrap

NO_DIGEST = "0" * 64
MARK = {"written_by": "minires"}


def _entry(digest):
    """The digest as it stands in the header; other metadata cannot read so, for JSON writes its quotes as \\"."""
    return f'"sha256":"{digest}"'.encode()


def save(path, arrays, metadata=None):
    """Write {name: array} (NumPy's, CuPy's or Tensors) and {str: str} metadata to path, atomically.

    Raises DTypeError for what the format cannot hold, OptionError for names that the format or the digest needs.
    """
    safetensors = need("safetensors", "data", for_what="saving weights")
    numpy_format = need("safetensors.numpy", "data", for_what="saving weights")
    metadata = metadata or {}
    taken = [*({"__metadata__"} & set(arrays)), *({"sha256", *MARK} & set(metadata))]
    if taken:
        raise OptionError(f"{path}: the name {taken[0]!r} belongs to the file itself; choose another")
    host = {name: unwrap(array) for name, array in arrays.items()}
    for name, array in host.items():
        if not is_array(array):
            raise DTypeError(f"{path}: {name} must be an array or a Tensor, got {type(array).__name__}")
    host = {name: to_device(array, "cpu") for name, array in host.items()}
    host = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in host.items()}  # 0-d stays 0-d
    try:
        content = numpy_format.save(host, {**metadata, **MARK, "sha256": NO_DIGEST})
    except (safetensors.SafetensorError, TypeError) as error:
        raise DTypeError(f"{path} cannot hold these: {error}") from error
    digest = hashlib.sha256(content).hexdigest()
    atomic_write(path, content.replace(_entry(NO_DIGEST), _entry(digest), 1))


def load(path):
    """({name: array}, metadata) from a safetensors file. Raises CheckpointError, naming it, if it is not sound."""
    numpy_format = need("safetensors.numpy", "data", for_what="loading weights")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    try:
        arrays = numpy_format.load(content)  # which has checked the header, so that it can be read again
        header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__") or {}
    except KeyError as error:
        raise CheckpointError(f"{path} holds {error} values, which NumPy has not; convert them to F32") from error
    except Exception as error:  # the library raises its own error, ValueErrors and more for hostile files
        raise CheckpointError(f"{path} is no sound safetensors file: {error!r}") from error
    digest, mark = metadata.pop("sha256", None), metadata.pop("written_by", None)
    if digest is not None or mark == MARK["written_by"]:
        blank = content.replace(_entry(digest), _entry(NO_DIGEST), 1)
        if hashlib.sha256(blank).hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one written inside; use another copy")
    return arrays, metadata
