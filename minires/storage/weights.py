"""Named arrays in a safetensors file with a SHA-256 of the whole file inside.

The format alone lets a flipped bit in the weights go unnoticed. So the file is serialised with 64 zeros as the metadata
entry "sha256", and the digest of those bytes is written over the zeros; load() puts the zeros back and compares.
A second entry says that the digest must be there, for a flipped bit may as well hit the word "sha256".
Files from elsewhere have neither and load unchecked. Never a pickle.
"""

import hashlib
from pathlib import Path

import numpy as np

from minires.arrays import to_device
from minires.errors import CheckpointError, need
from minires.storage.atomic import atomic_write
from minires.tensor import unwrap

NO_DIGEST = "0" * 64
MARK = {"written_by": "minires"}


def save(path, arrays, metadata=None):
    """Write {name: array} (NumPy's, CuPy's or Tensors) and {str: str} metadata to path, atomically."""
    safetensors = need("safetensors.numpy", "data", for_what="saving weights")
    host = {name: to_device(unwrap(array), "cpu") for name, array in arrays.items()}
    host = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in host.items()}  # 0-d stays 0-d
    content = safetensors.save(host, {**(metadata or {}), **MARK, "sha256": NO_DIGEST})
    digest = hashlib.sha256(content).hexdigest()
    atomic_write(path, content.replace(NO_DIGEST.encode(), digest.encode(), 1))


def load(path):
    """({name: array}, metadata) from a safetensors file. Raises CheckpointError, naming it, if it is not sound."""
    safetensors = need("safetensors", "data", for_what="loading weights")
    numpy_format = need("safetensors.numpy", "data", for_what="loading weights")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
        arrays = numpy_format.load(content)
    except Exception as error:  # the library raises its own error, ValueErrors, KeyErrors and more for hostile files
        raise CheckpointError(f"{path} is no sound safetensors file: {str(error).splitlines()[0]}") from error
    digest, mark = metadata.pop("sha256", None), metadata.pop("written_by", None)
    if digest is not None or mark == MARK["written_by"]:
        digest = digest or "none"
        blank = content.replace(digest.encode(), NO_DIGEST.encode(), 1)
        if hashlib.sha256(blank).hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one written inside; use another copy")
    return arrays, metadata
