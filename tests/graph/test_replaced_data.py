"""A leaf whose data was replaced after the forward: by .to(), or by hand."""

import gc

import numpy as np
import pytest

from minires import Tensor, nn


@pytest.mark.parametrize("collect", [True, False])
def test_a_converted_layer_may_be_gone_before_backward(collect):
    layer = nn.Linear(3, 2, rng=0).double()
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    weight = layer.weight.data
    loss = layer(x).sum()
    if collect:
        del layer
        gc.collect()
    loss.backward()
    np.testing.assert_array_equal(x.grad, np.ones((2, 2)) @ weight)


def test_a_leaf_whose_data_was_replaced_may_be_gone_before_backward():
    x = Tensor(np.ones(3), requires_grad=True)
    w = Tensor(np.ones(3, np.float32), requires_grad=True)
    w.data = np.full(3, 2.0)
    y = (x * w).sum()
    del w
    gc.collect()
    y.backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 2.0))
