"""The default generator, and who wins over it."""

import numpy as np
import pytest

from minires import random
from minires.errors import OptionError


def test_manual_seed_gives_the_same_numbers_again_also_from_a_generator_that_was_kept():
    kept = random.generator()
    random.manual_seed(3)
    first = kept.random(4)
    random.manual_seed(3)
    assert (random.generator(None).random(4) == first).all()
    assert (np.random.default_rng(3).random(4) == first).all()


def test_a_passed_rng_wins_and_leaves_the_default_alone():
    random.manual_seed(0)
    before = random.generator().bit_generator.state
    mine = np.random.default_rng(5)
    assert random.generator(mine) is mine
    assert random.generator(5).random() == np.random.default_rng(5).random()
    assert random.generator().bit_generator.state == before


@pytest.mark.parametrize("wrong", [-1, 1.5, "0", True, [1]], ids=repr)
def test_what_is_no_seed_is_refused(wrong):
    for call in (random.manual_seed, random.generator):
        with pytest.raises(OptionError, match="a seed must be a whole number"):
            call(wrong)
