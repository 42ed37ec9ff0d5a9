"""Neighbouring layers in one pass over memory, where calling them one by one would give the same."""

import numpy as np

from minires import kernels, ops
from minires.kernels.window import Window
from minires.nn.layers import Conv2d
from minires.nn.normalisation import BatchNorm2d
from minires.tensor import unwrap

# What a call of such a layer runs, as it stands here: whoever changes one of these later changes what the call does.
_CALLS = {kind: (kind.__call__, kind.forward) for kind in (Conv2d, BatchNorm2d)}


def is_plain(module, kind):
    """Whether calling the module runs what `kind` defines and nothing else, so that its op may be merged with another.

    Not so for a subclass with a forward() of its own, a forward() that was patched, and a module with hooks.
    """
    return (isinstance(module, kind) and not module._hooks and "forward" not in vars(module)
            and (type(module).__call__, type(module).forward) == _CALLS[kind])


def norm_relu(norm, x):
    """relu(norm(x)), in one pass over memory where norm is a plain BatchNorm2d."""
    if is_plain(norm, BatchNorm2d):
        return ops.batch_norm(x, *norm.affine_of(x), relu=True, **norm.begin())
    return ops.relu(norm(x))


def conv_norm(conv, norm, x, relu=False):
    """norm(conv(x)), or with relu its ReLU; in one op where that is faster and both are plain layers."""
    together = is_plain(conv, Conv2d) and is_plain(norm, BatchNorm2d) and conv.bias is None
    if together and norm.uses_batch():
        win = Window.of(np.shape(unwrap(x)), conv.weight.shape, **conv.settings())
        together = kernels.scatter_pays(unwrap(x), win)
    if together:
        return ops.conv_norm(x, conv.weight, *norm.affine_of(x), relu=relu, **conv.settings(), **norm.begin())
    x = conv(x)
    return norm_relu(norm, x) if relu else norm(x)
