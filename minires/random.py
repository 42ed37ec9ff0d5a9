"""The default random generator, which is used where none is passed in.

Everything random (initial weights, dropout, `randn`) takes `rng`: a NumPy Generator, a seed, or None for the default
generator, which manual_seed sets. An rng that is passed in always wins. Random values are drawn on the CPU, so that a
CPU and a GPU get the same.

>>> minires.manual_seed(0)
>>> layer = nn.Linear(4, 2)                                  # from the default generator
>>> layer = nn.Linear(4, 2, rng=np.random.default_rng(7))    # from this one
"""

from functools import cache

import numpy as np

from minires.errors import OptionError
from minires.settings import is_whole


@cache
def _default():
    return np.random.default_rng()  # made when it is first needed, because importing numpy.random is slow


def manual_seed(seed: int) -> "np.random.Generator":
    """Set the default generator, as torch.manual_seed does, also for objects that use it already."""
    generator = _default()
    generator.bit_generator.state = type(generator.bit_generator)(_checked(seed)).state
    return generator


def generator(rng: "np.random.Generator | int | None" = None) -> "np.random.Generator":
    """rng as a Generator: itself, one made from a seed, or the default generator for None.

    Raises OptionError for anything else.
    """
    if rng is None:
        return _default()
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(_checked(rng))


def _checked(seed):
    if isinstance(seed, (np.random.SeedSequence, np.random.BitGenerator)):
        return seed
    if not is_whole(seed) or seed < 0:
        raise OptionError(
            f"a seed must be a whole number of at least 0, got {seed!r}; "
            "rng takes a seed, np.random.default_rng(seed) or None"
        )
    return int(seed)
