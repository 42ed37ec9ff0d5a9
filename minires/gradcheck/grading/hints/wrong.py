"""A y or a gradient that is wrong, and whether a mistake explains it."""

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading.standard import argument_names

SAME = 1e-6  # of the largest element
NEARER = 1e-2  # how far from it a mistake may be, of the distance to what is right


def same(a, b):
    """Whether two arrays are equal, but for what float32 inside may change."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return False
    return distance(a, b) <= SAME * max(largest(b), 1e-300)


def distance(a, b):
    """The largest difference of two arrays of one shape; infinite where one of them is no number."""
    a = np.asarray(a)
    b = np.asarray(b)
    with np.errstate(all="ignore"):
        gaps = np.abs(a - b)
    gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, gaps)
    return float(np.where(np.isnan(gaps), np.inf, gaps).max(initial=0))


def largest(a):
    """The largest of the finite elements."""
    return float(np.abs(a).max(initial=0, where=np.isfinite(a)))


@dataclass(frozen=True)
class Wrong:
    """What a submission gave for a case: its y, or the gradient of the argument `name` for an upstream gradient dy."""

    standard: object
    case: Case
    given: np.ndarray
    name: str = "y"
    dy: np.ndarray | None = None

    @cached_property
    def op(self):
        return self.standard.name if self.standard.is_op else ""

    @cached_property
    def settings(self):
        """All settings of the case."""
        return self.standard.full_settings(self.case)

    @cached_property
    def is_first(self):
        """Whether it is the gradient of the first argument, of which there is one for each sample."""
        return self.name == self.standard.arguments[0]

    @cached_property
    def is_of_loss(self):
        """Whether it is the gradient of a loss, in which the samples are averaged or added."""
        a_number = self.dy is not None and np.ndim(self.dy) == 0
        return "reduction" in self.standard.settings or (not self.standard.is_op and a_number)

    @cached_property
    def right(self):
        y, _ = self.standard.right(self.case)
        return y if self.name == "y" else np.asarray(self.gradients()[self.name])

    def gradients(self, case=None, dy=None):
        """{argument: the right gradient}, of this case or of another."""
        _, backward = self.standard.right(case or self.case)
        return dict(zip(argument_names(self.standard, self.case), backward(self.dy if dy is None else dy)))

    def y_of(self, *arrays, **static):
        """The op's y of other arrays, or with other settings."""
        static = copy.deepcopy(self.case.static | static)
        return np.asarray(self.standard.raw(*(arrays or self.case.arrays), **static)[0])

    def is_explained_by(self, array):
        """Whether a mistake that gives this array is what was made: it is the same, and far nearer than what is right.

        Nothing but zeros explains nothing, because many mistakes give them.
        """
        if not same(self.given, array) or not np.any(array):
            return False
        other = self.given.shape != self.right.shape
        return other or distance(self.given, array) <= NEARER * distance(self.given, self.right)
