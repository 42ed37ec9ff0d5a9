"""Networks of equal cost: each family gets the width at which it costs what another network costs."""

import math
from dataclasses import dataclass
from functools import cache

from minires import kernels, models
from minires.errors import OptionError
from minires.summary import summary

COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds"}  # an attribute of Summary, and its words
WIDEST = 512


@dataclass(frozen=True)
class Family:
    """A network with an option that makes it wider. step: the option is a multiple of it. options: others, as text."""

    model: str
    option: str = "width"
    step: int = 1
    options: str = ""

    def written(self, width):
        """The options of the network of this width, as minires.train takes them."""
        return ", ".join(filter(None, [f"{self.option}={width}", self.options]))


@cache
def costs(model, options, shape, classes):
    """{"parameters", "multiply_adds": of one image (C,H,W)} of a network, without making its weights."""
    with kernels.shapes_only():
        network = models.create(
            model, num_classes=classes, in_channels=shape[0], rng=0, **models.read_options(options)
        ).eval()
        counted = summary(network, (1, *shape), depth=1)
    return {cost: getattr(counted, cost) for cost in COSTS}


def at_cost(family, cost, wanted, shape, classes):
    """The options with which a Family's cost is nearest to the one wanted, as a ratio.

    A wider network costs more, so the width is found by bisection.
    Raises OptionError if the narrowest network costs more than twice as much, or the widest less than half.
    """

    def ratio(steps):
        return costs(family.model, family.written(steps * family.step), shape, classes)[cost] / wanted

    low, high = 1, WIDEST // family.step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ratio(middle) < 1 else (low, middle)
    best = min((low, high), key=lambda steps: abs(math.log(ratio(steps))))
    if not 0.5 <= ratio(best) <= 2:
        raise OptionError(
            f"{family.model} has {ratio(best):.2g} times the {COSTS[cost]} at its nearest width; choose another "
            "reference"
        )
    return family.written(best * family.step)
