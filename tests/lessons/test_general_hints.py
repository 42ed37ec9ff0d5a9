"""Mistakes that are made everywhere are named by computing, in exercises that do not list them."""

import math
import re

import numpy as np
import pytest

from minires.gradcheck.grading.session import Session
from minires.lessons.deadline import Timed
from minires.lessons.exercise import Exercise
from minires.lessons.languages import say


def grid(x):
    return x[:, None] * np.arange(1.5, 5)


def two(x):
    return x * x, np.cumsum(x)


def lengths(x):
    return [len(x) + k for k in range(4)]


GRID = Exercise("0.1", grid, "grid")
TWO = Exercise("0.2", two, ["squares", "sums"])
TOTAL = Exercise("0.3", lambda x: x.sum(), "total")
LENGTHS = Exercise("0.4", lengths, "lengths", exact=True)
for exercise in (GRID, TWO, TOTAL, LENGTHS):
    exercise.function = "answer"

    @exercise.draw
    def _(rng):
        for n in (3, 4, 6):
            yield f"{n} numbers", (rng.standard_normal(n) * 5,)


def said(exercise, answer):
    """The Outcome of an answer."""
    child = Timed(names={"answer": answer})
    with Session(lambda: child, "answer") as session:
        return exercise.judged(session, 0)


MISTAKES = {
    "exchange its two axes": (GRID, lambda x: grid(x).T),
    "wrong sign": (GRID, lambda x: -grid(x)),
    "a factor, 0.5": (GRID, lambda x: grid(x) / 2),
    "is zero": (GRID, lambda x: 0 * grid(x)),
    "in the reverse order": (GRID, lambda x: grid(x)[::-1]),
    "the fractions are lost": (GRID, lambda x: grid(x).astype(int)),
    "//": (GRID, lambda x: grid(x) // 1),
    "in another order": (GRID, lambda x: grid(x)[np.argsort(x)]),
    "the last is missing": (GRID, lambda x: grid(x)[:-1]),
    "the first is missing": (GRID, lambda x: grid(x)[1:]),
    "leave out the last": (GRID, lambda x: np.pad(grid(x), ((0, 1), (0, 0)))),
    "return squares, sums": (TWO, lambda x: two(x)[::-1]),
    "your sums have the wrong sign": (TWO, lambda x: (x * x, -np.cumsum(x))),
    "your squares are right but for a factor, 2": (TWO, lambda x: [2 * x * x, np.cumsum(x)]),
    "do not divide by": (TOTAL, lambda x: x.mean()),
    "not divided by": (TOTAL, lambda x: x.sum() * len(x)),
    "fractions, and whole numbers": (LENGTHS, lambda x: [n + 0.5 for n in lengths(x)]),
    "changes x": (GRID, lambda x: (grid(x.copy()), x.sort())[0]),
    "constants": (GRID, lambda x: np.outer(x[:3], np.arange(1.5, 5))),
}


ERRORS = {  # what NumPy and Python say, as they say it today
    "i : i + n": lambda x: np.zeros((9, 9)).__setitem__(slice(3), grid(x)),
    "keepdims=True": lambda x: grid(x) + np.ones(7),
    "join have different shapes": lambda x: np.array([grid(x), grid(x)[1:]]),
    ".any() or .all()": lambda x: grid(x) if x == 0 else x,
    "one axis or two": lambda x: np.linalg.norm(np.ones((2, 3, 4)), axis=(0, 1, 2)),
    "where k is above n": lambda x: math.factorial(-len(x)),
    "has the axes 0 to n − 1": lambda x: x.sum(axis=1),
    "an index is a fraction": lambda x: x[len(x) / 2],
    "an index is a fraction: /": lambda x: list(x)[len(x) / 2],
    "an index is a fraction: / divides": lambda x: x[: len(x) / 2],
    "a count is a fraction": lambda x: np.zeros(len(x) / 2),
    "a count is a fraction: /": lambda x: list(range(len(x) / 2)),
    "take a loop": lambda x: x[np.arange(2) :],
    "an index goes past the end": lambda x: x[len(x)],
    "an index goes past": lambda x: list(x)[len(x)],
    "divide by 0": lambda x: 1 / (len(x) - len(x)),
    "without end": lambda x: (lambda f: f(f))(lambda f: f(f)),
}


@pytest.mark.parametrize("words", ERRORS)
def test_what_an_exception_means_is_said(words):
    outcome = said(GRID, ERRORS[words])
    assert outcome.status == "could not be run"
    assert words in outcome.hint, outcome


def test_another_exception_gets_no_hint():
    outcome = said(GRID, lambda x: {}["rates"])
    assert (outcome.status, outcome.hint) == ("could not be run", "")


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_named(words):
    outcome = said(*MISTAKES[words])
    assert outcome.status == "wrong"
    assert words in outcome.hint, outcome
    assert re.search("[가-힣]", say(outcome.hint, "ko"))


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (GRID, lambda x: grid(x) + 1),
        (GRID, lambda x: grid(x) * len(x) ** 2),
        (GRID, lambda x: grid(x) * (1 if len(x) == 3 else 2) * (1 + (len(x) == 6))),
        (TWO, lambda x: (np.cumsum(x), np.cumsum(x))),
        (TOTAL, lambda x: x.sum() / (len(x) + 1)),
        (LENGTHS, lambda x: [2 * n + 1 for n in lengths(x)]),
    ],
)
def test_a_mistake_that_is_none_of_these_gets_no_name(exercise, answer):
    outcome = said(exercise, answer)
    assert (outcome.status, outcome.hint) == ("wrong", "") or "constants" in outcome.hint, outcome
    assert outcome.said


def test_results_that_are_missing_are_counted():
    assert "gives 3 results, and 2 results are asked for: squares, sums" in repr(said(TWO, lambda x: (x, x, x)))
    assert "gives an array of shape (3,), and 2 results" in repr(said(TWO, lambda x: x))
    assert said(TWO, lambda x: (None, None)).status == "not done yet"


def test_a_hint_holds_in_every_case_and_not_in_one_by_chance():
    assert said(GRID, lambda x: -grid(x) if len(x) == 3 else grid(x)).hint == ""
    assert said(GRID, lambda x: 2 * grid(x) if len(x) == 4 else grid(x)).hint == ""


def test_names_of_several_things_have_the_verb_of_several():
    assert "lengths have length 2, and 4 is right" in repr(said(LENGTHS, lambda x: [1, 2]))
    assert "lengths are an int, and a list of whole numbers is asked for" in repr(said(LENGTHS, lambda x: 3))
    assert "your total has the wrong sign" in said(TOTAL, lambda x: -x.sum()).hint
    several = Exercise("0.5", two, ["the squares of x", "the sum so far"])
    several._draw, several.function = TWO._draw, "answer"
    hint = said(several, lambda x: two(x)[::-1]).hint
    assert (
        hint == "your squares of x and your sum so far are in the wrong order: return the squares of x, the sum so far"
    )
    assert "your squares of x have the wrong sign" in said(several, lambda x: (-x * x, np.cumsum(x))).hint
