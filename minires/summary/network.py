"""The table of one network."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minires.annotations import TensorLike
from minires.arrays import is_array, to_device
from minires.console import WIDTH, Table
from minires.errors import DTypeError, OptionError
from minires.nn import AvgPool2d, Conv2d, MaxPool2d, Module
from minires.nn.advice import why_no_module
from minires.settings import is_whole, shortened, whole
from minires.summary.calls import record
from minires.tensor import Tensor, unwrap

HEADINGS = ("layer", "output", "parameters", "multiply-adds")
GAPS = 2 * (len(HEADINGS) - 1)  # the spaces between the columns


class Row(NamedTuple):
    """One row of a Summary: a module, or an op that a module called beside its parts, as residual_add in a block."""

    name: str
    """The module's name in the network, such as "layer1.0.conv2"; the name of an op."""
    kind: str
    """The module's class, and its window: "Conv2d 3×3, stride 2"; "" for an op."""
    depth: int
    """1 for the parts of the network, 2 for the parts of these, and so on; 0 for a network without parts."""
    output_size: tuple[Any, ...] | None
    """The shape of the output, or a tuple of shapes; None if there is none."""
    parameters: int
    """Elements in all parameters of the module that no row before has counted."""
    multiply_adds: int
    """Multiplications with their additions, for the whole input."""
    note: str
    """"shared": its parameters were counted in a row before. "not called": the forward leaves the module out."""


class Summary:
    """What summary() returns: print it, or take its numbers.

    rows: a Row for each part. parameters, trainable_parameters, buffers: numbers of elements in the whole network.
    multiply_adds: in one forward pass. nbytes: of the parameters in memory. input_size: the shapes of the inputs.
    """

    def __init__(self, model: Module, call: Any, inputs: Sequence[Any], depth: int) -> None:
        parameters = list(model.parameters())
        self.input_size = tuple(tuple(x.shape) for x in inputs)
        self.parameters = sum(p.numel() for p in parameters)
        self.trainable_parameters = sum(p.numel() for p in parameters if p.requires_grad)
        self.nbytes = sum(p.data.nbytes for p in parameters)
        self.buffers = sum(int(buffer.size) for buffer in model.buffers())
        self.multiply_adds: int = call.multiply_adds
        self._labels: list[str] = []
        self.rows: list[Row] = []
        counts = _counts(call)
        if call.modules:
            self._add(call, counts, 1, depth)
        else:
            self._append(call, "", counts, 0)

    def _add(self, call, counts, depth, deepest):
        for part in call.parts:
            self._append(part, call.name, counts, depth)
            if part.modules and depth < deepest:
                self._add(part, counts, depth + 1, deepest)

    def _append(self, call, above, counts, depth):
        if call.module is None:
            label, kind, count, note = call.name, "", 0, ""
        else:
            kind = _kind(call.module)
            label = f"{call.name.removeprefix(f'{above}.')}  {kind}".strip()
            count, shared = counts[id(call)]
            note = "shared" if shared else "" if call.called else "not called"
        self._labels.append("  " * (depth - 1) + label)
        self.rows.append(Row(call.name, kind, depth, call.output_size, count, call.multiply_adds, note))

    def __str__(self) -> str:
        lines: list[str] = []
        cells = [
            (
                label,
                row.note if row.note == "not called" else size_text(row.output_size),
                "shared" if row.note == "shared" else f"{row.parameters:,}" if row.parameters else "-",
                f"{row.multiply_adds:,}" if row.multiply_adds else "-",
            )
            for label, row in zip(self._labels, self.rows)
        ]
        total = ("total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        _, *others = [max(map(len, column)) for column in zip(HEADINGS, *cells, total)]
        widths = [max(20, WIDTH - GAPS - sum(others)), others[0], -others[1], -others[2]]
        table = Table(dict(zip(HEADINGS, widths)), show=lambda line, **how: lines.append(line))
        for row in cells:
            table.row(*row)
        lines.append("")
        table.row(*total)
        return "\n".join([*lines, "", *self._notes()])

    __repr__ = __str__  # a notebook shows it

    def _notes(self):
        frozen = self.parameters - self.trainable_parameters
        trained = f": {self.trainable_parameters:,} are trained, {frozen:,} are frozen" if frozen else ", all trained"
        yield (
            f"{self.parameters:,} parameters ({self.nbytes / 1e6:,.1f} MB){trained}"
            if self.parameters
            else "no parameters"
        )
        if self.buffers:
            yield f"{self.buffers:,} numbers in buffers, such as running statistics, are no parameters"
        inputs = " and ".join(map(size_text, self.input_size))
        yield f"{_in_short(self.multiply_adds)} multiply-adds for an input of {inputs}"
        yield "only convolutions, linear layers and products of matrices are counted"
        if any(row.depth > 1 for row in self.rows):
            yield "indented rows are parts of the row above them"


def summary(
    model: Module,
    input_size: Sequence[int] | Sequence[Sequence[int]] | None = None,
    *,
    input_data: TensorLike | Sequence[TensorLike] | None = None,
    depth: int = 2,
) -> Summary:
    """The table of a network, by one forward pass in evaluation mode, on zeros of this size.

    input_size: a shape such as (1, 3, 224, 224), or a list of shapes, one for each input.
    input_data: the input itself, or a list of inputs, in place of the size.
    depth: how deep the rows go: 1 for the parts of the network, 2 for the parts of these, and so on.

    A multiply-add is one multiplication with its addition; many papers call it a FLOP, others count two FLOPs. Only
    convolutions, linear layers, attention, matmul and einsum are counted. Biases, norms, activations, pooling and sums
    are not. Products inside an op of your own are not seen. A parameter with two names counts once. The hooks of
    modules run.
    Raises OptionError for a size that is none, and what the network raises if the input does not fit.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"summary: {why_no_module(model)}")
    depth = whole("summary: depth", depth)
    if (input_size is None) == (input_data is None):
        raise OptionError("summary: give either input_size, such as (1, 3, 224, 224), or input_data")
    if input_data is not None:
        inputs = tuple(input_data) if isinstance(input_data, (tuple, list)) else (input_data,)
        for x in inputs:
            if not is_array(unwrap(x)):
                raise DTypeError(
                    f"summary: input_data must be an array, a Tensor or a list of them, got {type(x).__name__}"
                )
    else:
        inputs = tuple(_zeros(shape, model) for shape in _shapes(input_size))
    return Summary(model, record(model, inputs), inputs, depth)


def _shapes(input_size):
    """A list of shapes. Raises OptionError for anything but a shape or a list of shapes."""
    several = isinstance(input_size, (tuple, list)) and input_size and isinstance(input_size[0], (tuple, list))
    shapes = list(input_size) if several else [input_size]
    for shape in shapes:
        if not (isinstance(shape, (tuple, list)) and all(is_whole(n) and n >= 0 for n in shape)):
            raise OptionError(
                f"summary: input_size must be a shape such as (1, 3, 224, 224), or a list of shapes, "
                f"got {shortened(input_size)}"
            )
    return shapes


def _zeros(shape, model):
    """A Tensor of zeros with the float type and the device of the network's first parameter."""
    like = next((p for p in model.parameters()), Tensor(np.zeros((), np.float32)))
    return Tensor(to_device(np.zeros(shape, like.dtype), like.device))


def _counts(whole):
    """{id of a Call: (elements of its parameters that no call before has counted, whether all of them were)}."""
    counts = {}
    _count(whole, counts, {})
    return counts


def _count(call, counts, first):
    """Put the counts of a call and its parts into counts. first: {id of a parameter: how many come before it}"""
    start = len(first)
    for part in call.modules:
        _count(part, counts, first)
    parameters = list(call.module.parameters())
    for p in parameters:
        first.setdefault(id(p), len(first))
    new = [p for p in parameters if first[id(p)] >= start]
    counts[id(call)] = sum(p.numel() for p in new), bool(parameters) and not new


def _kind(module):
    """The class of a module, with the window of a convolution or a pool: "Conv2d 3×3, stride 2"."""
    kind = type(module).__name__
    return f"{kind} {window(module)}" if isinstance(module, (Conv2d, MaxPool2d, AvgPool2d)) else kind


def window(module: Any) -> str:
    """The kernel size and the stride of a convolution or a pool: "3×3", "7×7, stride 2"."""
    kernel, stride = (
        pair if isinstance(pair, (tuple, list)) else (pair, pair) for pair in (module.kernel_size, module.stride)
    )
    by = "" if tuple(stride) == (1, 1) else f", stride {stride[0] if stride[0] == stride[1] else size_text(stride)}"
    return f"{size_text(kernel)}{by}"


def size_text(shape):
    """A shape as the table shows it: 1×64×112×112; several of them with commas between."""
    if shape is None:
        return "-"
    if any(not is_whole(n) for n in shape):
        return ", ".join(map(size_text, shape))
    return "×".join(map(str, shape)) or "number"


def _in_short(count):
    """4.09 G, 40.6 M, 812."""
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{count / factor:.3g} {letter}"
    return str(count)
