"""How bad input is tested: rows (error, call, message), with arrays on the machine that the test computes on."""

import numpy as np
import pytest
from backends import BACKENDS, GPUS

from minires import Tensor

_place = BACKENDS[0]  # where the calls of the running test make their arrays


def array(values, dtype=None):
    return _place.array(np.array(values, dtype))


def t(*shape):
    """A random Tensor."""
    return Tensor(array(np.random.default_rng(0).standard_normal(shape)))


def ones(*shape_and_dtype):
    return array(np.ones(*shape_and_dtype))


def labels(*values):
    return array(values)


def x():
    """A small batch of feature maps."""
    return t(2, 4, 6, 5)


def w():
    """A weight that fits x()."""
    return t(6, 4, 3, 3)


def refusals(rows):
    """A test of the rows: each call raises its error, with one line that names the op and what is wrong."""

    @pytest.mark.parametrize(("error", "call", "message"), rows, ids=[message[:40] for _, _, message in rows])
    def test_bad_input_is_refused_with_one_clear_line(error, call, message, backend, monkeypatch):
        monkeypatch.setitem(globals(), "_place", backend)
        if backend in GPUS and "is no class" in message:
            assert np.isnan(call().item())  # because the host does not wait for the targets
            return
        with pytest.raises(error, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)

    return test_bad_input_is_refused_with_one_clear_line
