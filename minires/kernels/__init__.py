"""Arrays in, arrays out: the loops under the ops, in more than one speed behind the same signatures."""

from minires.errors import OptionError
from minires.kernels import im2col as _readable
from minires.kernels import tiled as _tiled
from minires.kernels import wide as _wide
from minires.kernels import winograd as _winograd
from minires.kernels.batch import batch_count
from minires.kernels.channels import channel_sums, moments, per_channel
from minires.kernels.elementwise import add, normalise, normalise_dx, normalise_sums, relu, relu_dx, scale
from minires.kernels.memory import keep_freed_memory
from minires.kernels.pool import avg_pool, avg_pool_dx, max_pool, max_pool_dx
from minires.kernels.window import Window
from minires.kernels.workers import blockwise, get_num_threads, set_num_threads

__all__ = ["Window", "add", "avg_pool", "avg_pool_dx", "batch_count", "blockwise", "channel_sums", "conv",
           "conv_dw", "conv_dx", "conv_dx_dw", "get_num_threads", "max_pool", "max_pool_dx", "moments", "normalise",
           "normalise_dx", "normalise_sums", "per_channel", "relu", "relu_dx", "scale", "set_num_threads", "use"]

keep_freed_memory()

# the first that fits, else the readable one
CHOICES = {"fastest": (_winograd, _wide, _tiled), "direct": (_wide, _tiled), "readable": ()}
_chosen = "fastest"


class use:
    """Compute every convolution the "readable" way, the "direct" one, or the "fastest" (the default).

    The fastest may reorder what it adds up in float32 (winograd.py states its error); direct never does.
    kernels.use("readable") holds from now on; `with kernels.use("readable"):` for the block only.
    """

    def __init__(self, name):
        global _chosen
        if name not in CHOICES:
            raise OptionError(f"kernels.use: choose one of {', '.join(CHOICES)}, got {name!r}")
        self.before, _chosen = _chosen, name

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        global _chosen
        _chosen = self.before


def _best(x, win):
    return next((kernel for kernel in CHOICES[_chosen] if kernel.fits(x, win)), _readable)


def conv(x, w, win):
    """Y = im2col(X) · Wᵀ: x (N,C,H,W), w (O,C/groups,KH,KW) -> y (N,O,OH,OW) in x's memory format."""
    return _best(x, win).conv(x, w, win)


def conv_dx(dy, w, win):
    """dX = col2im(dY · W): dy (N,O,OH,OW), w (O,C/groups,KH,KW) -> dx (N,C,H,W) in dy's memory format."""
    return _best(dy, win).conv_dx(dy, w, win)


def conv_dw(dy, x, win):
    """dW = dYᵀ · im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C/groups,KH,KW)."""
    return _best(x, win).conv_dw(dy, x, win)


def conv_dx_dw(dy, x, w, win):
    """(dX, dW), which may share work: dy (N,O,OH,OW), x (N,C,H,W), w (O,C/groups,KH,KW)."""
    return _best(x, win).conv_dx_dw(dy, x, w, win)
