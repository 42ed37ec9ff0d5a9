"""Where tests compute: with NumPy, and with CuPy where it works (a GPU is there, or a stand-in for one).

A test that takes the fixture `backend` runs on each of them; so does one that is parametrised over BACKENDS.
"""

import numpy as np
import pytest

from minires import cuda, kernels
from minires.arrays import is_array, to_device


class Backend:
    """One of them. Tests measure on the host: on(function) takes NumPy arrays there and brings the results back."""

    def __init__(self, device):
        self.device = device

    def array(self, value):
        """A NumPy array, there, in memory as it lay; anything else as it is."""
        return to_device(value, self.device) if isinstance(value, np.ndarray) else value

    def on(self, function):
        def moved(*arguments, **settings):
            found = function(*map(self.array, arguments), **{k: self.array(v) for k, v in settings.items()})
            if isinstance(found, tuple):
                return tuple(map(host, found))
            return host(found)

        return moved

    def __getattr__(self, name):
        """A function of minires.kernels, there: backend.conv(x, w, win)."""
        return self.on(getattr(kernels, name))

    def __repr__(self):
        return {"cpu": "numpy", "cuda": "cupy"}[self.device]


def host(value):
    """An array on the host, lying as it lay; anything else as it is."""
    return to_device(value, "cpu") if is_array(value) else value


BACKENDS = [Backend("cpu")] + ([Backend("cuda")] if cuda.is_available() else [])
GPUS = BACKENDS[1:]


def needs_gpu(test):
    """A test that makes no sense elsewhere."""
    return pytest.mark.gpu(pytest.mark.skipif(not GPUS, reason=f"no GPU: {cuda.why_not()}")(test))
