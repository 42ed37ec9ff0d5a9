"""Answers that are spoiled in every way: a check says that they are wrong, and no error in it costs other marks."""

import json

import numpy as np
import pytest
from planted_answers import function_of, written

from minires import lessons
from minires.lessons import hints, judge
from minires.lessons.exercise import catalogue
from tutorials.grade.__main__ import main

NUMBERS = [one.number for one in lessons.exercises()]
SPOILS = {
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "NaN": lambda a: np.full(a.shape, np.nan),
    "infinity": lambda a: np.full(a.shape, -np.inf),
    "NaN in places": lambda a: np.where(np.arange(a.size).reshape(a.shape) % 2, np.nan, a),
    "the largest float": lambda a: np.full(a.shape, 1.7e308),
    "empty": lambda a: a[:0] if a.ndim else np.zeros(0),
    "an axis more": lambda a: a[None],
    "a row": lambda a: a.ravel(),
    "twice as long": lambda a: np.concatenate([a, a]) if a.ndim else np.array([a, a]),
    "cut off at 0": lambda a: np.maximum(a, 0),
    "cut off above 0": lambda a: np.minimum(a, 0),
    "whole numbers": lambda a: a.astype(int),
    "yes and no": lambda a: a > 0,
    "half precision": lambda a: a.astype(np.float16),
    "complex": lambda a: a + 1j,
    "objects": lambda a: a.astype(object),
    "texts": lambda a: a.astype(str),
    "a list": lambda a: a.tolist(),
    "a number": lambda a: 0.0,
    "text": lambda a: "three",
    "a dictionary": lambda a: {"answer": a},
    "nothing": lambda a: None,
    "a class": lambda a: np.ndarray,
}
PARTLY = ["zeros", "NaN", "empty", "cut off at 0", "objects"]  # of results among which others are right
WHEN = {"always": lambda calls: True, "at first": lambda calls: calls == 1, "later": lambda calls: calls > 1}


def spoiled(value, spoil):
    """A result with each of its arrays and numbers spoiled; what a function in it gives, too."""
    if callable(value):
        return lambda *arguments: spoiled(value(*arguments), spoil)
    if isinstance(value, tuple):
        return tuple(spoiled(part, spoil) for part in value)
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "bif":  # a list of nodes, as in lesson 1
        numbers = np.arange(float(len(value)))
    with np.errstate(all="ignore"):
        return spoil(numbers)


def answer(number, spoil, when):
    """The solution of an exercise, with a result that is spoiled in some of its calls."""
    solution = function_of(written("solution", number), catalogue[number].function)
    calls = []

    def spoils(*arguments):
        calls.append(arguments)
        result = solution(*arguments)
        return spoiled(result, spoil) if when(len(calls)) else result

    return spoils


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_spoiled_answer_never_meets_an_error_of_the_check_or_of_a_hint(number, when, monkeypatch):
    monkeypatch.setattr(judge, "Exception", FloatingPointError, raising=False)  # no net under the hints
    for what in SPOILS if when == "always" else PARTLY:
        said = lessons.check(number, answer(number, SPOILS[what], WHEN[when]))
        assert "check itself" not in repr(said), (what, said)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("what", ["NaN", "empty", "text", "nothing", "zeros"])
def test_a_spoiled_answer_is_not_right(number, what):
    said = lessons.check(number, answer(number, SPOILS[what], WHEN["always"]))
    assert not said.passed
    assert said.said


def failing(*arguments):
    """A check, or a hint, with a mistake of ours in it."""
    return 1 / 0


PLANTED = {  # what fails: (where, status of 5.3, what is said of it)
    "a hint": (lambda patch: patch.setattr(hints, "hint", failing), "wrong", "low is 0"),
    "a mistake": (lambda patch: patch.setitem(catalogue["5.3"].mistakes, "a", failing), "wrong", "low is 0"),
    "a sign": (lambda patch: patch.setitem(catalogue["5.3"].signs, "a", failing), "wrong", "low is 0"),
    "the check": (
        lambda patch: patch.setattr(catalogue["5.3"], "_verify", failing),
        "could not be run",
        "check itself",
    ),
    "the cases": (lambda patch: patch.setattr(catalogue["5.3"], "_draw", failing), "could not be run", "check itself"),
    "the right answer": (lambda p: p.setattr(catalogue["5.3"], "answer", failing), "could not be run", "check itself"),
}
CUT_OFF = """def paired_interval(a, b, t):
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return max(0, d.mean() - half), d.mean() + half"""


def marks_of(tmp_path, *cells):
    """The exercises of a notebook of lesson 5, as the grader's JSON has them."""
    code = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None} for c in cells]
    notebook = tmp_path / "kim.ipynb"
    notebook.write_text(json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    main([str(notebook), "--lesson", "5", "--seed", "5", "--json", str(tmp_path / "marks.json")])
    [marks] = json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["results"]
    return marks


@pytest.mark.parametrize("what", PLANTED)
def test_an_error_in_a_hint_or_in_a_check_costs_no_mark_of_another_exercise(what, tmp_path, monkeypatch):
    pytest.importorskip("IPython", reason="IPython is not installed; it reads notebooks")
    plant, status, said = PLANTED[what]
    plant(monkeypatch)
    marks = marks_of(tmp_path, written("solution", "5.1"), written("solution", "5.2"), CUT_OFF)
    assert (marks["points"], marks["out_of"], marks["error"]) == (2, 3, "")
    assert [one["status"] for one in marks["exercises"]] == ["right", "right", status]
    assert said in " ".join(marks["exercises"][2]["said"])


def test_an_error_in_the_check_of_an_op_costs_no_mark_of_another_exercise(tmp_path, monkeypatch):
    pytest.importorskip("IPython", reason="IPython is not installed; it reads notebooks")
    monkeypatch.setattr(type(catalogue["6.2"]), "judged", failing)
    monkeypatch.setattr(lessons, "exercises", lambda lesson=None: [catalogue["5.1"], catalogue["6.2"]])
    marks = marks_of(tmp_path, written("solution", "5.1"), written("solution", "6.2"))
    assert [one["status"] for one in marks["exercises"]] == ["right", "could not be run"]


def test_an_answer_that_is_zero_in_the_first_case_keeps_its_hint_and_the_other_marks(tmp_path):
    pytest.importorskip("IPython", reason="IPython is not installed; it reads notebooks")
    marks = marks_of(tmp_path, written("solution", "5.1"), written("solution", "5.2"), CUT_OFF)
    assert "cut off at 0" in marks["exercises"][2]["hint"]
    assert marks["points"] == 2
