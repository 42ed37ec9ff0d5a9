"""Memory of a training step: the arrays that a network's graph keeps for backward, found in the graph itself.

An op's backward is a function, and what it closes over stays in memory until it has run (op.py). So the arrays are
there to be counted: one forward pass in training mode, on real numbers, then a walk over the nodes of the graph.
"""

import copy
from contextlib import ExitStack

from minires.arrays import is_array, owner
from minires.errors import OptionError
from minires.kernels.shapes import is_blank
from minires.nn import BatchNorm2d, Conv2d, ReLU
from minires.observe import listen
from minires.op import closed_over_by
from minires.tensor import Tensor, unwrap

MERGED = (Conv2d, BatchNorm2d, ReLU)  # chain() computes these together unless a hook listens; so none listens there


class Place:
    """Where an op was called: in which module, and in which other module its first parameter is, if it has one."""

    def __init__(self, module, op, layer):
        self.module, self.op, self.layer = module, op, layer
        self.nbytes = 0


def measure(model, inputs, whole):
    """Set `kept` of a record()'s Call and of all its parts: bytes that the network's graph keeps for backward.

    An array counts once, at the first op that keeps it. Parameters, buffers and the inputs do not count.
    What one op computes for several layers belongs to the first of them. Raises OptionError for weights without values.
    """
    if any(is_blank(p.data) for p in model.parameters()):
        raise OptionError("summary: memory is measured on real numbers; make the network outside of shapes_only()")
    model = copy.deepcopy(model).train()  # because batch norm would change its running statistics
    places = {}  # {id of a backward: Place}
    output = _run(model, inputs, places)
    elsewhere = (*(p.data for p in model.parameters()), *model.buffers(), *map(unwrap, inputs))
    counted = {id(owner(unwrap(array))) for array in elsewhere}
    for node in _oldest_first(output):
        place = places.get(id(node.backward))
        for array in closed_over_by(node.backward):
            memory = owner(array) if is_array(array) else None
            if memory is not None and id(memory) not in counted and place:
                counted.add(id(memory))
                place.nbytes += memory.nbytes
    by_module = {}
    for place in places.values():
        by_module.setdefault(place.module, []).append(place)
    _distribute(whole, by_module)


def _run(model, inputs, places):
    """model(*inputs), with a Place for each op whose backward is recorded."""
    names = {id(module): name for name, module in model.named_modules()}
    layers = {id(p): name for name, module in model.named_modules() for p in module.parameters(recurse=False)}
    inside = [""]

    def on_op(name, given, y, backward):
        if any(isinstance(x, Tensor) and x.requires_grad for x in given):
            places[id(backward)] = Place(
                inside[-1], name, next((layers[id(x)] for x in given if id(x) in layers), None)
            )

    with ExitStack() as stack:
        for module in model.modules():
            if module is not model and not isinstance(module, MERGED):
                before = module.register_forward_pre_hook(lambda module, given: inside.append(names[id(module)]))
                after = module.register_forward_hook(lambda module, given, output: _left(inside))
                stack.callback(before.remove)
                stack.callback(after.remove)
        stack.enter_context(listen(on_op=on_op))
        return model(*inputs)


def _left(inside):
    inside.pop()  # and return None, because what a hook returns becomes the output


def _oldest_first(output):
    """The nodes of the graph of an output, a Tensor or several, that some op has made."""
    found = set()
    waiting = [t.node for t in _tensors(output) if t.node is not None]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [other for other in node.inputs if other is not None]
    return sorted((node for node in found if not node.is_leaf), key=lambda node: node.order)


def _tensors(output):
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return [tensor for part in output for tensor in _tensors(part)]
    return [output] if isinstance(output, Tensor) else []


def _distribute(call, by_module):
    """Give each part of a call the bytes of the ops that computed it, in their order, and the call all of them."""
    call.kept = 0
    for part in call.parts:
        part.kept = 0
        if part.module is not None:
            _distribute(part, by_module)
    after = 0  # of the parts, those before this one are done
    for place in by_module.pop(call.name, ()):
        fitting = (i for i, part in enumerate(call.parts[after:], after) if _computes(part, place, call.name))
        found = next(fitting, None)
        if found is None:
            call.kept += place.nbytes
        else:
            call.parts[found].kept += place.nbytes
            after = found
    call.kept += sum(part.kept for part in call.parts)


def _computes(part, place, above):
    """Whether a part of a call is what an op computed: the layer of its parameter, or an op of its name."""
    if place.layer not in (None, above):
        return part.name == place.layer or (part.module is not None and place.layer.startswith(f"{part.name}."))
    if part.module is None:
        return part.name == place.op
    return isinstance(part.module, MERGED) and [op.name for op in part.parts] == [place.op]
