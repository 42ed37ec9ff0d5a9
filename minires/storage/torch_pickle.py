"""The pickles in PyTorch's files, read without running anything.

A pickle is a program for a small machine with a stack: push a number, make a dictionary of what is on top, call a
function by its name. Python's own module runs it, whatever function it names, so a file can do anything. The machine
here has the opcodes that tensors need and no others. A name stands for a function of this file, or the file is refused.

A tensor becomes a View: where its numbers are. The numbers themselves are elsewhere in the file (torch_file.py).
"""

import io
import math
import pickletools
from typing import Any, NamedTuple

import numpy as np

BFLOAT16 = "bfloat16"  # NumPy has no such type: 16 bits, the upper half of a float32
STORAGES = {
    "BFloat16Storage": BFLOAT16,
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ComplexDoubleStorage": "c16",
    "ComplexFloatStorage": "c8",
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "IntStorage": "i4",
    "LongStorage": "i8",
    "ShortStorage": "i2",
}
DTYPES = {
    "bfloat16": BFLOAT16,
    "bool": "?",
    "complex128": "c16",
    "complex64": "c8",
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "int8": "i1",
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
    "uint8": "u1",
}
LARGEST_KEY = 2**31  # keys of dictionaries are names, or integers below this: then no two have one hash


class PickleError(Exception):
    """What is no pickle, or names more than tensors need."""


class Storage(NamedTuple):
    """A block of numbers of the file. dtype: one of DTYPES' values; None for bytes, of which each View has its own."""

    key: str
    dtype: str | None
    length: int


class View(NamedTuple):
    """A tensor: element (i, j, …) is number offset + i·stride[0] + j·stride[1] + … of the storage."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def itemsize(dtype):
    """The bytes of a number."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


class Pickle(NamedTuple):
    """What was read: the value, the byte where the pickle ends, and {key: Storage} of all storages that it names."""

    value: Any
    end: int
    storages: dict[str, Storage]


def read(content, start=0):
    """The Pickle that begins at byte `start`. Raises PickleError."""
    file = io.BytesIO(content)
    file.seek(start)
    machine = _Machine()
    try:
        return Pickle(machine.run(file), file.tell(), machine.storages)
    except PickleError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise PickleError(f"its pickle is damaged near byte {file.tell()}: {error}") from error


class _Machine:
    """The stack, what lies below each mark, the memo of values that are used again, and the storages that were named.

    Nothing here takes more memory than the file has bytes, but for a constant factor. So what is copied is short, or
    taken away from where it was.
    """

    def __init__(self):
        self.stack = []
        self.below = []
        self.memo = {}
        self.storages = {}

    def run(self, file):
        while True:
            at = file.tell()
            code = file.read(1)
            if not code:
                raise PickleError("it ends in the middle of its pickle; part of the file is missing")
            opcode = pickletools.code2op.get(code.decode("latin-1"))
            name = opcode.name if opcode else None
            if name == "STOP":
                return self._result()
            if name not in OPERATIONS:  # before its argument is read, because a text of digits may take for ever
                raise PickleError(f"its pickle has at byte {at} what tensors do not need: {name or code!r}")
            argument = opcode.arg.reader(file) if opcode.arg else None
            OPERATIONS[name](self, argument)

    def _result(self):
        if len(self.stack) != 1 or self.below:
            raise PickleError("its pickle ends with something left on the stack")
        return self.stack.pop()

    def push(self, value):
        self.stack.append(value)

    def mark(self, _):
        self.below.append(self.stack)
        self.stack = []

    def to_mark(self):
        above = self.stack
        self.stack = self.below.pop()
        return above

    def last(self, n):
        if len(self.stack) < n:
            raise PickleError("its pickle takes more from the stack than there is")
        taken = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return taken

    def put(self, index):
        self.memo[index] = self.stack[-1]

    def memoize(self, _):
        self.put(len(self.memo))

    def name(self, text):
        self.push(_function(*text.split(" ", 1)))

    def name_on_stack(self, _):
        self.push(_function(*self.last(2)))

    def call(self, _):
        function, arguments = self.last(2)
        if not callable(function) or not isinstance(arguments, tuple):
            raise PickleError("its pickle calls what is no function")
        self.push(function(*arguments))

    def persistent(self, _):
        (identity,) = self.last(1)
        storage = _storage(*identity)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise PickleError(f"its pickle gives storage {storage.key!r} two types")
        self.push(storage)

    def build(self, _):
        value, state = self.last(2)
        if isinstance(value, _NumpyType):
            value.set_order(state)
        elif type(value) is not dict:  # an OrderedDict may carry attributes, such as a state_dict's versions
            raise PickleError(f"its pickle gives attributes to a {type(value).__name__}")
        self.push(value)

    def set_items(self, pairs):
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise PickleError("its pickle sets items of what is no dictionary")
        for key, value in zip(pairs[::2], pairs[1::2]):
            if not (isinstance(key, str) or (isinstance(key, int) and abs(key) < LARGEST_KEY)):
                raise PickleError(f"its pickle has a key that is no name but a {type(key).__name__}")
            target[key] = value

    def extend(self, values):
        if type(self.stack[-1]) is not list:
            raise PickleError("its pickle adds to what is no list")
        self.stack[-1].extend(values)


def _pushes(value_of):
    return lambda machine, argument: machine.push(value_of(argument))


OPERATIONS = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, argument: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _pushes(lambda number: number)),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"), _pushes(lambda text: text)),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES"), _pushes(lambda data: data)),
    "NONE": _pushes(lambda _: None),
    "NEWTRUE": _pushes(lambda _: True),
    "NEWFALSE": _pushes(lambda _: False),
    "EMPTY_DICT": _pushes(lambda _: {}),
    "EMPTY_LIST": _pushes(lambda _: []),
    "EMPTY_TUPLE": _pushes(lambda _: ()),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.last(3))),
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_on_stack,
    "REDUCE": _Machine.call,
    "BINPERSID": _Machine.persistent,
    "BUILD": _Machine.build,
}


def _function(module, name):
    """What stands here for a name of the file."""
    found = NAMES.get(f"{module}.{name}")
    if found is None:
        raise PickleError(
            f"it names {module}.{name}, which tensors do not need, so it is not read, and nothing of it was run; where "
            "it was made, save model.state_dict() alone"
        )
    return found


def _storage(kind, dtype, key, location, length, view=None):
    """The persistent identity ("storage", type, key, device, length) of a block of numbers."""
    if kind != "storage" or not isinstance(dtype, _Typed) or not isinstance(key, str) or view is not None:
        raise PickleError("its pickle speaks of a block of numbers in a form that is not known")
    return Storage(key, dtype.dtype, _size(length))


class _Typed:
    """The type of a storage, which a file names."""

    def __init__(self, dtype):
        self.dtype = dtype


class _NumpyType:
    """numpy.dtype("f8"), with the byte order that the file sets afterwards."""

    def __init__(self, code, align=False, copy=True):
        if not isinstance(code, str) or code.lstrip("<>|=") not in (*DTYPES.values(), "b1"):
            raise PickleError(f"its pickle has a number of the type {code!r}")
        self.code = code

    def set_order(self, state):
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise PickleError("its pickle has a number in no byte order")
        self.code = order + self.code.lstrip("<>|=")


def _size(number):
    if type(number) is not int or number < 0:
        raise PickleError(f"its pickle has a size that is none, {str(number)[:20]!r}")
    return number


def _tensor(storage, offset, shape, stride, *_):
    """torch._utils._rebuild_tensor and _rebuild_tensor_v2: what follows are requires_grad and hooks."""
    return _view(storage, storage.dtype, offset, shape, stride)


def _tensor_of_bytes(storage, offset, shape, stride, requires_grad, hooks, dtype, metadata=None):
    """torch._utils._rebuild_tensor_v3, for types that have no storage of their own."""
    return _view(storage, dtype.dtype, offset, shape, stride)


def _view(storage, dtype, offset, shape, stride):
    if not isinstance(storage, Storage) or dtype is None:
        raise PickleError("its pickle has a tensor without numbers")
    if type(shape) is not tuple or type(stride) is not tuple or len(shape) != len(stride) or len(shape) > 32:
        raise PickleError("its pickle has a tensor whose shape and strides do not belong together")
    view = View(storage, dtype, _size(offset), tuple(map(_size, shape)), tuple(map(_size, stride)))
    length = storage.length if storage.dtype else storage.length // itemsize(dtype)
    if not storage.dtype and storage.length % itemsize(dtype):
        raise PickleError(f"its pickle has {storage.length} bytes for numbers of {itemsize(dtype)} bytes")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride))
    if math.prod(shape) and last >= length:
        raise PickleError(f"its pickle has a tensor of shape {shape} that reaches beyond its {length} numbers")
    return view


def _number(dtype, data):
    """numpy's scalar: a number of some type, from its bytes."""
    if not isinstance(dtype, _NumpyType) or not isinstance(data, bytes):
        raise PickleError("its pickle has a number that is none")
    return np.frombuffer(data, dtype.code, count=1)[0].item()


def _encode(text, encoding):
    """_codecs.encode, by which Python 3 writes the few bytes of a number in the protocol of Python 2."""
    if not isinstance(text, str) or encoding != "latin1" or len(text) > 16:
        raise PickleError("its pickle has bytes in a form that is not known")
    return text.encode("latin1")


def _ordered_dict(pairs=None):
    """collections.OrderedDict; Python 2 gives it a list of pairs, for this one use."""
    machine = _Machine()
    machine.push({})
    if pairs is not None:
        machine.set_items([item for key, value in pairs for item in (key, value)])
        pairs.clear()
    return machine.stack.pop()


def _shape(sizes):
    if type(sizes) is not tuple:
        raise PickleError("its pickle has a shape that is none")
    return sizes


NAMES = {
    "_codecs.encode": _encode,
    "collections.OrderedDict": _ordered_dict,
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
    "numpy.dtype": _NumpyType,
    "torch.Size": _shape,
    "torch.device": lambda *name: "cpu",
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_bytes,
    "torch._utils._rebuild_parameter": lambda data, requires_grad, hooks: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, requires_grad, hooks, state: data,
    "torch.storage.UntypedStorage": _Typed(None),
    **{f"torch.{name}": _Typed(dtype) for name, dtype in STORAGES.items()},
    **{f"torch.{name}": _Typed(dtype) for name, dtype in DTYPES.items()},
}
