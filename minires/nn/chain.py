"""Calling layers one after another. Neighbors that one op can compute are merged here, so models need not know of it.

The merged ops are in ops/fused.py and ops/conv_norm.py. They save memory traffic between the layers. The result is that
of calling the layers one by one; only conv_norm rounds differently, as it states.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from minires import kernels, ops
from minires.errors import DTypeError, ShapeError
from minires.kernels.window import Window
from minires.nn import functional
from minires.nn.activations import ReLU
from minires.nn.layers import Conv2d
from minires.nn.normalization import BatchNorm2d
from minires.tensor import Tensor, unwrap

# The methods of these classes as they are defined here. is_plain() sees if a class is patched later.
_CALLS = {kind: (kind.__call__, kind.forward) for kind in (Conv2d, BatchNorm2d, ReLU)}


def chain(x: Any, *steps: Callable[..., Any]) -> Tensor:
    """The steps one after another: chain(x, conv, norm, relu) is relu(norm(conv(x))).

    A step is a module or a function. If x is a tuple, the first step takes all its elements:
    chain((x, f), residual_add, relu) is relu(residual_add(x, f)). Raises DTypeError for a step that cannot be called.
    """
    if isinstance(x, tuple) and not x:
        raise ShapeError("chain: x is an empty tuple; give a tensor, or the tensors that the first step takes")
    for i, step in enumerate(steps, 1):
        if not callable(step):
            raise DTypeError(f"chain: step {i} must be a module or a function, got {type(step).__name__}")
    return run(x if isinstance(x, tuple) else (x,), steps)


def run(inputs, steps):
    """chain() for a tuple of inputs, all for the first step; without steps the first input."""
    while steps:
        step, count = _next(inputs[0], steps)
        inputs = (step(*inputs),)
        steps = steps[count:]
    return inputs[0]


def _next(x, steps):
    """(function, how many steps it computes): the first step itself, or one op instead of several steps."""
    first, second, third = (*steps, None, None)[:3]
    is_map = (
        len(getattr(x, "shape", ())) == 4
    )  # otherwise the layer itself is called, because its error message is better
    if is_map and is_plain(first, Conv2d) and is_plain(second, BatchNorm2d) and _pays(first, second, x):
        relu = _is_relu(third)
        return partial(_conv_norm, first, second, relu=relu), 3 if relu else 2
    if is_map and is_plain(first, BatchNorm2d) and _is_relu(second):
        return partial(_norm_relu, first), 2
    if first is ops.residual_add and _is_relu(second):
        return ops.residual_add_relu, 2
    return first, 1


def is_plain(module, kind):
    """Whether calling the module runs only what `kind` defines, so that its op may be merged with another.

    False for a subclass with its own forward(), a patched forward(), and a module with hooks.
    """
    return (
        isinstance(module, kind)
        and not module._hooks
        and "forward" not in vars(module)
        and (type(module).__call__, type(module).forward) == _CALLS[kind]
    )


def _is_relu(step):
    return step is ops.relu or step is functional.relu or is_plain(step, ReLU)


def _pays(conv, norm, x):
    """Whether conv_norm takes less time: in evaluation always, in training if its scatter matrix costs less."""
    if conv.bias is not None or norm.num_features != len(conv.weight):  # the layer's own error message is better
        return False
    win = Window.of(x.shape, conv.weight.shape, **conv.settings())
    return not norm.uses_batch() or kernels.prefers_scatter_matrix(unwrap(x), win)


def _conv_norm(conv, norm, x, *, relu):
    return ops.conv_norm(x, conv.weight, *norm.affine_of(x), relu=relu, **conv.settings(), **norm.op_settings())


def _norm_relu(norm, x):
    return ops.batch_norm_relu(x, *norm.affine_of(x), **norm.op_settings())
