"""The verdict on one answer: from a process of its own (the grader's Box), or from this one (a notebook's check)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minires.gradcheck.grading.answers import blank
from minires.gradcheck.grading.errors import ChildError, ForbiddenError, NotDoneError, RaisedError, TimedOutError
from minires.gradcheck.grading.face import Parameter
from minires.lessons import hints
from minires.lessons.function import Function
from minires.lessons.outcome import COULD_NOT_RUN, NOT_DONE, RIGHT, TIMED_OUT, WRONG, Outcome
from minires.lessons.text import is_blank, text_of

OURS = "minires"  # hidden from the grader's process


@dataclass
class Try:
    """What one call gave, and what is wrong with it."""

    label: str
    arguments: tuple
    value: Any = None
    problem: str = ""
    raised: RaisedError | None = None
    changed: str = ""  # an argument that the call changed

    @property
    def passed(self):
        return not (self.problem or self.raised or self.changed)


def judged(exercise, session, seed):
    """The Outcome of the function that has the name of this Exercise, in a session of the grader's."""
    said = _not_callable(exercise, session)
    if said is not None:
        return said
    tries = []
    for label, arguments in exercise.cases(seed):
        try:
            tries.append(_tried(exercise, session.get(), label, arguments))
        except NotDoneError as error:
            if not tries:
                return outcome(exercise, NOT_DONE, [_blank(exercise, error)])
            tries.append(Try(label, arguments, problem=str(error)))
        except ForbiddenError as error:
            return outcome(exercise, COULD_NOT_RUN, [str(error)])
        except ChildError as error:
            session.lost(error)
            said = [f"{label}, {called(exercise, arguments)}: {error}"]
            if isinstance(error, TimedOutError):
                return outcome(exercise, TIMED_OUT, said, exercise.too_slow)
            return outcome(exercise, COULD_NOT_RUN, said)
    return _verdict(exercise, tries)


def _not_callable(exercise, session):
    """What is said of a name that is missing, or that cannot be called as the exercise asks; or None."""
    described = session.get().describe(exercise.function)
    if described.kind == "missing":
        after = [f"before that: {note}" for note in session.notes[:1]]
        return outcome(exercise, NOT_DONE, [f"there is no function {exercise.function}", *after])
    if not _takes(described.parameters, len(exercise.parameters)):
        own = ", ".join(parameter.name for parameter in described.parameters)
        said = f"it is called {exercise.call}, and yours is {exercise.function}({own})"
        return outcome(exercise, COULD_NOT_RUN, [said])
    return None


def _takes(parameters: list[Parameter], count: int) -> bool:
    """Whether so many arguments can be given by their positions."""
    positional = [p for p in parameters if p.kind == "positional"]
    required = [p for p in parameters if p.required]
    enough = len(positional) >= count or any(p.kind == "*" for p in parameters)
    return enough and len(required) <= count and not any(p.kind == "keyword" for p in required)


def _tried(exercise, child, label, arguments):
    """The Try of one call. Raises NotDoneError for a blank, and any ChildError but what the function itself raised."""
    try:
        handed = [child.function(a.text) if isinstance(a, Function) else a for a in arguments]
        returned = child.call(exercise.function, handed)
    except RaisedError as error:
        if is_blank(error, text_of(child, exercise.function)):
            raise NotDoneError(f"it raises {error}") from None
        return Try(label, arguments, raised=error)
    blank(returned.value, "it")
    one = Try(label, arguments, returned.value, exercise.problem(returned.value, arguments))
    one.changed = next((exercise.parameters[k] for k in returned.changed if isinstance(k, int)), "")
    return one


def _blank(exercise, error):
    return f"write {exercise.call} first; now {error}"


def _verdict(exercise, tries):
    wrong = [one for one in tries if not one.passed]
    if not wrong:
        return outcome(exercise, RIGHT)
    if all(one.raised for one in tries):
        return outcome(exercise, COULD_NOT_RUN, [_said(exercise, tries[0])], _hint_of_error(tries[0].raised))
    said = [_said(exercise, wrong[0])]
    if len(wrong) < len(tries):
        said.append(f"{len(tries) - len(wrong)} of {len(tries)} cases are right")
    hint = _hint(exercise, tries) or (_hint_of_error(wrong[0].raised) if wrong[0].raised else "")
    return outcome(exercise, WRONG, said, hint)


def _hint(exercise, tries):
    """The hint of these tries, or ""; an error in a hint leaves the verdict as it is."""
    with np.errstate(all="ignore"):
        try:
            return hints.hint(exercise, tries)
        except Exception:  # a hint meets values of any kind, and a verdict is worth more than a hint
            return ""


def _said(exercise, one):
    if one.raised:
        what = f"it raises {one.raised}"
    else:
        what = one.problem or f"it changes its argument {one.changed}"
    return f"{one.label}, {called(exercise, one.arguments)}: {what}"


# (type of the exception, a part of its message, what it means): the first that fits
ERRORS = (
    ("ModuleNotFoundError", OURS, "minires is hidden here, because it knows the answers: use NumPy"),
    ("RecursionError", "", "your function calls itself without end: when does it return without a further call?"),
    (
        "ValueError",
        "could not broadcast",  # NumPy's words where an array is written into a place of another one
        "an array does not fit into the place that you write it to: print both shapes; "
        "n elements from i on are i : i + n",
    ),
    (
        "ValueError",
        "could not be broadcast",
        "shapes do not fit: print them; keepdims=True, or a reshape, leaves an axis of length 1 in its place",
    ),
    (
        "ValueError",
        "cannot reshape array",
        "reshape keeps all numbers: where there must be fewer, add some up, as sum(axis=0) does",
    ),
    ("ValueError", "inhomogeneous", "the arrays that you join have different shapes: print them"),
    (
        "ValueError",
        "truth value of an array",
        "if, and, or and not ask one question of a whole array: for None write `is None`, for numbers .any() or .all()",
    ),
    ("ValueError", "dimensions to norm", "np.linalg.norm takes one axis or two; for more, sum the squares over them"),
    ("ValueError", "factorial", "a factorial is asked for a number below 0; math.comb(n, k) is 0 where k is above n"),
    ("AxisError", "", "an array has no such axis: print its shape; one with n axes has the axes 0 to n − 1"),
    ("IndexError", "only integers", "an index is a fraction: / divides, and // gives a whole number"),
    ("TypeError", "indices must be integers", "an index is a fraction: / divides, and // gives a whole number"),
    (
        "TypeError",
        "sequence of integers or a single integer",
        "a count is a fraction: / divides, and // gives a whole number",
    ),
    ("TypeError", "interpreted as an integer", "a count is a fraction: / divides, and // gives a whole number"),
    ("TypeError", "integer scalar arrays", "a slice has one number at each end, and you give it an array: take a loop"),
    ("IndexError", "out of", "an index goes past the end: n things have the indices 0 to n − 1"),
    ("ZeroDivisionError", "", "you divide by 0: which of the arguments can be 0?"),
    ("UnboundLocalError", "", "a name is used before it has a value: give it one before the loop"),
)


def _hint_of_error(error):
    """What an exception of the function itself means, or ""."""
    return next((said for kind, part, said in ERRORS if error.type == kind and part in error.message), "")


def outcome(exercise, status, said=(), hint=""):
    """The Outcome; points are for a right answer only, because a constant may be right in one case."""
    points = exercise.points if status == RIGHT else 0
    return Outcome(exercise.number, exercise.function, status, list(said), hint, points, exercise.points)


def called(exercise, arguments):
    """The call in words: im2col(x of shape (2, 5, 7), 3, 2)."""
    names = zip(exercise.parameters, arguments)
    return f"{exercise.function}({', '.join(_shown(name, value) for name, value in names)})"


def _shown(name, value):
    if isinstance(value, np.ndarray):
        return f"{name} of shape {value.shape}"
    text = repr(value)
    return f"{name}={text}" if len(text) <= 80 else f"{name} with {len(value)} entries"
