"""Where the graphs of tests begin."""

import numpy as np

from minires import Tensor


def leaf(*shape, seed=0, dtype=np.float64):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)
