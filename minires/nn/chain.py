"""Calling layers one after another. Neighbours that one op can compute are merged here, so models need not know of it.

The op is one of ops/fused.py. It does not make the maps between the layers, or does not read them from memory a second
time. The result is that of calling the layers one by one; only the rounding of conv_norm differs, as it states.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from minires import kernels, ops
from minires.kernels.window import Window
from minires.nn import functional
from minires.nn.activations import ReLU
from minires.nn.layers import Conv2d
from minires.nn.normalization import BatchNorm2d
from minires.tensor import Tensor, unwrap

# The methods of these classes as they are defined. Where a class is patched later, is_plain() sees another one.
_CALLS = {kind: (kind.__call__, kind.forward) for kind in (Conv2d, BatchNorm2d, ReLU)}


def chain(x: Any, *steps: Callable[..., Any]) -> Tensor:
    """The last step of … of the first step of x: chain(x, conv, norm, relu) is relu(norm(conv(x))).

    A step is a module or a function. Where x is a tuple, the first step takes all that it holds:
    chain((x, f), residual_add, relu) is relu(residual_add(x, f)).
    """
    return run(x if isinstance(x, tuple) else (x,), steps)


def run(inputs, steps):
    """The same for a tuple of inputs, which the first step takes; without steps the first input."""
    while steps:
        step, count = _together(inputs[0], steps)
        inputs = (step(*inputs),)
        steps = steps[count:]
    return inputs[0]


def _together(x, steps):
    """(function, how many of the steps it does): the first step itself, or one op in place of several."""
    first, second, third = (*steps, None, None)[:3]
    is_map = len(getattr(x, "shape", ())) == 4  # else the layers say what is wrong
    if is_map and is_plain(first, Conv2d) and is_plain(second, BatchNorm2d) and _merge(first, second, x):
        relu = _is_relu(third)
        return partial(_conv_norm, first, second, relu=relu), 3 if relu else 2
    if is_map and is_plain(first, BatchNorm2d) and _is_relu(second):
        return partial(_norm_relu, first), 2
    if first is ops.residual_add and _is_relu(second):
        return ops.residual_add_relu, 2
    return first, 1


def is_plain(module, kind):
    """Whether calling the module runs what `kind` defines and nothing else, so that its op may be merged with another.

    Not so for a subclass with a forward() of its own, a forward() that was patched, and a module with hooks.
    """
    return (
        isinstance(module, kind)
        and not module._hooks
        and "forward" not in vars(module)
        and (type(module).__call__, type(module).forward) == _CALLS[kind]
    )


def _is_relu(step):
    return step is ops.relu or step is functional.relu or is_plain(step, ReLU)


def _merge(conv, norm, x):
    """Whether conv_norm takes less time: in evaluation always, in training where its scatter matrix costs less."""
    if conv.bias is not None:
        return False
    win = Window.of(x.shape, conv.weight.shape, **conv.settings())
    return not norm.uses_batch() or kernels.prefers_scatter_matrix(unwrap(x), win)


def _conv_norm(conv, norm, x, *, relu):
    return ops.conv_norm(x, conv.weight, *norm.affine_of(x), relu=relu, **conv.settings(), **norm.op_settings())


def _norm_relu(norm, x):
    return ops.batch_norm_relu(x, *norm.affine_of(x), **norm.op_settings())
