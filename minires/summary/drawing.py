"""A network as boxes and arcs for a figure, found in one recorded forward pass.

Each array knows the box that it comes from. Norms, activations and changes of shape are no boxes: what they give comes
from the same box as what they take. Where two ways meet, the one with fewer boxes is the shortcut, and becomes an arc.
Its 1×1 convolution is hidden in the arc. Ways with other layers in both, as in an Inception network, stay in the column
one below the other.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Any
from weakref import ref

from minires.arrays import is_array
from minires.models import Block
from minires.nn import MultiheadAttention
from minires.plots.networks import Arc, Box, Network
from minires.summary.calls import record
from minires.summary.network import zeros
from minires.tensor import unwrap

MOST_BOXES = 64  # in a column; where there are more, equal blocks are drawn once
ADDS = ("add", "residual_add", "residual_add_relu")
POOLS = {"max_pool2d": "max pool", "avg_pool2d": "avg pool", "adaptive_avg_pool2d": "avg pool"}


def drawing(model, input_size, title):
    """The plots.Network of a model, by one forward pass on zeros of this size."""
    inputs = (zeros(input_size, model),)
    trace = Trace(inputs)
    record(model, inputs, trace.on_op)
    return trace.network(title)


@dataclass
class Place:
    """A Box while the others are found: where its input comes from, the shape of its map, and the calls it is in."""

    box: Box
    before: int
    shape: tuple[int, ...]
    calls: list[str]
    is_hidden: bool = False  # in an arc, or in one box for several


class Trace:
    """The boxes and arcs that a network's ops make, in the order of the ops."""

    def __init__(self, inputs: Any) -> None:
        self.boxes: list[Place] = []
        self.arcs: list[Arc] = []
        self.meetings: set[str] = set()  # the names of the blocks: modules in which ways meet
        self._origins: dict[int, Any] = {}  # {id of an array: (the array, weakly, its box, the rows of its map)}
        for x in map(unwrap, inputs):
            if is_array(x):
                self._keep(x, -1, x.shape[2] if x.ndim == 4 else 1)

    def on_op(self, name, inputs, settings, y, calls):
        arrays = [unwrap(x) for x in inputs]
        known = [(self._origin(a), a) for a in arrays if self._origin(a)]
        if not known:
            return
        origin, rows = max(found for found, _ in known)
        is_map = y.ndim == 4 and (name in ("conv2d", "conv_norm") or name in POOLS)
        size = y.shape[2] if is_map else rows if y.ndim > 2 else 1
        attention = next((call.module for call in calls if isinstance(call.module, MultiheadAttention)), None)
        label, kind = _box(name, arrays, settings, y, attention)
        if label:
            origin = self._add(Box(label, kind, size), origin, y.shape if kind != "attention" else (), calls)
        elif name in (*ADDS, "cat", "mul"):
            origin, *others = sorted({found for (found, _), _ in known})
            for other in others:
                origin = self._meet(name, (origin, other), y.shape, calls)
        self._keep(y, origin, size)

    def _add(self, box, before, shape, calls):
        self.meetings |= {call.name for call in calls if isinstance(call.module, Block)}  # a plain block, too
        self.boxes.append(Place(box, before, shape, [call.name for call in calls]))
        return len(self.boxes) - 1

    def _meet(self, name, ends, shape, calls):
        """The box that the result of two ways comes from: the last one of the longer way."""
        ways = [self._way(end) for end in ends]
        common = next(box for box in ways[0] if box in ways[1])
        shorter, longer = sorted((way[: way.index(common)] for way in ways), key=len)
        if name == "mul":
            return self._gate(shorter, longer, common, shape, calls)
        self.meetings.add(calls[-1].name)
        if all(self.boxes[box].box.label.startswith("1×1 conv") for box in shorter):
            for box in shorter:
                self.boxes[box].is_hidden = True
            is_changed = bool(shorter) or self._shape_changes(common, longer[0])
            kind = "concatenation" if name == "cat" else "projection" if is_changed else "identity"
            self.arcs.append(Arc(common, longer[0], kind))
        return longer[0]

    def _shape_changes(self, before, after):
        """Whether the maps behind two boxes differ in shape; a shortcut without a box then skips pixels and pads."""
        shapes = [self.boxes[box].shape for box in (before, after) if box >= 0]
        return all(len(shape) == 4 for shape in shapes) and len(set(shapes)) > 1

    def _gate(self, shorter, longer, common, shape, calls):
        """The box of what weighs the channels of a map: the layers that find the weights are hidden behind it."""
        if shorter:
            return longer[0]
        for box in longer:
            self.boxes[box].is_hidden = True
        squeezed = min((self.boxes[box].shape[1] for box in longer if self.boxes[box].box.kind != "pool"), default=0)
        squeezes = any(self.boxes[box].box.kind == "pool" for box in longer)
        label = f"squeeze-excite, {squeezed}" if squeezes else "gate"
        return self._add(Box(label, "gate", shape[2] if len(shape) == 4 else 1), common, shape, calls)

    def _way(self, box):
        """The boxes from this one back to the image, which is −1."""
        way = [box]
        while way[-1] >= 0:
            way.append(self.boxes[way[-1]].before)
        return way

    def network(self, title):
        """The column: without hidden boxes, and with equal blocks drawn once if there are many boxes."""
        visible = [i for i, place in enumerate(self.boxes) if not place.is_hidden]
        number = {-1: -1, **{i: k for k, i in enumerate(visible)}}
        for i, place in enumerate(self.boxes):
            number.setdefault(i, number[place.before] if place.is_hidden else i)
        boxes = [self.boxes[i].box for i in visible]
        arcs = [Arc(number[arc.start], number[arc.end], arc.kind) for arc in self.arcs]
        names = [self._block(self.boxes[i]) for i in visible]
        blocks = _runs(names)
        if len(boxes) > MOST_BOXES:
            return _once(Network(title, boxes, arcs, blocks))
        return Network(title, boxes, arcs, blocks)

    def _block(self, place):
        """The outermost module around a box in which ways meet, the network itself aside; None without one."""
        return next((name for name in place.calls if name and name in self.meetings), None)

    def _keep(self, array, box, rows):
        self._origins[id(array)] = ref(array), (box, rows)

    def _origin(self, array):
        there, found = self._origins.get(id(array), (lambda: None, None))
        return found if array is not None and there() is array else None


def _runs(names):
    """(first, last, 1) of the boxes that are in one block, by the name of each box's block."""
    runs = []
    for name, group in groupby(enumerate(names), key=lambda numbered: numbered[1]):
        numbers = [number for number, _ in group]
        if name is not None:
            runs.append((numbers[0], numbers[-1], 1))
    return runs


def _once(network):
    """The same network with blocks that follow each other and are equal drawn once."""
    kept = []
    blocks = []
    arcs = []
    previous = None
    start_of = {first: (first, last) for first, last, _ in network.blocks}
    new_number = {-1: -1}
    i = 0
    while i < len(network.boxes):
        first, last = start_of.get(i, (i, i))
        inside = [arc for arc in network.arcs if first <= arc.end <= last]
        shape = (
            network.boxes[first : last + 1],
            [(arc.start - first, arc.end - first, arc.kind) for arc in inside],
            i in start_of,
        )
        if i in start_of and shape == previous:
            begin, end, times = blocks[-1]
            blocks[-1] = (begin, end, times + 1)
            new_number |= {first + k: begin + k for k in range(last - first + 1)}
        else:
            new_number |= {first + k: len(kept) + k for k in range(last - first + 1)}
            if i in start_of:
                blocks.append((len(kept), len(kept) + last - first, 1))
            arcs += [Arc(new_number[arc.start], new_number[arc.end], arc.kind) for arc in inside]
            kept += network.boxes[first : last + 1]
        previous = shape
        i = last + 1
    return Network(network.title, kept, arcs, blocks)


def _box(name, arrays, settings, y, attention):
    """(label, kind) of the box of an op; (None, None) for an op that has none."""
    if attention is not None:
        is_core = name == "scaled_dot_product_attention"
        return (f"attention, {attention.num_heads} heads", "attention") if is_core else (None, None)
    if name == "scaled_dot_product_attention":
        return "attention", "attention"
    if name in ("conv2d", "conv_norm"):
        kernel = "×".join(map(str, arrays[1].shape[2:]))
        groups = settings.get("groups", 1)
        kind = "depthwise" if groups == arrays[0].shape[1] > 1 else "conv"
        beside = f", {groups} groups" if kind == "conv" and groups > 1 else ""
        return f"{kernel} {kind}, {y.shape[1]}{beside}{_stride(settings.get('stride', 1))}", "conv"
    if name in POOLS:
        if y.shape == arrays[0].shape:
            return None, None
        is_global = name == "adaptive_avg_pool2d"
        stride = "" if is_global else _stride(settings.get("stride") or settings["kernel_size"])
        return f"{POOLS[name]}{stride}", "pool"
    if name == "linear":
        return (f"fc, {y.shape[-1]}", "fc") if y.ndim == 2 else (f"linear, {y.shape[-1]}", "conv")
    return None, None


def _stride(stride):
    rows, columns = stride if isinstance(stride, (tuple, list)) else (stride, stride)
    if (rows, columns) == (1, 1):
        return ""
    return f", /{rows}" if rows == columns else f", /{rows}×{columns}"
