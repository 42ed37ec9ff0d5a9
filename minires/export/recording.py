"""What a network computes, as a list of ops: it is run, and the engine tells which ops were called with what.

It is run twice, with two images and with three. Where a setting is 2 the first time and 3 the second, it is the size of
the batch. So the list holds for every batch. At last the list itself is computed, and must give the network's logits.
"""

import itertools
import threading
from typing import Any, NamedTuple

import numpy as np

from minires.annotations import Rng
from minires.arrays import is_array
from minires.errors import GraphError, ShapeError
from minires.export.parts import in_parts
from minires.export.values import Batch, Call, Value, changed
from minires.mode import no_grad
from minires.nn import Module
from minires.observe import listen
from minires.op import registry
from minires.random import generator
from minires.tensor import Tensor, unwrap

IMAGES, LOGITS = "images", "logits"  # the names of what goes in and what comes out
TOLERANCE = 1e-4  # of the largest logit: float32 in another order of adding, over a hundred layers
FIRST, SECOND = 2, 3  # images


class Recording(NamedTuple):
    """What a network computes in evaluation.

    arrays: the parameters, buffers and constants that it uses, by name. parts: {name of a module: name of its output}
    of its first call, in the order in which the modules are done.
    """

    images: Value
    calls: list[Call]
    logits: Value
    arrays: dict[str, Any]
    parts: dict[str, str]

    def __call__(self, images):
        """The logits of images (N,C,H,W), computed call by call."""
        arrays = {**self.arrays, self.images.name: images}
        for call in self.calls:
            arrays[call.output.name] = computed(call.op, *taken(call, arrays, len(images)))
        return arrays[self.logits.name]


def taken(call, arrays, N):
    """(inputs, settings) of a call, with arrays from {name: array} in place of Values, and N images."""

    def known(part):
        return arrays[part.name] if isinstance(part, Value) else part.times * N

    inputs = [changed(x, known) for x in call.inputs]
    return inputs, {key: changed(value, known) for key, value in call.settings.items()}


def computed(name, inputs, settings):
    """The array that an op gives."""
    op = registry[name]
    with no_grad():
        return unwrap(op(inputs, **settings) if name in VARIADIC else op(*inputs, **settings))


VARIADIC = ("cat", "stack", "einsum")  # ops that take one list


def record(model: Module, image_shape: tuple[int, ...], rng: Rng = 0) -> Recording:
    """The ops of model(images) in evaluation, for images (N,*image_shape) and every N.

    Raises GraphError if the ops depend on what is in the images, or do not give the network's logits.
    """
    rng = generator(rng)
    dtype = next((p.data.dtype for p in model.parameters()), np.dtype(np.float32))
    first, second = (rng.standard_normal((n, *image_shape)).astype(dtype) for n in (FIRST, SECOND))
    a, _ = _run(model, first)
    b, expected = _run(model, second)
    if [call.op for call in a.calls] != [call.op for call in b.calls]:
        raise GraphError(
            f"export: {type(model).__name__} calls other ops on other images, so that no list of ops is the network; "
            "take decisions that depend on the images out of forward()"
        )
    for name in a.arrays:
        if not np.array_equal(a.arrays[name], b.arrays.get(name)):
            raise GraphError(
                f"export: {type(model).__name__} computes the array {name!r} from the images without an op, as with "
                "x.data or a comparison; write it with ops"
            )
    calls = [_joint(x, y) for x, y in zip(a.calls, b.calls)]
    recording = Recording(_same(a.images, b.images), in_parts(calls), _same(a.logits, b.logits), a.arrays, a.parts)
    _check(model, recording(second), expected)
    return recording


def _run(model, array):
    """(Recording of one forward pass, without a symbolic batch, the logits)."""
    x = Tensor(array)
    images = x.data
    names = {id(module): name for name, module in model.named_modules()}
    leaves = {name for name, module in model.named_modules() if not any(True for _ in module.children())}
    state = model.state_dict()
    values = {id(array): Value("state", name, array.shape, array.dtype) for name, array in state.items()}
    values[id(images)] = Value("images", IMAGES, images.shape, images.dtype)
    kept = []  # so that no other array gets the id of one of these
    used = {}
    taken = {IMAGES, LOGITS, *state}
    calls = []
    parts = {}
    within = [""]
    thread = threading.get_ident()

    def value_of(x):
        if isinstance(x, (tuple, list)):  # an index, or sizes
            return tuple(map(value_of, x))
        array = unwrap(x)
        if not is_array(array):
            return array
        if id(array) not in values:
            kept.append(array)
            values[id(array)] = Value("constant", _unused("constant", taken), array.shape, array.dtype)
        value = values[id(array)]
        if value.kind in ("state", "constant"):
            used[value.name] = array
        return value

    def on_call(name, inputs, settings, y):
        if threading.get_ident() != thread or any(unwrap(x) is y for x in inputs):
            return  # of another network, or an op that changes nothing, as dropout in evaluation
        inputs = tuple(map(value_of, inputs))
        settings = {key: value_of(value) for key, value in settings.items() if key != "rng"}
        place = within[-1]
        words = [place] if place in leaves else [place, name]
        kept.append(y)
        output = Value("result", _unused(".".join(filter(None, words)), taken), y.shape, y.dtype)
        values[id(y)] = output
        block = place.rpartition(".")[0] if place in leaves else place
        calls.append(Call(name, place, block, inputs, settings, output))

    def enter(module, inputs):
        within.append(names[id(module)])

    def leave(module, inputs, output):
        name = within.pop()
        value = values.get(id(unwrap(output[0] if isinstance(output, tuple) and output else output)))
        if value is not None and value.kind == "result":
            parts.setdefault(name, value.name)

    handles = []
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module in model.modules():
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
        model.eval()
        with no_grad(), listen(on_call=on_call):
            logits = model(x)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    if not isinstance(logits, Tensor) or not calls or logits.data is not kept[-1]:
        raise GraphError(f"export: {type(model).__name__} must give one Tensor, that of its last op")
    return Recording(values[id(images)], calls, calls[-1].output, used, parts), logits.data


def _unused(name, taken):
    """name, or name_2, name_3, … if it is taken; from now on it is."""
    names = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    found = next(candidate for candidate in names if candidate not in taken)
    taken.add(found)
    return found


def _joint(a, b):
    """The call that is a with the first batch, and b with the second."""
    try:
        inputs = tuple(_same(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))
        settings = {key: _same(value, b.settings[key]) for key, value in a.settings.items()}
        return a._replace(inputs=inputs, settings=settings, output=_same(a.output, b.output))
    except (ValueError, KeyError):
        raise ShapeError(
            f"export: {a.op} in {a.where or 'the network'} depends on the number of images in a way that cannot be "
            "written down; only multiples of it can be"
        ) from None


def _same(a, b):
    """What is a with the first batch, and b with the second. Raises ValueError if that is no multiple of the batch."""
    if isinstance(a, Value) and isinstance(b, Value) and a.name == b.name:
        return a._replace(shape=_same(a.shape, b.shape))
    if isinstance(a, slice) and isinstance(b, slice):
        return slice(*(_same(x, y) for x, y in zip((a.start, a.stop, a.step), (b.start, b.stop, b.step))))
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return tuple(_same(x, y) for x, y in zip(a, b, strict=True))
    if type(a) is type(b) and (a is b or a == b):
        return a
    if isinstance(a, int) and isinstance(b, int) and a % FIRST == 0 and a * SECOND == b * FIRST:
        return Batch(a // FIRST)
    raise ValueError("another setting")


def _check(model, found, expected):
    """Raise GraphError unless the recording gives the network's logits."""
    error = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not error <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise GraphError(
            f"export: the ops that {type(model).__name__} called give other logits than it does, by {error:.3g}; "
            "something in forward() is not computed by ops"
        )
