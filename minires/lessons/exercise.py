"""What an exercise is: a right answer, arguments that are drawn, and the mistakes that people make.

    @exercise("9.1", gives="counts", exact=True)
    def path_lengths(n):
        \"""How many of the 2ⁿ paths have each length, 0 … n: a list of n + 1 whole numbers.\"""
        return [math.comb(n, k) for k in range(n + 1)]

    @path_lengths.draw
    def _(rng):
        yield "three blocks", (3,)                 # the first is the example of the lesson, the others are harder

    @path_lengths.mistake
    def _(n):
        \"""your list has no paths of length 0: …\"""
        return [math.comb(n, k) for k in range(1, n + 1)]

The docstring of the answer says what is asked for, that of a mistake is the hint. A mistake that is seen in a value,
and not computed, is a `sign`. An argument that is a function itself is a Function (function.py). Where
several answers are right, `verify` takes the place of the comparison.
"""

import copy
import inspect

import numpy as np

from minires.lessons import judge
from minires.lessons.comparison import array, difference

catalogue = {}  # {number: Exercise}


class Exercise:
    """One exercise. number: "2.1", in lesson 2; function: the name that the student's function has."""

    def __init__(self, number, answer, gives, points=1, exact=False, too_slow=""):
        self.number = number
        self.lesson = int(number.partition(".")[0])
        self.function = answer.__name__
        self.asks = answer.__doc__ or self.function  # python -OO drops docstrings
        self.answer = answer
        self.gives = [gives] if isinstance(gives, str) else list(gives)
        self.points = points
        self.exact = exact
        self.too_slow = too_slow
        self.parameters = list(inspect.signature(answer).parameters)
        self.mistakes = {}
        self.signs = {}
        self._draw = None
        self._remark = None
        self._verify = None

    def __call__(self, *arguments):
        """The right answer."""
        return self.answer(*copy.deepcopy(arguments))

    @property
    def call(self):
        """How the function is called: im2col(x, kernel_size, stride)."""
        return f"{self.function}({', '.join(self.parameters)})"

    # ---- decorators

    def draw(self, function):
        """(rng) -> pairs (what is hard about these arguments, arguments)."""
        self._draw = function

    def mistake(self, function):
        """What a usual mistake gives for the same arguments; the docstring is its hint."""
        assert _hint(function) not in self.mistakes, f"{self.number} has this hint twice: {_hint(function)}"
        self.mistakes[_hint(function)] = function

    def sign(self, function):
        """(value, *arguments) -> whether a value shows this mistake; the docstring is its hint."""
        self.signs[_hint(function)] = function

    def verify(self, function):
        """(value, *arguments) -> what is wrong, in a sentence, or "". It decides where several answers are right."""
        self._verify = function

    def remark(self, function):
        """(array, *arguments) -> a sentence beside the number that is wrong, or ""."""
        self._remark = function

    # ---- what a check asks

    def cases(self, seed):
        """The pairs (what is hard, arguments) of a seed."""
        return list(self._draw(np.random.default_rng(seed)))

    def judged(self, session, seed):
        """The Outcome of the function of this name, in a session of the grader's."""
        return judge.judged(self, session, seed)

    def problem(self, value, arguments):
        """What is wrong with a value, in a sentence, or ""."""
        with np.errstate(all="ignore"):  # a value may have NaN and infinity in it
            if self._verify is not None:
                return self._verify(copy.deepcopy(value), *copy.deepcopy(arguments))
            said = difference(value, self(*arguments), self.gives, exact=self.exact)
            numbers = array(value)
            if not said or self._remark is None or numbers is None or numbers.dtype.kind == "c":
                return said
            return "; ".join(filter(None, (said, self._remark(numbers, *arguments))))

    def same(self, value, other):
        """Whether two values are the same answer."""
        return not difference(value, other, self.gives, exact=self.exact)

    @property
    def has_one_answer(self):
        return self._verify is None


def exercise(number, gives, points=1, exact=False, too_slow=""):
    """Make the decorated function the right answer of an exercise. -> the Exercise

    gives: what its result is called, or a list of names for several results. exact: whole numbers, without rounding.
    too_slow: the hint for an answer that does not end in time.
    """

    def enter(answer):
        catalogue[number] = Exercise(number, answer, gives, points, exact, too_slow)
        return catalogue[number]

    return enter


def _hint(function):
    return " ".join((function.__doc__ or "").split())
