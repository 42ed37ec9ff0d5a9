"""An exercise that is an op with its backward: it is held to the op by the grader that marks homework."""

import re

from minires.gradcheck.grading import results, standard
from minires.gradcheck.grading.judge import Judge
from minires.gradcheck.grading.results import Result
from minires.lessons.exercise import catalogue
from minires.lessons.outcome import COULD_NOT_RUN, NOT_DONE, RIGHT, TIMED_OUT, WRONG, Outcome
from minires.lessons.text import text_of

OF_A_COMMAND = re.compile(r", or name both functions, FILE:[^;\s]+")  # a notebook has no command line

STATUSES = {
    "passed": RIGHT,
    "failed": WRONG,
    "timed out": TIMED_OUT,
    "not done": NOT_DONE,
    results.COULD_NOT_RUN: COULD_NOT_RUN,
}


class OpExercise:
    """An exercise that is held to an op. call: how the function is written, as batch_norm(x, weight, bias, eps=1e-5).

    Its other attributes are those of an Exercise.
    """

    def __init__(self, number, op, call, asks, points=1):
        self.number = number
        self.lesson = int(number.partition(".")[0])
        self.op = op
        self.function = call.partition("(")[0]
        self.call = call
        self.asks = asks
        self.points = points
        catalogue[number] = self

    def judged(self, session, seed):
        """The Outcome of the session's function."""
        result = Result(self.function, self.op, seed=seed)
        text = text_of(session.get(), self.function)
        judge = Judge(standard.of_op(self.op), session, text, seed=seed)
        judge.grade([self.function], result)
        status = COULD_NOT_RUN if result.unchecked else STATUSES[result.status]
        points = self.points if status == RIGHT else 0
        return Outcome(self.number, self.function, status, *self._said(result), points, self.points)

    def _said(self, result):
        """([sentence], hint)"""
        if result.error:
            return [OF_A_COMMAND.sub("", result.error), f"it is called {self.call}"], ""
        if result.unchecked:
            return [f"it does not give {' and '.join(result.unchecked)}: it is called {self.call}"], ""
        if result.not_done:
            found = OF_A_COMMAND.sub("", result.not_done)
            return [f"write {self.call} first; now {found}"], ""
        wrong = [case for case in results.telling(result.cases) if not case.passed]
        hint = next((hint for case in wrong for hint in case.hints), "")
        said = [f"{case.label}: {one}" for case in wrong[:1] for one in (*case.problems, *case.differences)]
        said += [f"{result.count} of {result.total} cases are right"] if wrong and result.count else []
        said += [result.stopped] if result.stopped else []
        return said, hint
