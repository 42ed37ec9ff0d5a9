"""What is not computed, because only shapes are asked for: each kernel gives an array of y's shape without values.

All elements of such an array are one number in memory. So a network of any size runs in a few milliseconds, and needs
a few megabytes (shapes_only() in kernels/choice.py).
"""

import numpy as np

from minires.arrays import array_module, is_array

# Ops of single elements, most of which no kernel computes. The first broadcast their arrays to one shape.
BROADCASTING = {"add", "sub", "mul", "div", "pow", "maximum", "minimum", "where"}
OF_ONE_SHAPE = {"neg", "abs", "exp", "log", "sqrt", "relu", "relu6", "leaky_relu", "tanh", "sigmoid", "silu", "gelu"}
OF_ONE_SHAPE |= {"residual_add"}


def blank(shape, like):
    """An array of this shape with the type and library of `like`. It can be written into, and so holds no values."""
    xp = array_module(like)
    return xp.lib.stride_tricks.as_strided(xp.zeros(1, like.dtype), shape, (0,) * len(shape))


def is_blank(x):
    """Whether all elements of an array are one number in memory."""
    return is_array(x) and x.size > 1 and not any(x.strides)


def in_place_of(name, function):
    """What an op computes by: its function, or for an op of elements a function that takes blank arrays, too.

    That one computes only the first element, which shows the type of the result.
    """
    if name not in BROADCASTING and name not in OF_ONE_SHAPE:
        return function

    def of_first_elements(*inputs, **settings):
        shapes = {x.shape for x in inputs if is_array(x)}
        if not any(map(is_blank, inputs)) or (name not in BROADCASTING and len(shapes) > 1):
            return function(*inputs, **settings)
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            return function(*inputs, **settings)  # which says what does not fit
        y, backward = function(*(x[(slice(1),) * x.ndim] if is_array(x) else x for x in inputs), **settings)
        return blank(shape, y), backward

    return of_first_elements


def conv(x, w, win):
    """x (N,C,H,W), w (O,C/groups,KH,KW) -> (N,O,OH,OW)."""
    return blank(win.y_shape, x)


def conv_affine(x, w, win, factor, constant, relu=False):
    """The same."""
    return blank(win.y_shape, x)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """x (N,C,H,W) -> (N,C,H,W)."""
    return blank(x.shape, x)


def layer_norm(x, weight, bias, eps):
    """x (M,C) -> (M,C), (M,1), (M,1)."""
    return blank(x.shape, x), blank((len(x), 1), x), blank((len(x), 1), x)


def add(a, b, out=None):
    """a and b of one shape -> their shape."""
    return blank(a.shape, a)


def add_relu(a, b):
    """The same."""
    return blank(a.shape, a)


def max_pool(x, win):
    """x (N,C,H,W) -> (N,C,OH,OW)."""
    return blank(win.y_shape, x)


def avg_pool(x, win, count_include_pad=True):
    """The same."""
    return blank(win.y_shape, x)


def attention(q, k, v, scale, mask=None, keep=None):
    """q (…,L,d), k (…,T,d), v (…,T,e) -> (…,L,e), (…,L,T), (…,L,1)."""
    return tuple(blank((*q.shape[:-1], n), q) for n in (v.shape[-1], k.shape[-2], 1))


def contract(factors, out):
    """(letters, x) pairs -> an array with the letters `out`."""
    sizes = {letter: n for letters, x in factors for letter, n in zip(letters, x.shape)}
    return blank([sizes[letter] for letter in out], factors[0][1])


def matmul(a, b):
    """a (…,M,K), b (…,K,N) -> (…,M,N)."""
    return blank((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a)
