"""Exercises that hand a function to an answer, as 4.1 does: in this process, and in one of its own."""

import copy

import numpy as np
import pytest

from minires import lessons
from minires.gradcheck.grading.box import Box
from minires.gradcheck.grading.errors import RaisedError
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.source import read
from minires.lessons.function import Function

ANSWER = "def twice(f, x):\n    return f(x) + f(2 * x)\n"


@pytest.fixture(params=[Box, Local])
def child(request, tmp_path):
    """A submission with the function twice(f, x), in both kinds of process."""
    file = tmp_path / "answer.py"
    file.write_text(ANSWER, encoding="utf-8")
    with request.param(read(file)) as child:
        child.load()
        yield child


def test_an_answer_calls_the_function_that_it_is_handed(child):
    cubes = child.function("lambda x: np.sum(x**3)")
    assert isinstance(cubes, Handle)
    returned = child.call("twice", (cubes, np.arange(3.0)))
    assert (float(returned.value), returned.changed) == (81.0, [])


def test_each_function_keeps_its_own_meaning(child):
    first = child.function("lambda x: x + 1")
    second = child.function("lambda x: x - 1")
    assert child.call("twice", (first, 1.0)).value == 5.0
    assert child.call("twice", (second, 1.0)).value == 1.0


def test_an_error_inside_of_it_is_the_answers(child):
    with pytest.raises(RaisedError, match="IndexError"):
        child.call("twice", (child.function("lambda x: x[5]"), np.arange(3.0)))


def test_a_function_is_its_text():
    function = Function("lambda x: np.sum(x**2)")
    assert function(np.arange(3.0)) == 5
    assert copy.deepcopy(function) == function == Function("lambda x: np.sum(x**2)")
    assert function != Function("lambda x: np.sum(x**3)")
    assert len({function, Function(function.text)}) == 1


def test_a_wrong_answer_is_told_which_function_it_was_handed():
    def numerical_gradient(f, x, h):
        return x

    assert "f=lambda x: np.sum(x**3), x of shape (3,), h=1e-05" in repr(lessons.check("4.1", numerical_gradient))


def test_an_answer_by_the_complex_step_has_all_digits_where_a_difference_has_few():
    """4.2 tells one from the other by a large constant in f, in which a difference loses its digits."""
    from minires.lessons.exercise import catalogue

    for seed in range(5):
        label, (f, x) = catalogue["4.2"].cases(seed)[2]
        assert label == "a large constant in f"
        exact = 3 * np.sin(x) ** 2 * np.cos(x)
        assert np.allclose(catalogue["4.2"](f, x), exact, rtol=1e-14)
        for h in (1e-6, 1e-5, 1e-4, 1e-3):
            assert np.abs(catalogue["4.1"](f, x, h) - exact).max() > 1e-7 * np.abs(exact).max()
