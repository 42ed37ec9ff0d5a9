"""One forward pass as a tree of calls: which module called which other modules and ops, and what each of them gave."""

import threading

from minires.arrays import is_array
from minires.kernels.choice import shapes_only
from minires.mode import no_grad
from minires.observe import listen
from minires.probes import multiply_adds
from minires.summary.receptive import Field, Fields
from minires.tensor import unwrap


class Call:
    """One call of a module, or of an op.

    name: the module's name in the whole network, or the op's. module: None for an op.
    parts: the Calls that its forward made, in this order. output_size: a shape, or a tuple of them.
    multiply_adds: of all its parts together. called: False for a module that the forward leaves out.
    field: what its output sees of the image, if that is known. kept: bytes for backward, set by memory.measure().
    """

    field: Field | None = None
    kept: int | None = None

    def __init__(self, name, module=None, *, output_size=None, multiply_adds=0, called=True):
        self.name, self.module, self.called = name, module, called
        self.output_size, self.multiply_adds = output_size, multiply_adds
        self.parts = []

    @property
    def modules(self):
        """The parts that are calls of modules."""
        return [part for part in self.parts if part.module is not None]


def record(model, inputs, watch=None):
    """The Call model(*inputs), in evaluation mode and without a graph. Afterwards all modes and hooks are as before.

    watch(name, inputs, settings, y, calls) is told each op, with the calls that it is in, the outermost first.
    Its convolutions are not computed, because they take most of the time and their shapes need none.
    """
    names = {id(module): name for name, module in model.named_modules()}
    modes = [(module, module.training) for module in model.modules()]
    whole = Call("", model)
    unfinished = [whole]  # the innermost call is the last
    thread = threading.get_ident()
    fields = Fields(inputs)

    def before(module, inputs):
        call = Call(names[id(module)], module)
        unfinished[-1].parts.append(call)
        unfinished.append(call)

    def after(module, inputs, output):
        finish(unfinished.pop(), output)

    def finish(call, output):
        call.output_size = _size(output)
        call.field = fields.of(_only(output))
        call.multiply_adds = sum(part.multiply_adds for part in call.parts)

    def on_op(name, inputs, y, backward):
        if threading.get_ident() == thread:  # ops of other threads are not this network's
            count = multiply_adds(name, inputs, y, backward)
            unfinished[-1].parts.append(Call(name, output_size=y.shape, multiply_adds=count))

    def on_call(name, inputs, settings, y):  # follows on_op for the same op
        if threading.get_ident() == thread:
            fields.on_call(name, inputs, settings, y)
            unfinished[-1].parts[-1].field = fields.of(y)
            if watch is not None:
                watch(name, inputs, settings, y, tuple(unfinished))

    handles = []
    try:
        for module in model.modules():
            if module is not model:
                handles.append(module.register_forward_pre_hook(before))
                handles.append(module.register_forward_hook(after))
        model.eval()
        with no_grad(), listen(on_op=on_op, on_call=on_call), shapes_only():
            finish(whole, model(*inputs))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    _add_uncalled(whole, names)
    return whole


def _size(output):
    """The shape of an output; a tuple of them for a tuple, list or dict; None for anything else."""
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return tuple(_size(part) for part in output)
    return tuple(output.shape) if is_array(unwrap(output)) else None


def _only(output):
    """The one array or Tensor in an output; the output itself for several, or none."""
    found = [part for part in output if part is not None] if isinstance(output, (tuple, list)) else []
    return found[0] if len(found) == 1 else output


def _add_uncalled(whole, names):
    """Add a Call to the parts of each call for every module with parameters below it that was never called."""
    first = {}
    _note_first(whole, first)
    for call in tuple(first.values()):
        call.parts += [Call(names[id(module)], module, called=False) for module in _uncalled(call.module, first)]


def _note_first(call, first):
    """Put the first call of each module into first, by the module's id."""
    first.setdefault(id(call.module), call)
    for part in call.modules:
        _note_first(part, first)


def _uncalled(module, first):
    """The modules with parameters, directly below this one or in a list of layers, that have no first call."""
    for child in module.children():
        if id(child) in first:
            continue
        if any(id(below) in first for below in child.modules()):  # a list of layers is not called itself
            yield from _uncalled(child, first)
        elif any(True for _ in child.parameters()):
            yield child
