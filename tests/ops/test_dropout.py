"""ops/dropout.py: what dropout drops, and where its random numbers come from."""

import numpy as np
import pytest
from bad_input import refusals, t

import minires
from minires import Tensor, nn, ops
from minires.errors import OptionError

test_bad_input = refusals(
    [
        (OptionError, lambda: ops.dropout(t(3), p=1.5, rng=0), "dropout: p must be .* at most 1, got 1.5"),
        (OptionError, lambda: ops.dropout(t(3), p=0.5, rng=-1), "a seed must be a whole number of at least 0, got -1"),
        (OptionError, lambda: nn.Dropout(-1), "Dropout: p must be a number"),
    ]
)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_drops_a_fraction_p_and_scales_the_rest(training):
    x = Tensor(np.ones((200, 200)), requires_grad=True)
    y = ops.dropout(x, p=0.3, training=training, rng=np.random.default_rng(0))
    y.backward(np.ones(y.shape))
    if not training:
        np.testing.assert_array_equal(y.data, x.data)
        return
    assert set(np.unique(y.data)) == {0.0, 1 / 0.7}
    assert abs((y.data == 0).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 40_000)
    np.testing.assert_array_equal(x.grad, y.data)


def test_without_rng_the_default_generator_is_drawn_from_and_a_seed_repeats_it():
    x = Tensor(np.ones(64, np.float32))
    minires.manual_seed(0)
    first = ops.dropout(x)
    second = ops.dropout(x)
    minires.manual_seed(0)
    assert (ops.dropout(x) == first).all()
    assert not (second == first).all()
    assert (ops.dropout(x, rng=3) == ops.dropout(x, rng=np.random.default_rng(3))).all()
