"""An ONNX graph in the making, and the file of it."""

import json
from typing import Any

import numpy as np

from minires.annotations import PathLike
from minires.errors import OptionError, need
from minires.export.onnx_rows import ROWS
from minires.export.recording import IMAGES, LOGITS, Recording
from minires.export.values import Batch, Value
from minires.storage import atomic_write

OPSET = 18  # the operators' version: ReduceMean takes its axes as an input since then
LARGEST = 2**31 - 1  # bytes, the limit of the format


class Graph:
    """The nodes and the stored arrays of a graph. Calling it adds a node, and gives the name of its output.

    An input of a node is a Value, the name of another node's output, an array that is stored, or None.
    """

    def __init__(self, onnx, recording, opset):
        self.onnx, self.recording, self.opset = onnx, recording, opset
        self.nodes = []
        self.stored = {}  # {name: array}
        self.constants = {}  # {what is in a small array: its name}
        self.call = None

    def add(self, call):
        """The nodes of a call. Raises OptionError for an op that ONNX has no row for."""
        self.call = call
        if call.op not in ROWS:
            raise OptionError(
                f"export: {call.op} in {call.where or 'the network'} has no row in the table of ONNX operators; they "
                f"are {', '.join(sorted(ROWS))}"
            )
        count = len(self.nodes)
        last = ROWS[call.op](self, *call.inputs, **call.settings)
        name = self.name(call.output)
        if len(self.nodes) > count and self.nodes[-1].output[0] == last:
            self.nodes[-1].output[0] = self.nodes[-1].name = name
        else:  # the row gave its input as it is
            self.nodes.append(self.onnx.helper.make_node("Identity", [last], [name], name=name))

    def __call__(self, operator, *inputs, **attributes):
        name = f"{self.call.output.name}/{operator}"
        name += f"_{len(self.nodes)}" * any(name in node.output for node in self.nodes[-8:])
        inputs = ["" if x is None else self.name(x) for x in inputs]
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def name(self, x):
        """The name under which the graph knows a Value or an array."""
        if isinstance(x, str):
            return x
        if isinstance(x, Value):
            if x.kind in ("state", "constant"):
                self.stored[x.name] = self.recording.arrays[x.name]
            return LOGITS if x == self.recording.logits else x.name
        x = np.asarray(x)
        key = (x.dtype.str, x.shape, x.tobytes())
        if key not in self.constants:
            self.constants[key] = f"constant/{len(self.constants)}"
            self.stored[self.constants[key]] = x
        return self.constants[key]

    def array(self, value):
        """The numbers of a parameter or constant; None of what is computed from the images."""
        return self.recording.arrays.get(value.name)

    def number(self, number, like=None):
        """A Python number as an array of the type of a Value; by default that of the output."""
        return np.asarray(number, (like or self.call.output).dtype)

    def operand(self, x):
        """An input that may be a Python number."""
        return x if isinstance(x, Value) else self.number(x)

    def integers(self, *numbers):
        return np.asarray(numbers, np.int64)

    def sizes(self, shape):
        """A shape as an input of a node. The number of images is taken from the images themselves."""
        if not any(isinstance(size, Batch) for size in shape):
            return self.integers(*shape)
        parts = [self._size(size) for size in shape]
        return self("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def _size(self, size):
        if not isinstance(size, Batch):
            return self.integers(size)
        N = self("Shape", self.recording.images, start=0, end=1)
        return N if size.times == 1 else self("Mul", N, self.integers(size.times))

    def reshaped(self, x, shape):
        """x in another shape. One size that depends on the number of images can be left open, as −1."""
        if sum(isinstance(size, Batch) for size in shape) == 1:
            return self("Reshape", x, self.integers(*(-1 if isinstance(size, Batch) else size for size in shape)))
        return self("Reshape", x, self.sizes(shape))


def to_onnx(recording: Recording, *, name: str = "network", metadata: dict[str, Any] | None = None, opset: int = OPSET):
    """An onnx.ModelProto of the recording, checked by onnx.checker. Any number of images can go in.

    Raises OptionError for an op without a row, and MissingDependencyError without the package onnx.
    """
    onnx = need("onnx", "export", for_what="writing ONNX")
    need("onnx.numpy_helper", "export", for_what="writing ONNX")
    newest = onnx.defs.onnx_opset_version()
    if not OPSET <= opset <= newest:
        raise OptionError(f"export: opset must be {OPSET} … {newest}, got {opset}")
    graph = Graph(onnx, recording, opset)
    for call in recording.calls:
        graph.add(call)
    make = onnx.helper
    arrays = [
        onnx.numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n) for n, a in graph.stored.items()
    ]
    if sum(len(array.raw_data) for array in arrays) > LARGEST:
        raise OptionError("export: the weights take more than the 2 GB that one ONNX file can hold")
    ends = [_described(make, name, value) for name, value in ((IMAGES, recording.images), (LOGITS, recording.logits))]
    made = make.make_model(
        make.make_graph(graph.nodes, name, ends[:1], ends[1:], arrays),
        opset_imports=[make.make_opsetid("", opset)],
        ir_version=make.find_min_ir_version_for([make.make_opsetid("", opset)]),
        producer_name="minires",
    )
    make.set_model_props(made, {key: _text(value) for key, value in (metadata or {}).items()})
    onnx.checker.check_model(made, full_check=True)
    return made


def save_onnx(path: PathLike, recording: Recording, **options: Any) -> None:
    """Write to_onnx(recording, **options) to path, to a temporary file first."""
    atomic_write(path, to_onnx(recording, **options).SerializeToString(deterministic=True))


def _described(make, name, value):
    kind = make.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    shape = [str(size).replace(" ", "") if isinstance(size, Batch) else size for size in value.shape]
    return make.make_tensor_value_info(name, kind, shape)


def _text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
