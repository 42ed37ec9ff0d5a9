"""nn.functional where its arguments differ from those of the ops."""

import numpy as np
import pytest

import minires.nn.functional as F
from minires.errors import OptionError


def test_pad_takes_torchs_mode_and_refuses_what_is_not_constant():
    x = np.ones(2)
    for y in (F.pad(x, (1, 0), "constant", 3), F.pad(x, (1, 0), value=3.0), F.pad(x, (1, 0), mode="constant", value=3)):
        assert y.tolist() == [3, 1, 1]
    assert F.pad(x, (1, 0)).tolist() == F.pad(x, (1, 0), "constant", None).tolist() == [0, 1, 1]
    with pytest.raises(OptionError, match=r"mode must be 'constant', got 'reflect'; make other borders yourself"):
        F.pad(x, (1, 0), "reflect")


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_a_softmax_without_dim_is_refused_and_named(function):
    with pytest.raises(TypeError, match=r"softmax.* 'dim'"):
        function(np.ones((2, 2)))
