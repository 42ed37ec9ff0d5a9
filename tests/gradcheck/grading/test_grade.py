"""gradcheck.grade: what a notebook shows of one's own function."""

import numpy as np
import pytest

from minires import gradcheck
from minires.errors import OptionError


def my_norm(x, gamma, beta, eps=1e-5):
    var = x.var((0, 2, 3), keepdims=True)
    x_hat = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(var + eps)
    g = gamma.reshape(1, -1, 1, 1)

    def backward(dy):
        dx = g / np.sqrt(var + eps) * (dy - dy.mean((0, 2, 3), keepdims=True))
        return dx, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))

    return g * x_hat + beta.reshape(1, -1, 1, 1), backward


def test_a_notebook_shows_a_table_and_the_hint():
    result = gradcheck.grade(my_norm, like="batch_norm")
    said = repr(result)
    assert (result.status, result.passed) == ("failed", False)
    assert said == str(result)
    assert "your dx misses −x̂·⟨dy·x̂⟩: the batch variance depends on x too" in said
    assert max(map(len, said.splitlines()[:8])) <= 80


def test_a_pair_a_class_and_a_function_named_after_its_op_are_graded():
    def relu_forward(x):
        return np.maximum(x, 0), x

    def relu_backward(dout, cache):
        return dout * (cache > 0)

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, dy):
            return dy * (1 - self.y**2)

    assert gradcheck.grade((relu_forward, relu_backward)).passed
    assert gradcheck.grade(Tanh).passed
    assert gradcheck.grade(relu_backward).passed  # what it calls its cache may be x


def test_a_blank_is_not_done():
    def tanh(x):
        raise NotImplementedError

    result = gradcheck.grade(tanh)
    assert result.status == "not done"
    assert "not done: NotImplementedError" in str(result)


def test_a_whole_function_is_measured_or_held_to_another():
    def block(x, w):
        return x + x @ w, lambda dy: (dy + dy @ w.T, x.T @ dy)

    def other(x, w):
        return x + x @ w, lambda dy: (dy @ w.T, x.T @ dy)

    shapes = [(3, 4), (4, 4)]
    assert gradcheck.grade(block, shapes=shapes).passed
    assert "advice, not a mark" in str(gradcheck.grade(block, shapes=shapes))
    assert not gradcheck.grade(other, shapes=shapes).passed
    assert gradcheck.grade(block, shapes=shapes, reference=block).passed
    assert not gradcheck.grade(other, shapes=shapes, reference=block).passed
    with pytest.raises(OptionError, match="the reference itself does not pass"):
        gradcheck.grade(block, shapes=shapes, reference=other)


def test_what_to_hold_it_to_must_be_said():
    with pytest.raises(OptionError, match="say which op it is to be like"):
        gradcheck.grade(lambda x: (x, lambda dy: dy))
    with pytest.raises(OptionError, match="did you mean relu"):
        gradcheck.grade(lambda x: (x, lambda dy: dy), like="relo")


def test_at_a_tie_either_convention_passes_and_all_of_dy_to_each_fails():
    def amax(shares):
        def f(x, dim=None, keepdim=False):
            y = x.max(dim, keepdims=True)
            mask = x == y
            if shares == "equal":
                mask = mask / mask.sum(dim, keepdims=True)
            elif shares == "first":
                axis = None if dim is None else dim
                flat = mask.reshape(1, -1) if axis is None else mask
                mask = ((np.cumsum(flat, 1 if axis is None else axis) == 1) & flat).reshape(x.shape)
            return y if keepdim else y.squeeze(dim), lambda dy: dy.reshape(y.shape) * mask

        return f

    assert gradcheck.grade(amax("equal"), "amax", seed=1).passed
    assert not gradcheck.grade(amax("all"), "amax", seed=1).passed
