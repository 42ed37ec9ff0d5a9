"""Which library and device an array belongs to, and which memory format a feature map has.

A feature map has the shape (N,C,H,W). Its memory format may be "channels-last": the C values of one pixel are
neighbours in memory. Then an im2col row is a few long copies, and a 1×1 convolution is one matrix product.
Ops accept both formats and keep the one they get. A convolution's output and weight are always channels-last, so that
a network is fast for images in either format. CuPy is imported only when a device is asked for.
"""

import re
import sys
from functools import cache

import numpy as np

from minires import cuda
from minires.errors import DTypeError, OptionError, OutOfMemoryError, ShapeError

DEVICE = re.compile(r"cpu|cuda(?::([0-9]+))?")


def array_module(*arrays):
    """The library the arrays belong to: cupy if any of them is CuPy's, else numpy."""
    for a in arrays:
        library = _library_of(type(a))
        if library is not None and library is not np:
            return library
    return np


def is_array(value) -> bool:
    """Whether value is an array of NumPy's or CuPy's (not a scalar, list or Tensor)."""
    return isinstance(value, np.ndarray) or _library_of(type(value)) is not None  # type: ignore[arg-type]


@cache
def _library_of(kind):
    """numpy or cupy for a type of their arrays, else None; cached, because every op asks."""
    if issubclass(kind, np.ndarray):
        return np
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and issubclass(kind, cupy.ndarray) else None


def device_of(array) -> str:
    """ "cpu", or "cuda:0" for an array in the memory of the first GPU."""
    return "cpu" if isinstance(array, (np.ndarray, np.generic)) else f"cuda:{array.device.id}"


def to_device(array, device: str):
    """The array in the memory of `device` ("cpu", "cuda" or "cuda:1"), in the same memory format.

    An array that is there already is returned itself. Raises OptionError for an unknown device.
    """
    named = DEVICE.fullmatch(str(device))
    if not named:
        raise OptionError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    if device == "cpu":
        return array if isinstance(array, np.ndarray) else _moved(array, lambda contiguous: contiguous.get())
    with cuda.device(int(named[1] or 0)):
        return _moved(array, cuda.module().asarray)


def _moved(array, move):
    """The array after move(), which is given its axes in the order of memory, so that the format stays."""
    order = memory_order(array)
    return move(array.transpose(order)).transpose([order.index(i) for i in range(array.ndim)])


FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}  # these have gradients


def as_array(data, dtype=None):
    """data as an array that a Tensor can hold: float32, float64, integers or booleans, in native byte order.

    Python numbers and lists of them become float32 (as in PyTorch) or int64; arrays keep their dtype, in lists too.
    Raises DTypeError for objects, strings, complex and 16-bit floats, masked arrays and np.matrix.
    """
    if not is_array(data):
        given = data
        try:
            data = as_numpy(given)
        except ValueError as error:  # lists of unequal lengths
            raise ShapeError(f"a Tensor is made of numbers in rows of equal length: {error}") from None
        if data.dtype == np.float64 and dtype is None and not _holds(np.float64, given):
            dtype = np.float32
    check_plain(data)
    check_dtype(data.dtype)
    if dtype is not None:
        return data.astype(check_dtype(dtype), copy=False)
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def as_numpy(data):
    """np.asarray(data), where Python's integers become int64 also in a browser, in which NumPy makes int32 of them."""
    array = np.asarray(data)
    if array.dtype == np.intp and np.dtype(np.intp) != np.int64 and not _holds(np.intp, data):
        return array.astype(np.int64)
    return array


def counted(values):
    """Arrays and numbers, with booleans as int64 where only Python integers stand beside them.

    NumPy makes the same of them, but in a browser it makes int32.
    """
    arrays = [value for value in values if is_array(value)]
    number = any(isinstance(value, int) and not isinstance(value, bool) for value in values)
    if not number or any(array.dtype != np.bool_ for array in arrays):
        return values
    return tuple(value.astype(np.int64) if is_array(value) else value for value in values)


def _holds(dtype, data):
    """Whether the data contain this dtype, of NumPy or of a Tensor; Python's numbers do not count."""
    if isinstance(data, (list, tuple)):
        return any(_holds(dtype, part) for part in data)
    return getattr(data, "dtype", None) == dtype


def check_dtype(dtype):
    """dtype as NumPy's, if a Tensor can hold it; int stands for int64 everywhere. Raises DTypeError."""
    try:
        found = np.dtype(np.int64 if dtype is int else dtype)
    except (TypeError, ValueError, SyntaxError):  # the last for text with commas in it
        found = None
    if dtype is None or found is None or found.kind not in "fiub" or found.itemsize > 8 or found == np.float16:
        raise DTypeError(f"a Tensor holds float32, float64, integers or booleans, got {dtype}; convert it first")
    return found


def check_plain(array, who="Tensor"):
    """Raise DTypeError for np.matrix and masked arrays, whose operators mean something else."""
    # 0 for NumPy's arrays, 10 and 15 for these two, so that their operators win over an array's
    if isinstance(array, np.ndarray) and array.__array_priority__ > 0:
        remedy = "x.filled(0)" if isinstance(array, np.ma.MaskedArray) else "np.asarray(x)"
        raise DTypeError(f"{who}: {type(array).__name__} computes in its own way; pass {remedy}")


def check_numbers(array, who):
    """Raise DTypeError unless this is a plain array of numbers or booleans."""
    check_plain(array, who)
    if array.dtype.kind not in "fiubc":
        raise DTypeError(f"{who} must be an array of numbers, got {array.dtype}")


def holds(dtype, number):
    """Whether arrays of this dtype can hold a Python number: not 300 in uint8, not NaN in integers."""
    if dtype.kind in "fc":
        return isinstance(number, (float, complex)) or abs(number) <= sys.float_info.max
    limits = np.iinfo(np.int64 if dtype.kind == "b" else dtype)  # beside booleans a number makes int64
    return not isinstance(number, complex) and bool(limits.min <= number <= limits.max)


def device_or_dtype(target):
    """(device, dtype), one of them None: what `.to(target)` asks for. Raises OptionError for anything else."""
    if isinstance(target, str) and DEVICE.fullmatch(target):
        return target, None
    try:
        dtype = np.dtype(target) if target is not None else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None:
        raise OptionError(
            f"to: device must be 'cpu', 'cuda' or 'cuda:N', got {target!r}, which is no dtype either "
            "(np.float32, np.float64, np.int64)"
        )
    return None, check_dtype(target)


def is_channels_last(x) -> bool:
    """Whether a 4-d array is (N,H,W,C) in memory. With one channel or one pixel it is so in both formats."""
    return x.ndim == 4 and x.transpose(0, 2, 3, 1).flags.c_contiguous


def channels_last(x):
    """x (N,C,H,W) with the channels of one pixel as neighbours in memory; x itself if it has that format."""
    # (N,C,H,W) -> (N,H,W,C), copied only if needed, -> (N,C,H,W)
    return array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def layout_of(x):
    """A function that gives a feature map (N,C,H,W) the memory format of x, copying only if needed."""
    return channels_last if is_channels_last(x) else array_module(x).ascontiguousarray


def memory_order(x):
    """The axes of x from the slowest to the fastest in memory: (0, 2, 3, 1) for channels-last."""
    return tuple(sorted(range(x.ndim), key=lambda i: -abs(x.strides[i])))


def empty(shape, dtype, order, xp=np):
    """An uninitialized array with its axes in memory in `order`, from the slowest to the fastest.

    Raises OutOfMemoryError, also for a size that no memory could hold, where NumPy raises ValueError.
    """
    try:
        array = xp.empty([shape[i] for i in order], dtype)
    except (MemoryError, ValueError, OverflowError) as error:
        raise OutOfMemoryError(f"not enough memory for an array of shape {tuple(shape)}: {error}") from error
    return array.transpose([order.index(i) for i in range(len(order))])


def empty_feature_map(shape, like, dtype=None, last=False):
    """An uninitialized feature map (N,C,H,W) with the library of `like`, and its dtype unless given.

    It has the memory format of `like`; with last=True it is channels-last in any case.
    """
    order = (0, 2, 3, 1) if last or is_channels_last(like) else (0, 1, 2, 3)
    return empty(shape, dtype or like.dtype, order, array_module(like))


def owner(array):
    """The array that owns the memory of this one; two views of the same memory have the same owner."""
    while (base := getattr(array, "base", None)) is not None:
        array = base
    return array


def owners(values):
    """The id of the memory's owner, for each array among the values."""
    return [id(owner(value)) for value in values if is_array(value)]
