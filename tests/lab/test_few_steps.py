"""lab/few_steps.py: a network that a lesson trains for a few steps."""

from minires.lab.few_steps import error_after


def test_a_network_that_has_not_learned_guesses_and_soon_it_does_not():
    before, after = (error_after(steps, "resnet8", "width=8") for steps in (0, 50))
    assert before > 75
    assert after < 30


def test_a_seed_repeats_and_options_are_those_of_the_network():
    first = error_after(5, "resnet8", "width=4", seed=1)
    assert error_after(5, "resnet8", "width=4", seed=1) == first
    others = [error_after(5, "resnet8", "width=8", seed=1), error_after(5, "resnet8", "width=4", seed=2)]
    assert others != [first, first]
