"""check: what a notebook calls for the answer of an exercise."""

import os
import sys

from minires.errors import describe
from minires.gradcheck.grading.errors import CouldNotRunError, StoppedError
from minires.gradcheck.grading.session import Session
from minires.lessons import (  # noqa: F401 - they fill the catalogue
    architecture,
    batch_norm,
    cifar_cost,
    convolution,
    convolution_cost,
    degradation,
    engine,
    gradient_check,
    identity,
    loss_surface,
    paths,
    pyramid,
    residual,
    schedule,
    self_attention,
    stochastic_depth,
    successors,
    training,
    transfer,
)
from minires.lessons.deadline import Timed
from minires.lessons.exercise import catalogue
from minires.lessons.outcome import COULD_NOT_RUN, NOT_DONE, Outcome
from minires.settings import did_you_mean

SIZES = ("tiny", "small")


def exercises(lesson=None):
    """The exercises of all lessons, or of one, in the order of their numbers."""
    found = [one for one in catalogue.values() if lesson in (None, one.lesson)]
    return sorted(found, key=lambda one: [int(part) for part in one.number.split(".")])


def size():
    """How much a lesson is to compute: "tiny" or "small", as the environment's SIZE says; in a browser "tiny"."""
    given = os.environ.get("SIZE", "tiny" if sys.platform == "emscripten" else "small")
    if given not in SIZES:
        raise ValueError(f"SIZE must be {' or '.join(SIZES)}, got {given!r}")
    return given


def check(number, function=None, *, seed=0):
    """What is to be said of a function as the answer of an exercise: an Outcome, which a notebook shows. Never raises.

    seed: of the arguments that it is called with. In a script, which shows no values, it is printed as well.
    """
    said = _outcome(number, function, seed)
    if _is_script(sys._getframe(1).f_globals):
        print(said)
    return said


def _is_script(names):
    """Whether these globals are those of `python NN_name.py`, not of a notebook or a console."""
    return names.get("__name__") == "__main__" and "get_ipython" not in names and not hasattr(sys, "ps1")


def _outcome(number, function, seed):
    name = getattr(function, "__name__", "") or type(function).__name__
    try:
        exercise = catalogue.get(str(number))
        if exercise is None:
            meant = did_you_mean(str(number), catalogue) or f"there are {', '.join(one.number for one in exercises())}"
            return Outcome(str(number), name, COULD_NOT_RUN, [f"there is no exercise {number!r}; {meant}"])
        return _checked(exercise, function, seed)
    except KeyboardInterrupt:
        return Outcome(str(number), name, COULD_NOT_RUN, ["you stopped it before it was done"])
    except Exception as error:
        return Outcome(str(number), name, COULD_NOT_RUN, [f"the check itself failed: {describe(error)}"])


def _checked(exercise, function, seed):
    def said(status, sentence):
        return Outcome(exercise.number, exercise.function, status, [sentence], out_of=exercise.points)

    if function is None or function is Ellipsis or function is NotImplemented:
        return said(NOT_DONE, f"write {exercise.call} first")
    if not callable(function):
        call = f'lessons.check("{exercise.number}", {exercise.function})'
        return said(COULD_NOT_RUN, f"this is a {type(function).__name__}; hand over the function itself: {call}")
    child = Timed(names={exercise.function: function})
    try:
        with Session(lambda: child, exercise.function) as session:
            return exercise.judged(session, seed)
    except (CouldNotRunError, StoppedError) as error:
        return said(COULD_NOT_RUN, str(error))
