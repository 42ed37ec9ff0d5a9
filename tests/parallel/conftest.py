"""Fixtures of the tests of processes."""

import numpy as np
import pytest
from changes import Holder, scaled

from minires import kernels, nn
from minires.mode import mode
from minires.parallel import process


@pytest.fixture
def holder():
    forward = Holder.forward
    bias = Holder.bias.copy()
    errors = np.geterr()
    code = {function: function.__code__ for function in (forward, scaled)}
    model = Holder()
    yield model
    model.open.close()
    Holder.forward, Holder.bias[:] = forward, bias
    for function in code:
        function.__code__ = code[function]
    scaled.__defaults__, scaled.__kwdefaults__ = (1.0,), {"shift": 0.0}
    if "added" in vars(nn.BatchNorm2d.__mro__[1]):
        del nn.BatchNorm2d.__mro__[1].added
    mode.complex_step = False
    np.seterr(**errors)
    kernels.use("fastest")


@pytest.fixture
def soon_given_up(monkeypatch):
    """A process that does not answer is given up in a second, not in minutes."""
    for name, seconds in {"CHECK_SECONDS": 0.1, "SUSPENDED": 0.2, "STUCK": 1, "STOP_SECONDS": 0.2}.items():
        monkeypatch.setattr(process, name, seconds)
