"""Where dropout's chance comes from."""

import numpy as np

import minires
from minires import Tensor, ops


def test_without_rng_the_default_generator_is_drawn_from_and_a_seed_repeats_it():
    x = Tensor(np.ones(64, np.float32))
    minires.manual_seed(0)
    first = ops.dropout(x)
    second = ops.dropout(x)
    minires.manual_seed(0)
    assert (ops.dropout(x) == first).all()
    assert not (second == first).all()
    assert (ops.dropout(x, rng=3) == ops.dropout(x, rng=np.random.default_rng(3))).all()
