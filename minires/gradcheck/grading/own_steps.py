"""A layer that takes a step of training itself in its backward: its gradients are marked, at the weights that it has.

The weights are read from its attributes. How it steps is not marked, as long as its first step goes against the
gradient, or against dw + λ·w with a weight decay λ: gradient descent, momentum, Adam and their like all do so. Later
steps may go elsewhere, because momentum remembers. Anything else changes its weights and is no step of training.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from minires.gradcheck.grading.single import size
from minires.gradcheck.grading.standard import COMPUTING, argument_names

TRAINS = (
    "its backward takes a step of training of its own, with learning rate {rate:.4g}, of {names}: "
    "an optimizer would take a second one"
)
STEPS = (
    "its backward takes a step of training of its own, of {names}: an optimizer would take a second one; its gradients "
    "are marked at its own weights, and how it steps is not"
)
UPHILL = "its backward adds {rate:.4g} times the gradients to {names}, which makes the loss larger: subtract them"
DECAY = 0.5  # the largest weight decay λ
LARGEST = 1e3  # times the weights or their gradient, of a step of training
ROUNDING = 1e-6  # of the largest weight: in float32 a layer may hold weights that differ by as much


@dataclass
class OwnSteps:
    """The weights of one layer after its own steps: {argument: array}. note: what is said of them."""

    plan: object
    verdicts: object
    weights: dict = field(default_factory=dict)
    note: str = ""
    uphill: str = ""

    def at(self, case):
        """The case with the weights that the layer has now."""
        named = zip(argument_names(self.plan.standard, case), case.arrays)
        return replace(case, arrays=tuple(self.weights.get(name, a) for name, a in named))

    def see(self, record, kept, first):
        """Note what a backward has changed. kept: {argument: the layer's array, as the op has it}"""
        before = dict(zip(argument_names(self.plan.standard, record.case), record.case.arrays))
        changed = {n: a for n, a in kept.items() if n in before and size(a - before[n]) > ROUNDING * size(before[n])}
        if self.weights:
            self.weights |= kept
        elif first and changed:
            self._first(record, before, changed)

    def _first(self, record, before, changed):
        with COMPUTING:
            right = record.backward(record.dys["first"])
        gradients = dict(self.verdicts.wanted(record.case, right, record.constant))
        steps = {n: (before[n], a - before[n], gradients[n]) for n, a in changed.items() if n in gradients}
        own = " and ".join(self.plan.own_names().get(name, name) for name in steps)
        rate = _rate(steps.values())
        if rate < 0:
            self.uphill = UPHILL.format(rate=-rate, names=own)
        elif steps.keys() == changed.keys() and all(_descends(*step) for step in steps.values()) and not _leaps(steps):
            self.weights = changed
            self.say(TRAINS.format(rate=rate, names=own) if rate else STEPS.format(names=own))

    def say(self, note):
        """Keep what is said first, and nothing where the learning rate is handed over."""
        self.note = self.note or ("" if self.plan.is_told_rate() else note)


def _rate(steps):
    """The learning rate where all steps are it times the gradient, negative where they go uphill; else 0."""
    rates = [-float(np.vdot(g, step) / max(np.vdot(g, g), 1e-300)) for _, step, g in steps]
    exact = all(size(step + rate * g) <= ROUNDING * (size(w) + size(step)) for rate, (w, step, g) in zip(rates, steps))
    return rates[0] if rates and exact and np.allclose(rates, rates[0], rtol=1e-4, atol=0) else 0.0


def _descends(weight, step, gradient):
    """Whether there is a λ from 0 to DECAY for which no element steps along gradient + λ·weight."""
    moved = np.abs(step) > ROUNDING * size(weight)
    along = (step * gradient)[moved]  # along + λ·back ≤ 0 is to hold for each element
    back = (step * weight)[moved]
    bound = -along / np.where(back == 0, 1, back)
    least = bound[back < 0].max(initial=0)
    most = bound[back > 0].min(initial=DECAY)
    return bool(moved.any() and least <= most and (along[back == 0] <= 0).all())


def _leaps(steps):
    """Whether a step is so large that the numbers of y are lost in it."""
    return any(size(step) > LARGEST * max(size(w), size(g)) for w, step, g in steps.values())
