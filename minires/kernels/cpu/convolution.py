"""Convolution on a CPU: by the first of several kernels that fits, else by the readable one."""

from functools import lru_cache
from math import prod

from minires.kernels.choice import chosen
from minires.kernels.cpu import depthwise, grouped, im2col_by_channel, im2col_tiled
from minires.kernels.cpu.channel_stats import per_output
from minires.kernels.cpu.elementwise import affine_in_place, normalize
from minires.kernels.cpu.winograd import one_axis, two_axes
from minires.kernels.readable import convolution as readable

DIRECT = (depthwise, grouped, im2col_by_channel, im2col_tiled)
FASTEST = (two_axes, one_axis, *DIRECT)


def best(dtype, win):
    """The kernel for this window: a module with conv, conv_dx, conv_dw and conv_dx_dw."""
    return _best(chosen(), dtype, win)


@lru_cache(maxsize=4096)
def _best(choice, dtype, win):
    return next(
        (kernel for kernel in (FASTEST if choice == "fastest" else DIRECT) if kernel.fits(dtype, win)), readable
    )


def conv(x, w, win):
    """The conv of readable/convolution.py; the others are like it."""
    return best(x.dtype, win).conv(x, w, win)


def conv_affine(x, w, win, factor, constant, relu=False):
    """factor·conv(x, w, win) + constant, or with relu its ReLU, each piece while it is in a cache."""
    kernel = best(x.dtype, win)
    if kernel is readable:
        return _affine(readable.conv(x, w, win), factor, constant, relu)
    if factor is not None and w.size < prod(win.y_shape):
        w = per_output(factor, w) * w
        factor = None
    return kernel.conv(x, w, win, affine_in_place(factor, constant, relu))


def _affine(z, factor, constant, relu):
    zero = 0 * constant
    one = zero + 1
    return normalize(z, zero, one if factor is None else factor, one, constant, relu)


def conv_dx(dy, w, win):
    return best(dy.dtype, win).conv_dx(dy, w, win)


def conv_dw(dy, x, win):
    return best(x.dtype, win).conv_dw(dy, x, win)


def conv_dx_dw(dy, x, w, win):
    return best(x.dtype, win).conv_dx_dw(dy, x, w, win)
