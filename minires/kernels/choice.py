"""Which of several kernels computes: each thread chooses for itself."""

import threading

from minires.errors import OptionError

CHOICES = {
    "fastest": "on a CPU Winograd's convolutions, too, which in float32 reorder what is added up",
    "direct": "im2col for every convolution, and otherwise the fastest",
    "readable": "the pages of kernels/readable, as the papers derive them",
    "naive": "convolution and pooling by their definition, in Python loops; the readable pages for all else",
}


class _Choice(threading.local):
    name = "fastest"


_choice = _Choice()


class use:
    """Compute the "fastest" way (the default), the "direct", the "readable" or the "naive" one (CHOICES).

    cpu/winograd/ and ops/conv_norm.py state the errors of the fastest.
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
