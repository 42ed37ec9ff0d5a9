"""Arrays in, arrays out: the loops under the ops, in more than one speed behind the same signatures.

On a GPU the functions of kernels/device/ stand in for those of the same name, from the first array there on; CuPy is
not imported before.
"""

import threading
from functools import lru_cache, wraps
from math import prod

import numpy as np

from minires.arrays import array_module
from minires.errors import OptionError
from minires.kernels import channels as _channels
from minires.kernels import elementwise as _elementwise
from minires.kernels import fours as _fours
from minires.kernels import im2col as _readable
from minires.kernels import loss as _loss
from minires.kernels import pool as _pool
from minires.kernels import tiled as _tiled
from minires.kernels import update as _update
from minires.kernels import wide as _wide
from minires.kernels import winograd as _winograd
from minires.kernels.batch import batch_count, joint_moments
from minires.kernels.blocks import blockwise
from minires.kernels.channels import channel_sums, per_channel, per_output, product_sums, scatter
from minires.kernels.memory import keep_freed_memory
from minires.kernels.spare import spare
from minires.kernels.window import Window
from minires.kernels.workers import get_num_threads, set_num_threads

__all__ = ["Window", "adam", "add", "add_relu", "avg_pool", "avg_pool_dx", "batch_count", "blockwise", "channel_sums",
           "chosen", "conv", "conv_affine", "conv_dw", "conv_dx", "conv_dx_dw", "cross_entropy", "cross_entropy_dx",
           "first_outside", "get_num_threads", "inverse_deviation", "joint_moments", "max_pool", "max_pool_dx",
           "moments", "normalise", "normalise_dx", "normalise_sums", "per_channel", "per_output", "product_sums",
           "relu", "relu_dx", "remember", "scale", "scatter", "scatter_pays", "set_num_threads", "sgd", "spare", "use"]

keep_freed_memory()

# the first that fits, else the readable one
CHOICES = {"fastest": (_winograd, _fours, _wide, _tiled), "direct": (_wide, _tiled), "readable": ()}


class _Choice(threading.local):
    name = "fastest"


_choice = _Choice()


class use:
    """Compute every convolution the "readable" way, the "direct" one, or the "fastest" (the default).

    The fastest may reorder what it adds up in float32 (fours.py, winograd.py and ops/conv_norm.py state their errors);
    direct never does.
    kernels.use("readable") holds from now on; `with kernels.use("readable"):` for the block only. Both are for the
    thread that says so, as np.errstate is: what other threads compute stays as it is.
    """

    def __init__(self, name):
        if not isinstance(name, str) or name not in CHOICES:
            raise OptionError(f"kernels.use: choose one of {', '.join(CHOICES)}, got {name!r}")
        self.before = _choice.name
        _choice.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        _choice.name = self.before


def chosen():
    """The name that use() was given in this thread."""
    return _choice.name


def _device(x, *others):
    """The kernels of the GPU on which x lies, if they can take all arguments: a complex step's numbers they cannot."""
    if array_module(x) is np:
        return None
    for a in (x, *others):
        if hasattr(a, "dtype") and a.dtype.kind == "c":
            return None
    from minires.kernels import device
    return device


def _placed(host):
    """host, or its namesake on the GPU where the first array (or the first of a list) lies."""
    @wraps(host)
    def call(x, *rest):
        kernels = _device(x[0], *rest) if isinstance(x, list) else _device(x, *rest)
        return host(x, *rest) if kernels is None else getattr(kernels, host.__name__)(x, *rest)
    return call


moments = _placed(_channels.moments)
normalise, normalise_sums, normalise_dx, remember, inverse_deviation = map(_placed, (
    _elementwise.normalise, _elementwise.normalise_sums, _elementwise.normalise_dx,
    _elementwise.remember, _elementwise.inverse_deviation))
add, add_relu, scale, relu, relu_dx = map(_placed, (
    _elementwise.add, _elementwise.add_relu, _elementwise.scale, _elementwise.relu, _elementwise.relu_dx))
max_pool, max_pool_dx, avg_pool, avg_pool_dx = map(_placed, (
    _pool.max_pool, _pool.max_pool_dx, _pool.avg_pool, _pool.avg_pool_dx))
first_outside, cross_entropy, cross_entropy_dx = map(_placed, (
    _loss.first_outside, _loss.cross_entropy, _loss.cross_entropy_dx))
sgd, adam = map(_placed, (_update.sgd, _update.adam))


def _best(x, win, other):
    if _choice.name != "readable" and win.groups == 1 and (kernels := _device(x, other)) is not None:
        return kernels
    return _on_cpu(_choice.name, x.dtype, win) if isinstance(x, np.ndarray) else _readable


@lru_cache(maxsize=4096)
def _on_cpu(chosen, dtype, win):
    return next((kernel for kernel in CHOICES[chosen] if kernel.fits(dtype, win)), _readable)


def conv(x, w, win):
    """Y = im2col(X) · Wᵀ: x (N,C,H,W), w (O,C/groups,KH,KW) -> y (N,O,OH,OW), channels-last."""
    return _best(x, win, w).conv(x, w, win)


def conv_affine(x, w, win, factor, constant, relu=False):
    """factor·conv(x, w, win) + constant, or with relu its ReLU, each piece while a cache holds it.

    factor (None for 1) and constant are by output channel, (O,).
    """
    kernel = _best(x, win, w)
    if kernel not in CHOICES["fastest"]:
        zero = array_module(x).zeros(win.O)
        return normalise(kernel.conv(x, w, win), zero, zero + 1 if factor is None else factor, zero + 1, constant, relu)
    if factor is not None and w.size < prod(win.y_shape):
        w, factor = per_output(factor, w) * w, None
    return kernel.conv(x, w, win, _elementwise.affine_in_place(factor, constant, relu))


def scatter_pays(x, win):
    """Whether batch norm behind this convolution takes less time by way of scatter(x), as measured.

    Its sums are other ones than those of z, so in float32 only, and where the fastest is chosen.
    """
    return (isinstance(x, np.ndarray) and x.dtype == np.float32 and _choice.name == "fastest" and win.is_pointwise
            and win.groups == 1 and win.C <= 96 and win.O >= 4 * win.C and win.N * win.H * win.W >= 16 * win.O)


def conv_dx(dy, w, win):
    """dX = col2im(dY · W): dy (N,O,OH,OW), w (O,C/groups,KH,KW) -> dx (N,C,H,W), channels-last."""
    return _best(dy, win, w).conv_dx(dy, w, win)


def conv_dw(dy, x, win):
    """dW = dYᵀ · im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C/groups,KH,KW)."""
    return _best(x, win, dy).conv_dw(dy, x, win)


def conv_dx_dw(dy, x, w, win):
    """(dX, dW), which may share work: dy (N,O,OH,OW), x (N,C,H,W), w (O,C/groups,KH,KW)."""
    return _best(x, win, w).conv_dx_dw(dy, x, w, win)
