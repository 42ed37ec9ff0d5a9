"""Named arrays in a safetensors file, with a SHA-256 of the whole file in it; or in one of PyTorch's, without that.

The format alone does not reveal a flipped bit in the weights. So the file is serialised with 64 zeros as the metadata
entry "sha256", and the digest of those bytes is written over the zeros. load() puts the zeros back and compares. A
second entry says that there must be a digest, because a flipped bit may also hit the word "sha256". Files from other
programs have neither entry, and are loaded without this check.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from minires.annotations import PathLike, TensorLike
from minires.arrays import check_plain, is_array, to_device
from minires.errors import CheckpointError, DTypeError, OptionError
from minires.paths import as_path
from minires.storage import plain, torch_writer
from minires.storage.atomic import atomic_write
from minires.storage.foreign import explain
from minires.storage.json_text import parse
from minires.storage.reading import opened, whole
from minires.tensor import unwrap

NO_DIGEST = "0" * 64
MARK = {"written_by": "minires"}
TORCH = (".pth", ".pt")  # endings of PyTorch's files
MAX_HEADER = 100_000_000  # bytes, the format's own limit


def _entry(digest):
    """The digest in the header's JSON. No other metadata can look like this, because its quotes are written as \\"."""
    return f'"sha256":"{digest}"'.encode()


def _format():
    """(what has save() and load(), the error that it raises): the library safetensors, or plain.py without it."""
    try:
        from safetensors import SafetensorError, numpy
    except ImportError:
        return plain, plain.SafetensorError
    return numpy, SafetensorError


def save(path: PathLike, arrays: Mapping[str, TensorLike], metadata: Mapping[str, str] | None = None) -> None:
    """Write {name: array} (NumPy or CuPy arrays, or Tensors) and {str: str} metadata to path, atomically.

    The file is PyTorch's if the path ends in .pth or .pt, and safetensors otherwise. PyTorch's has no metadata.
    Raises DTypeError for what the format cannot hold. Raises OptionError for names that the file itself needs, and for
    what can be no path.
    """
    metadata = {} if metadata is None else metadata
    if not isinstance(arrays, Mapping):
        is_model = hasattr(arrays, "state_dict")
        remedy = "give model.state_dict()" if is_model else "the path comes first: save(path, arrays)"
        raise DTypeError(f"save takes a path and {{name: array}}, got a {type(arrays).__name__}; {remedy}")
    if not isinstance(metadata, Mapping):
        raise DTypeError(f"save takes metadata {{str: str}}, got a {type(metadata).__name__}")
    path = as_path(path)
    host = _on_the_host(path, arrays)
    atomic_write(path, (_torch if path.suffix in TORCH else _safetensors)(path, host, metadata))


def _on_the_host(path, arrays):
    """The arrays as NumPy's, row by row. Raises DTypeError for what is no array of numbers."""
    host = {name: unwrap(array) for name, array in arrays.items()}
    for name, array in host.items():
        if not is_array(array):
            raise DTypeError(f"{path}: {name} must be an array or a Tensor, got {type(array).__name__}")
        check_plain(array, f"{path}: {name}")
    host = {name: to_device(array, "cpu") for name, array in host.items()}
    return {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in host.items()}  # 0-d stays 0-d


def _torch(path, arrays, metadata):
    if metadata:
        raise OptionError(f"{path}: PyTorch's files have no metadata; leave it out, or save as .safetensors")
    wrong = [name for name in arrays if not isinstance(name, str)]
    if wrong:
        raise DTypeError(f"{path} cannot hold these: a name must be a string, got {wrong[0]!r}")
    try:
        return torch_writer.content(arrays, path.stem)
    except DTypeError as error:
        raise DTypeError(f"{path} cannot hold these: {error}") from error


def _safetensors(path, arrays, metadata):
    reserved = [*({"__metadata__"} & set(arrays)), *({"sha256", *MARK} & set(metadata))]
    if reserved:
        raise OptionError(f"{path}: the name {reserved[0]!r} belongs to the file itself; choose another")
    numpy_format, refused = _format()
    try:
        content = numpy_format.save(arrays, {**metadata, **MARK, "sha256": NO_DIGEST})
    except (refused, TypeError, UnicodeEncodeError) as error:
        raise DTypeError(f"{path} cannot hold these: {error}") from error
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(_entry(NO_DIGEST), _entry(digest), 1)


def read(path):
    """({name: array}, metadata) from any safetensors file."""
    with opened(path) as (file, size):
        return read_opened(path, file, size)


def read_opened(path, file, size):
    """What read() gives, from an opened file. Its size must be the one in its header, before the rest is read."""
    header = _header(path, file, size)
    content = whole(path, file, size)
    try:
        arrays = _arrays(content)
    except MemoryError:
        raise
    except KeyError as error:
        raise CheckpointError(f"{path} holds {error} values, which NumPy has not; convert them to F32") from error
    except Exception as error:  # for hostile files the library raises errors of many kinds
        raise CheckpointError(f"{path} is no sound safetensors file: {error!r}") from error
    metadata = header.get("__metadata__") or {}
    digest = metadata.pop("sha256", None)
    mark = metadata.pop("written_by", None)
    if digest is not None or mark == MARK["written_by"]:
        blank = content.replace(_entry(digest), _entry(NO_DIGEST), 1)
        if hashlib.sha256(blank).hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one written inside; use another copy")
    return arrays, metadata


def _arrays(content):
    try:
        return _format()[0].load(content)
    except KeyError:  # a type that NumPy has not: bfloat16 can be made float32
        return plain.load(content)


def metadata(path):
    """The metadata in a file's header. The arrays are not read, and the digest is not checked."""
    with opened(path) as (file, size):
        return _header(path, file, size).get("__metadata__") or {}


def _header(path, file, size):
    file.seek(0)
    start = file.read(8)
    length = int.from_bytes(start, "little")
    text = file.read(length) if length <= min(size, MAX_HEADER) else file.read(200)
    fault = "its header is no JSON" if len(text) == length else f"its header would be {length:,} bytes long"
    try:
        header = parse(text.decode(), object_pairs_hook=plain.unique) if len(text) == length else None
        arrays = [entry for name, entry in header.items() if name != "__metadata__"]
        end = max((entry["data_offsets"][1] for entry in arrays), default=0)
        texts = header.get("__metadata__") or {}
        if not all(isinstance(text, str) for text in texts.values()):
            fault = "its metadata must be texts"
        elif 8 + length + end == size:
            return header
        else:
            fault = f"its header says {8 + length + end} bytes, and it has {size}"
    except plain.TwiceError as error:
        fault = str(error)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        pass
    raise CheckpointError(f"{path} is no sound safetensors file: {explain(start + text) or fault}")
