"""nn.functional where its arguments differ from those of the ops."""

import inspect

import numpy as np
import pytest

import minires.nn.functional as F
from minires import ops
from minires.errors import DTypeError, OptionError


def test_pad_takes_torchs_mode_and_refuses_what_is_not_constant():
    x = np.ones(2)
    for y in (F.pad(x, (1, 0), "constant", 3), F.pad(x, (1, 0), value=3.0), F.pad(x, (1, 0), mode="constant", value=3)):
        assert y.tolist() == [3, 1, 1]
    assert F.pad(x, (1, 0)).tolist() == F.pad(x, (1, 0), "constant", None).tolist() == [0, 1, 1]
    with pytest.raises(OptionError, match=r"mode must be 'constant', got 'reflect'; make other borders yourself"):
        F.pad(x, (1, 0), "reflect")


@pytest.mark.parametrize("name", F.__all__)
def test_an_op_with_another_order_of_arguments_names_the_function_with_torchs(name):
    own = getattr(ops, name)
    ours = list(inspect.signature(own).parameters.values())[1:]
    torchs = list(inspect.signature(getattr(F, name)).parameters.values())[1:]
    differs = any(a.name != b.name for a, b in zip(ours, torchs, strict=False) if b.kind is b.POSITIONAL_OR_KEYWORD)
    assert not differs or f"nn.functional.{name}" in own.__doc__


@pytest.mark.parametrize("name", ["group_norm", "layer_norm"])
def test_torchs_order_of_arguments_is_refused_by_an_op_in_a_sentence_that_says_its_own(name):
    with pytest.raises(DTypeError, match=f"{name}: argument 2 must be .*, got int; it takes x, weight, bias, n.*, eps"):
        getattr(ops, name)(np.ones((2, 4)), 4)


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_a_softmax_without_dim_is_refused_and_named(function):
    with pytest.raises(TypeError, match=r"softmax.* 'dim'"):
        function(np.ones((2, 2)))
