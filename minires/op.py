"""@op, which makes a differentiable operation of Tensors out of a function of arrays, and the registry of ops."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, overload

import numpy as np

from minires import observe
from minires.arrays import FLOATS, check_numbers, check_plain, counted, device_of, holds, is_array, owner, owners
from minires.errors import DTypeError, GraphError, OptionError, OutOfMemoryError
from minires.graph import Node
from minires.kernels import shapes
from minires.kernels.choice import chosen
from minires.mode import mode
from minires.settings import flag, shortened
from minires.tensor_base import TensorBase, unwrap

if TYPE_CHECKING:
    from minires.annotations import Array, Operand
    from minires.tensor import Tensor

P = ParamSpec("P")
registry: dict[str, Op] = {}  # name -> op


class Op(Protocol[P]):
    """What @op returns for a function (arrays, keywords) -> (y, backward): called with Tensors, it returns a Tensor.

    A call takes the function's arguments, with Tensors in place of arrays. Settings may be given by position, too.
    """

    raw: Callable[P, tuple[Array, Callable[..., Any]]]
    view: bool
    __name__: str

    @overload
    def __call__(self, *inputs: P.args, **settings: P.kwargs) -> Tensor: ...

    @overload
    def __call__(self, x: Operand, setting: Operand | tuple[int, ...] | None, /, *settings: Any) -> Tensor: ...


@overload
def op(function: Callable[P, Any], /) -> Op[P]: ...


@overload
def op(
    *,
    any_dtype: bool = ...,
    integers: tuple[str, ...] = ...,
    needs: bool = ...,
    numbers: bool = ...,
    variadic: bool = ...,
    view: bool = ...,
) -> Callable[[Callable[P, Any]], Op[P]]: ...


def op(function=None, *, any_dtype=False, integers=(), needs=False, numbers=False, variadic=False, view=False):
    """Make a differentiable operation out of a function (arrays, keywords) -> (y, backward).

    Positional arguments are differentiable, keyword-only ones are settings. backward(dy) returns ∂L/∂x for each
    positional argument (None where there is none). It may return dy, an array that it closes over, a view of either,
    or a new array to which it keeps no reference. It must never write into an array that it has returned before,
    because that gradient may still be needed. The arrays that it closes over stay in memory until it has run.
    So a closure mentions only what it needs: it uses `shape`, from `shape = x.shape` before it, and not x.
    A setting whose default is True or False must be True or False.

    needs: call backward(dy, needs), where needs says for each positional argument whether its gradient is wanted.
    any_dtype: take integers and booleans, too.
    integers: names of positional arguments that hold class numbers, which have no gradient.
    numbers: take Python numbers in place of arrays, and integers beside floats, whose dtype they get.
    variadic: take one list of tensors, as torch.cat does.
    view: y may share its memory with an input.

    The function itself stays available as `.raw`. Annotate its arrays as `annotations.Array`, so that a type checker
    accepts a Tensor for them.
    """
    if function is None:
        return partial(
            op, any_dtype=any_dtype, integers=integers, needs=needs, numbers=numbers, variadic=variadic, view=view
        )
    if not inspect.isroutine(function):
        raise DTypeError(f"op: needs a function of arrays, got {type(function).__name__}")
    name = function.__name__
    parameters = inspect.signature(function).parameters.values()
    positional = tuple(p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    inputs_of = tuple(p.name for p in positional)
    settings_of = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    flags = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and isinstance(p.default, bool))
    unchecked = frozenset(i for i, n in enumerate(inputs_of) if n in integers)
    optional = frozenset(i for i, p in enumerate(positional) if p.default is None)
    takes = ("tensors",) * variadic + inputs_of + settings_of

    @wraps(function)
    def call(*inputs, **settings):
        count = 1 if variadic else len(inputs_of)
        if len(inputs) > count:  # settings by position
            by_position = dict(zip(settings_of, inputs[count:]))
            if len(inputs) - count > len(by_position) or by_position.keys() & settings.keys():
                raise TypeError(
                    f"{name}: got {len(inputs)} arguments by position and {list(settings)} by name; "
                    f"it takes {', '.join(takes)}, each once"
                )
            settings |= by_position
        inputs = _listed(name, inputs[0] if inputs else settings.pop("tensors", None)) if variadic else inputs[:count]
        named = [n for n in inputs_of[len(inputs) :] if n in settings]
        while named:  # differentiable arguments by keyword
            inputs += (settings.pop(inputs_of[len(inputs)], None),)
            named = [n for n in named if n in settings]
        while len(inputs) - 1 in optional and inputs[-1] is None:  # an optional argument that was not given
            inputs = inputs[:-1]
        arrays = tuple(map(unwrap, inputs))
        if numbers:
            arrays = _promoted(arrays, unchecked)
            _check_numbers(name, arrays, unchecked)
        first = _check(name, arrays, any_dtype or numbers, unchecked, optional, numbers, takes if settings_of else ())
        settings = {
            key: flag(f"{name}: {key}", value) if key in flags else _setting(name, key, value)
            for key, value in settings.items()
        }
        _check_places(name, first, [arrays[i] for i in unchecked if i < len(arrays)], settings)
        compute = shapes.in_place_of(name, function) if chosen() == "shapes" else function
        try:
            y, backward = observe.timed(name, "forward", compute, *arrays, **settings)
        except MemoryError as error:
            raise OutOfMemoryError(f"{name}: {error}") from error
        y = y if is_array(y) else np.asarray(y)
        observe.report(name, inputs, settings, y, backward)
        return _record(name, inputs, y, backward, needs)

    call.raw, call.view = function, view
    if not _is_ours(registry.get(name)) or _is_ours(function):  # x.relu() stays ours when a user defines another relu
        registry[name] = call
    return call


def _listed(name, tensors):
    """The tensors of an op that takes a list of them, as a tuple."""
    if not hasattr(tensors, "__iter__"):
        raise DTypeError(f"{name}: needs a list of tensors, got {type(tensors).__name__}")
    return tuple(tensors)


def _is_ours(function):
    return getattr(function, "__module__", "").startswith("minires.")


def _promoted(arrays, unchecked):
    """The arrays, with integers and booleans in the dtype of the floats beside them (float32 for a Python float)."""
    checked = counted([a for i, a in enumerate(arrays) if i not in unchecked])
    dtypes = [a.dtype for a in checked if is_array(a)]
    if all(dtype in FLOATS for dtype in dtypes):
        return arrays
    floats = [dtype for dtype in dtypes if dtype.kind in "fc"]
    if not floats:
        beside = any(isinstance(a, float) for a in arrays)
        floats = [np.dtype(np.float32) if beside else np.result_type(*dtypes)]
    return tuple(
        a.astype(floats[0], copy=False) if is_array(a) and a.dtype.kind in "biu" and i not in unchecked else a
        for i, a in enumerate(arrays)
    )


def _check_numbers(name, arrays, unchecked):
    """Raise OptionError for a Python integer that the arrays beside it cannot hold."""
    given = [a for a in arrays if isinstance(a, int) and not 0 <= a < 128]
    if not given:
        return
    dtype = next((a.dtype for i, a in enumerate(arrays) if is_array(a) and i not in unchecked), np.dtype(np.int64))
    for number in given:
        if not holds(dtype, number):
            raise OptionError(
                f"{name}: {shortened(number)} does not fit into {dtype}; convert the tensor first, with "
                ".to(np.int64) or .to(np.float64)"
            )


def _check(name, arrays, any_dtype, unchecked, optional, numbers, takes):
    """The first array, after checking that all others have its dtype and device."""
    first = None
    for i, a in enumerate(arrays):
        if i in unchecked and is_array(a):
            check_plain(a, name)
        if i in unchecked or (a is None and i in optional) or (numbers and isinstance(a, (int, float))):
            continue
        if not is_array(a):
            kind = type(a)
            torchs = "; Tensor(t) makes one of it" if kind.__module__.partition(".")[0] == "torch" else ""
            got = f"{kind.__module__}.{kind.__name__}" if torchs else kind.__name__
            order = f"; it takes {', '.join(takes)}" if takes and not torchs else ""
            raise DTypeError(f"{name}: argument {i + 1} must be a Tensor or an array, got {got}{torchs}{order}")
        check_plain(a, name)
        if a.dtype not in FLOATS and not (a.dtype.kind == "c" and mode.complex_step):
            _check_whole_numbers(name, i, a, any_dtype)
        if first is None:
            first = a
        elif a.dtype != first.dtype and not mode.complex_step:
            raise DTypeError(
                f"{name}: mixes {first.dtype} and {a.dtype}; convert one: .to(np.float32) for a Tensor, "
                ".astype(np.float32) for an array, or model.double() for float64"
            )
        _check_place(name, first, a)
    return first


def _check_whole_numbers(name, i, a, allowed):
    if not a.dtype.isnative:
        raise DTypeError(f"{name}: argument {i + 1} has another byte order ({a.dtype}); convert it with minires.tensor")
    if a.dtype.kind not in "biu" or not allowed:
        raise DTypeError(f"{name}: argument {i + 1} is {a.dtype}; gradients need float32 or float64, convert it")


def _setting(name, key, value):
    """The value of a setting, unwrapped. Raises GraphError if a gradient would be lost, or DTypeError."""
    if getattr(value, "node", None) is not None and mode.recording:
        raise GraphError(f"{name}: {key} is a setting, through which no gradient flows; pass {key}=t.detach()")
    value = unwrap(value)
    if is_array(value):
        check_numbers(value, f"{name}: {key}")
        if value.dtype.kind == "c" and not mode.complex_step:
            raise DTypeError(f"{name}: {key} must be an array of numbers, got {value.dtype}")
    return value


def _check_places(name, first, integers, settings):
    """Check the device of class numbers and of settings that are arrays of floats; an index may be on any device."""
    floats = (value for value in settings.values() if is_array(value) and value.dtype.kind == "f")
    for a in (*integers, *floats):
        if is_array(a) and first is not None:
            _check_place(name, first, a)


def _check_place(name, first, a):
    if isinstance(a, np.ndarray) != isinstance(first, np.ndarray):
        raise DTypeError(
            f"{name}: mixes arrays on {device_of(first)} and {device_of(a)}; move one: .to('cuda') for a "
            "Tensor or a model, Tensor(array).to('cuda') for an array"
        )


def closed_over_by(backward):
    """The values that backward keeps alive: its cells and defaults, and the elements of tuples and lists among them."""
    values = []
    for value in (*(cell.cell_contents for cell in backward.__closure__ or ()), *(backward.__defaults__ or ())):
        values.extend(value) if isinstance(value, (tuple, list)) else values.append(value)
    return values


def _as_function(backward):
    """backward itself if it is a function. What another callable keeps alive is unknown, so its results are copied."""
    if isinstance(backward, FunctionType):
        return backward

    def copied(*arguments):
        dxs = backward(*arguments)
        return tuple(dx.copy() if is_array(dx) else dx for dx in (dxs if isinstance(dxs, (tuple, list)) else (dxs,)))

    return copied


def _node_of(t):
    """The node of a Tensor, up to date: .to() or the user may have replaced the data of a leaf."""
    node = t.node
    if node is not None and node.is_leaf:
        node.describe(t.data)
    return node


def _record(name, inputs, y, backward, needs):
    """y as a Tensor, with a Node if any input has one and this thread is recording."""
    memory = {id(owner(t.data)): t.version for t in inputs if isinstance(t, TensorBase)}
    memory_of_y = id(owner(y))
    out = TensorBase._of(y, memory.get(memory_of_y))  # a view shares its base's version
    nodes = tuple([_node_of(t) if isinstance(t, TensorBase) else None for t in inputs])
    if mode.recording and any(nodes) and y.dtype.kind == "f":
        memory[memory_of_y] = out.version
        backward = _as_function(backward)
        closed_over = owners(closed_over_by(backward))
        saved = tuple([(memory[a], memory[a].count) for a in closed_over if a in memory])
        out.node = Node(name, y, backward, nodes, closed_over, saved, needs)
    return out
