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
from minires.settings import flag, is_whole, shortened, whole
from minires.summary.calls import record
from minires.summary.memory import measure
from minires.summary.receptive import Field
from minires.tensor import Tensor, unwrap

COUNTS = ("layer", "output", "parameters", "multiply-adds")
FIELDS = ("layer", "output", "sees", "stride", "start")
KEPT = "kept"
WIDTH_WITH_MORE = 100  # characters of a line with other columns than COUNTS


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
    field_size: tuple[int, int] | None = None
    """Rows and columns of the image that one element of the output sees through windows; None without such a way."""
    field_stride: tuple[int, int] | None = None
    """Pixels of the image from the field of one element to that of the next."""
    field_start: tuple[int, int] | None = None
    """Row and column of the image where the first element's field starts; negative in the padding."""
    sees_all: bool | None = None
    """Whether some way sees the whole image: a pool over all of it, a linear layer, or attention. None if unknown."""
    kept_bytes: int | None = None
    """Bytes that the graph keeps for backward in training; None unless they were asked for."""


class Summary:
    """What summary() returns: print it, or take its numbers.

    rows: a Row for each part. parameters, trainable_parameters, buffers: numbers of elements in the whole network.
    multiply_adds: in one forward pass. nbytes: of the parameters in memory. input_size: the shapes of the inputs.
    kept_bytes: what the graph keeps for backward, without weights and inputs; None unless it was asked for.
    largest_field: size, stride, start and is_global of what sees most through windows; None if nothing does.
    """

    largest_field: Field | None

    def __init__(
        self, model: Module, call: Any, inputs: Sequence[Any], depth: int, receptive_fields: bool = False
    ) -> None:
        self._shows_fields = receptive_fields
        parameters = list(model.parameters())
        self.input_size = tuple(tuple(x.shape) for x in inputs)
        self.parameters = sum(p.numel() for p in parameters)
        self.trainable_parameters = sum(p.numel() for p in parameters if p.requires_grad)
        self.nbytes = sum(p.data.nbytes for p in parameters)
        self.buffers = sum(int(buffer.size) for buffer in model.buffers())
        self.multiply_adds: int = call.multiply_adds
        self.kept_bytes: int | None = call.kept
        self.largest_field = max(_fields(call), key=lambda field: (field.size, field.is_global), default=None)
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
        seen = call.field
        self.rows.append(
            Row(
                call.name,
                kind,
                depth,
                call.output_size,
                count,
                call.multiply_adds,
                note,
                seen and seen.size,
                seen and seen.stride,
                seen and seen.start,
                seen and seen.is_global,
                call.kept,
            )
        )

    def __str__(self) -> str:
        lines: list[str] = []
        headings = (FIELDS if self._shows_fields else COUNTS) + (KEPT,) * (self.kept_bytes is not None)
        cells = [self._cells(label, row) for label, row in zip(self._labels, self.rows)]
        total = ["total", "", *(("", "", "") if self._shows_fields else (self.parameters, self.multiply_adds))]
        total = [number if isinstance(number, str) else f"{number:,}" for number in total]
        total += [] if self.kept_bytes is None else [megabytes(self.kept_bytes)]
        _, output, *others = [max(map(len, column)) for column in zip(headings, *cells, total)]
        left = (WIDTH if headings == COUNTS else WIDTH_WITH_MORE) - 2 * (len(others) + 1) - output - sum(others)
        first = max(20, left if headings == COUNTS else min(left, max(map(len, self._labels), default=0)))
        columns = dict(zip(headings, [first, output, *(-width for width in others)]))
        table = Table(columns, show=lambda line, **how: lines.append(line))
        for row in cells:
            table.row(*row)
        if any(total[1:]):
            lines.append("")
            table.row(*total)
        return "\n".join([*lines, "", *self._notes()])

    def _cells(self, label, row):
        cells = [label, row.note if row.note == "not called" else size_text(row.output_size)]
        if self._shows_fields:
            cells += [seen_text(row.field_size, row.sees_all), pair_text(row.field_stride), pair_text(row.field_start)]
        else:
            cells.append("shared" if row.note == "shared" else f"{row.parameters:,}" if row.parameters else "-")
            cells.append(f"{row.multiply_adds:,}" if row.multiply_adds else "-")
        if self.kept_bytes is not None:
            cells.append(megabytes(row.kept_bytes) if row.kept_bytes else "-")
        return cells

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
        yield f"{in_short(self.multiply_adds)} multiply-adds for an input of {inputs}"
        if not self._shows_fields:
            yield "only convolutions, linear layers and products of matrices are counted"
        if self.kept_bytes is not None:
            yield f"{megabytes(self.kept_bytes)} kept for backward beside weights and input, measured in the graph"
        if self._shows_fields:
            yield "sees: pixels of the image in each direction that one output depends on, in evaluation mode"
            yield "stride: pixels from the field of one output to the next; start: the first pixel of the first field"
        if self._shows_fields and any(row.sees_all for row in self.rows):
            yield "all: the whole image, by a pool over all of it (as in squeeze and excitation), a linear layer or"
            yield "attention; in brackets what windows alone see, such as convolutions"
        if any(row.depth > 1 for row in self.rows):
            yield "indented rows are parts of the row above them"


def summary(
    model: Module,
    input_size: Sequence[int] | Sequence[Sequence[int]] | None = None,
    *,
    input_data: TensorLike | Sequence[TensorLike] | None = None,
    depth: int = 2,
    receptive_fields: bool = False,
    memory: bool = False,
) -> Summary:
    """The table of a network, by one forward pass in evaluation mode, on zeros of this size.

    input_size: a shape such as (1, 3, 224, 224), or a list of shapes, one for each input.
    input_data: the input itself, or a list of inputs, in place of the size.
    depth: how deep the rows go: 1 for the parts of the network, 2 for the parts of these, and so on.
    receptive_fields: show what each output sees of the image in place of the counts (summary/receptive.py).
    memory: measure what the graph keeps for backward, by a forward pass in training mode (summary/memory.py).

    A multiply-add is one multiplication with its addition; many papers call it a FLOP, others count two FLOPs. Only
    convolutions, linear layers, attention, matmul and einsum are counted. Biases, norms, activations, pooling and sums
    are not. Products inside an op of your own are not seen. A parameter with two names counts once. The hooks of
    modules run.
    Raises OptionError for a size that is none, and what the network raises if the input does not fit.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"summary: {why_no_module(model)}")
    depth = whole("summary: depth", depth)
    receptive_fields = flag("summary: receptive_fields", receptive_fields)
    memory = flag("summary: memory", memory)
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
        inputs = tuple(zeros(shape, model) for shape in _shapes(input_size))
    call = record(model, inputs)
    if memory:
        measure(model, inputs, call)
    return Summary(model, call, inputs, depth, receptive_fields)


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


def zeros(shape, model):
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


def _fields(call):
    """The Fields with windows of all parts of a call."""
    for part in call.parts:
        if part.field and part.field.windows:
            yield part.field
        yield from _fields(part)


def seen_text(size, sees_all):
    """ "35", "35×19", "all", "all (35)" or "-"."""
    windows = "" if size is None else str(size[0]) if size[0] == size[1] else size_text(size)
    if not sees_all:
        return windows or "-"
    return f"all ({windows})" if windows else "all"


def pair_text(pair):
    """One number if rows and columns have the same, else both; "-" for None."""
    if pair is None:
        return "-"
    return str(pair[0]) if pair[0] == pair[1] else ", ".join(map(str, pair))


def megabytes(nbytes):
    """12.85 MB, or 0.4 kB where there is little."""
    return f"{nbytes / 1e6:,.2f} MB" if nbytes >= 1e5 else f"{nbytes / 1e3:.1f} kB"


def in_short(count):
    """4.09 G, 40.6 M, 812."""
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{count / factor:.3g} {letter}"
    return str(count)
