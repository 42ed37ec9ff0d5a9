"""Which of several kernels computes. Each thread has its own choice."""

import threading

from minires.errors import OptionError

CHOICES = {
    "fastest": "on a CPU with Winograd's convolutions in float32, which round differently",
    "direct": "im2col for every convolution, and the fastest for all else",
    "readable": "kernels/readable, as the papers derive them",
    "naive": "convolution and pooling by their definition, in Python loops; kernels/readable for all else",
}


class _Choice(threading.local):
    name = "fastest"


_choice = _Choice()


class use:
    """Compute with the "fastest" kernels (the default), the "direct", the "readable" or the "naive" ones (CHOICES).

    cpu/winograd/ and ops/conv_norm.py state the errors of the fastest.
    kernels.use("readable") holds from now on, and `with kernels.use("readable"):` for the block only. Both hold for the
    calling thread, like np.errstate.
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


class shapes_only(use):
    """Inside `with shapes_only():` a network is built and called without values, in milliseconds and megabytes.

    Layers that are made there have weights with a shape and no memory, as on PyTorch's meta device: they are read-only.
    Kernels give arrays without values (kernels/shapes.py), whatever the weights. So a network can be counted:

        with shapes_only():
            model = models.vgg19()

    It holds for the calling thread. It is no choice of use(), because what a network gives then is wrong.
    """

    def __init__(self):
        self.before = _choice.name
        _choice.name = "shapes"


def chosen():
    """The name that use() was given in this thread, or "shapes"."""
    return _choice.name
