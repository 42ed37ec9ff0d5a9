"""Layers of one op each: they are that op, at kinks and bounds, too."""

import numpy as np
import pytest

from minires import Tensor, nn, ops

LAYERS = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "leaky_relu": nn.LeakyReLU(),
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_an_activation_layer_has_the_values_and_the_slopes_of_its_op(name):
    values = np.array([-np.inf, -7.0, -1, 0, 2, 6, 7, np.inf, np.nan])
    x, same = (Tensor(values, requires_grad=True) for _ in range(2))
    with np.errstate(invalid="ignore"):
        found = LAYERS[name](x)
        expected = getattr(ops, name)(same)
        found.sum().backward()
        expected.sum().backward()
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(x.grad, same.grad)


def test_relu6_has_no_slope_at_0_and_at_6():
    x = Tensor(np.array([0.0, 6.0]), requires_grad=True)
    nn.ReLU6()(x).sum().backward()
    assert x.grad.tolist() == [0, 0]
