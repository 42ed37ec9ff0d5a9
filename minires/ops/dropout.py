"""Dropout."""

import numpy as np

from minires.arrays import array_module
from minires.op import op
from minires.random import generator
from minires.settings import in_range


@op(view=True)
def dropout(x, *, p=0.5, training=True, rng=None):
    """y = x·mask/(1 − p), mask 0 with probability p: ∂L/∂x = ∂L/∂y·mask/(1 − p)  [Srivastava et al. 2014].

    Outside training y is x itself. rng: a NumPy Generator, a seed, or None for the default generator (minires.random);
    the mask is drawn on the CPU, so that a CPU and a GPU drop the same elements. nn.functional.dropout takes inplace.
    """
    p = in_range("dropout: p", p, 0, 1)
    if not training or p == 0:
        return x, lambda dy: dy
    keep = generator(rng).random(x.shape, dtype=np.float32) >= p
    xp = array_module(x)
    scale = xp.empty_like(x, dtype=x.real.dtype)  # in memory as x lies
    scale[...] = xp.asarray(keep)
    scale *= 1 / (1 - p) if p < 1 else 0.0
    return x * scale, lambda dy: dy * scale
