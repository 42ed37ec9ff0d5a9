"""A caller's mistake is reported with the remedy, and never as an error from inside."""

import numpy as np
import pytest

from minires import Tensor, nn, ops
from minires.errors import OptionError
from minires.gradcheck import check, check_module, check_op, taylor_test

X = np.array([[0.7, -1.3, 2.1]])


class Giving(nn.Module):
    def __init__(self, forward):
        self.give = forward

    def forward(self, x):
        return self.give(x)


@pytest.mark.parametrize(
    ("give", "got"),
    [
        (lambda x: [x, x], "one list"),
        (lambda x: None, "None"),
        (lambda x: {"y": x}, "one dict"),
        (lambda x: x.data, "one ndarray"),
        (lambda x: 3.0, "one float"),
        (lambda x: (x, x), "(Tensor, Tensor)"),
    ],
)
def test_a_forward_that_returns_no_tensor_is_told_what_it_returns(give, got):
    said = f"the forward must return one Tensor, it returns {got}; check a module that returns one of its Tensors"
    assert said in str(check_module(Giving(give), X))
    with pytest.raises(OptionError, match="taylor_test: the forward must return one Tensor"):
        taylor_test(Giving(give), X)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (lambda x: x, "got the function <lambda>: call it in the forward of an nn.Module"),
        (nn.Linear, r"got the class Linear: make one of it, Linear\(\.\.\.\)"),
        (None, "got None"),
        (X, "got one ndarray"),
    ],
)
@pytest.mark.parametrize("run", [check_module, taylor_test])
def test_what_is_no_module_is_named(run, given, sentence):
    with pytest.raises(OptionError, match=sentence):
        run(given, X)


def test_a_module_that_makes_float32_is_told_that_it_is_checked_in_float64():
    mask = Giving(lambda x: (x > 0).float() * x)
    assert "modules are checked in float64: where the forward makes a Tensor of its own, use .to(x.dtype)" in str(
        check_module(mask, X)
    )
    assert check_module(Giving(lambda x: (x > 0).to(x.dtype) * x), X).passed


def test_a_module_or_an_array_in_place_of_a_function_is_refused():
    with pytest.raises(OptionError, match="check: Linear is a module; use check_module"):
        check(nn.Linear(3, 2, rng=0), X)
    with pytest.raises(OptionError, match="the function comes first, then its arrays; got one ndarray"):
        check(X, np.square)


@pytest.mark.parametrize(("function", "x"), [(nn.functional.relu, X), (lambda t: (t * t).sum(), Tensor(X))])
def test_a_function_of_tensors_is_told_of_check_module(function, x):
    report = check(function, x)
    assert "the function must return (y, backward)" in str(report)
    assert "call it in the forward of an nn.Module, and use check_module" in str(report)


def test_a_function_of_arrays_that_returns_y_alone_hears_nothing_of_tensors():
    assert "Tensor" not in str(check(lambda x: x * x, X))


def test_an_op_is_checked_by_its_name():
    with pytest.raises(OptionError, match="give the name of an op, 'relu', not the function itself"):
        check_op(ops.relu)


def test_a_number_in_place_of_a_setting_is_told_to_come_by_keyword():
    def scaled(x, factor):
        return x * factor, lambda dy: dy * factor

    assert "if it is a setting, pass it by keyword: factor=0.5" in str(check(scaled, X, 0.5))
    assert check(scaled, X, factor=0.5).passed


def test_what_is_compared_of_a_module_are_directions():
    said = str(check_module(Giving(ops.relu), np.array([0.0, 1.0])))
    assert "of 4 directions skipped at a kink" in said, said
    assert "elements skipped at a kink" in str(check(ops.relu, np.array([0.0, 1.0])))
