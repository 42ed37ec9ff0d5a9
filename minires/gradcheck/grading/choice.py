"""How a submission is to be called: the plan that comes farthest on a plain case, with constants that it has inside."""

from dataclasses import replace

from minires.gradcheck.grading import forms
from minires.gradcheck.grading.errors import (
    ChildError,
    CouldNotRunError,
    ForbiddenError,
    FormError,
    NotDoneError,
    PassOverError,
    RaisedError,
    WrongError,
)
from minires.gradcheck.grading.plan import CONSTANTS
from minires.gradcheck.grading.single import size
from minires.gradcheck.grading.standard import COMPUTING

# Windows that a submission without these parameters may have inside; they are tried where its y is another.
WINDOWS = {
    "conv2d": ({"padding": 1}, {"stride": 2, "padding": 1}, {"stride": 2}),
    **dict.fromkeys(
        ("max_pool2d", "avg_pool2d"), ({"kernel_size": 3, "stride": 2}, {"kernel_size": 3, "stride": 2, "padding": 1})
    ),
}
# How far a plan comes on the plain case: it could be called; y has the right shape; the right numbers; all is right.
STARTED, SHAPED, EQUAL, UNDONE, FULL = 1.0, 3.0, 4.0, 9.0, 10.0
ROUNDED = 1e-13  # how far y is off at most where a constant is the very one: by rounding


class Choice:
    """Chooses a plan for one submission. notes: what is said of the constants that were found."""

    def __init__(self, standard, session, source_text, trials, verdicts):
        self.standard, self.session, self.text = standard, session, source_text
        self.trials, self.verdicts = trials, verdicts
        self.notes = []
        self.shaped = False  # whether all gradients of the plan tried last have the right shapes
        self.misshapen = False  # whether one of them has a wrong one
        self.off = 1.0  # how far its y is off, where it is accepted

    def choose(self, found, plain):
        """(plan, what stopped it, the plain case); with the constants that the submission has fixed inside."""
        plan, outcome, plain = self._choose_with_window(found, plain)
        for setting, values in CONSTANTS.items():
            if setting not in self.standard.settings or plan is None or outcome is not None or plan.knows(setting):
                continue
            tried = []  # (how far y is off, the value, the plain case with it)
            for value in values:
                other = replace(plain, static={**plain.static, setting: value})
                if self.session.timeouts or self.session.ends:
                    break
                if self._try(plan, other)[0] >= EQUAL:  # y shows it, whatever is wrong with the gradients
                    tried.append((self.off, value, other))
                    if self.off < ROUNDED:
                        break
            _, value, other = min(tried, key=lambda one: one[0], default=(0, self.standard.settings[setting], plain))
            if value != self.standard.settings[setting]:
                self.notes.append(f"its {setting} is {value}, and it is held to that")
                plain = other
        return plan, outcome, plain

    def _choose_with_window(self, found, plain):
        """(plan, what stopped it, the plain case); with the window that the submission has fixed inside."""
        plan, outcome, plain = self._choose_with_form(found, plain)
        for window in WINDOWS.get(self.standard.name, ()):
            if plan is None or isinstance(outcome, NotDoneError) or any(map(plan.knows, window)):
                break
            if self.session.timeouts or self.session.ends or self._try(plan, plain)[0] >= EQUAL:
                break
            other = replace(plain, static={**plain.static, **window})
            fixed, stopped = self._choose(found, other)
            if fixed is not None and self._try(fixed, other)[0] >= EQUAL:
                words = " and ".join(f"{setting} is {value}" for setting, value in window.items())
                self.notes.append(f"its {words}, and it is held to that")
                return fixed, stopped, other
        return plan, outcome, plain

    def _choose_with_form(self, found, plain):
        """(plan, what stopped it, the plain case); of another form where it raises at the usual one."""
        plan, outcome = self._choose(found, plain)
        if isinstance(outcome, RaisedError) and not (self.session.timeouts or self.session.ends):
            for other in forms.others(self.standard, plain, forms.is_stated(outcome, self.text)):
                fixed, stopped = self._choose(found, other)
                if fixed is not None and stopped is None and self._try(fixed, other)[0] >= SHAPED:
                    return fixed, stopped, other
        return plan, outcome, plain

    def _choose(self, found, plain):
        """The plan that comes farthest on the plain case, and what stopped it: an error, or None.

        Where y and the gradients have the right shapes in the op's own layout, that is the layout that is meant. Else
        softmax over the wrong axis would be right for a matrix whose columns are the samples.
        """
        best = (-1.0, None, None)
        misshapen = False  # whether its gradients have wrong shapes; a layout in which all are right is rather meant
        fitting = best
        settled = set()
        doubtful = set()  # y has the right shape there, but not all gradients: it may be written for one sample
        unread = {}  # by family: the plan in the op's own layout whose answer has a form that cannot be read
        for plan in found:
            if plan.layout.words and plan.family() in settled:
                continue
            score, outcome = self._try(plan, plain)
            if plan.layout.words and plan.family() in doubtful:
                if self.shaped and not isinstance(best[2], NotDoneError):
                    return plan, outcome
                continue
            if score > best[0]:
                best = (score, plan, outcome)
                misshapen = self.misshapen
            if self.shaped and score > fitting[0]:
                fitting = (score, plan, outcome)
            if score >= FULL or isinstance(outcome, NotDoneError):
                return plan, outcome
            if isinstance(outcome, FormError):
                if not plan.layout.words:
                    unread[plan.family()] = plan, outcome
                unread.setdefault("", (plan, outcome))
            if not plan.layout.words and score >= SHAPED:
                (settled if self.shaped else doubtful).add(plan.family())
        if best[0] <= STARTED and isinstance(best[2], RaisedError) and "" in unread:
            return unread[""]  # there it raises nothing
        if misshapen and best[1].layout.words and fitting[1] is not None:
            return fitting[1:]
        guessed = best[1] is not None and best[1].layout.words and best[0] < SHAPED
        return unread.get(best[1].family(), best[1:]) if guessed else best[1:]

    def _try(self, plan, plain):
        """(how far it comes, what stopped it)"""
        self.shaped = False  # whether all gradients have the right shapes
        self.misshapen = False  # whether some gradient has a wrong one
        try:
            case = plan.fitted(plain, plain)
        except PassOverError as error:
            return 0.0, error
        self.off = 1.0  # how far a y that is accepted is off
        child = self.session.get()
        score = STARTED
        try:
            record = self.trials.record(case, plan)
            attempt = plan.start(child, case, record.right)
            if plan.unit:  # which a function that gives (loss, dx) is seen to be by now
                record = self.trials.record(case, plan)
            if attempt.y is not None:
                if attempt.y.shape != record.right.shape:
                    return STARTED + 1, None
                self.verdicts.measured = 0.0
                equal = self.verdicts.differs(record, "y", attempt.y, record.right, 0.0) is None
                self.off = self.verdicts.measured
                equal = equal or self.verdicts.epsilon_of(record, attempt.y) > 0
                score = EQUAL if equal else SHAPED
            answer, _ = attempt.backward(record.dys["first"])
            given = plan.gradients(answer, case, plan.order())
        except NotDoneError as error:
            return UNDONE, error
        except FormError as error:
            return score if score >= SHAPED else 0.5, error
        except PassOverError as error:
            return 0.2, error
        except WrongError:
            return score + 0.5, None
        except RaisedError as error:
            if error.type == "NotImplementedError" or _is_blank(error, self.text):
                return UNDONE, NotDoneError(str(error))
            return score, None if score >= SHAPED else error
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except ChildError as error:  # which other plan would fare better?
            self.session.lost(error)
            return FULL, None
        with COMPUTING:
            right = record.backward(record.dys["first"])
        pairs = [(name, given.get(name), r) for name, r in self.verdicts.wanted(case, right, plan.held_constant())]
        fits = [g is not None and g.shape == r.shape for _, g, r in pairs]
        equal = [
            ok and self.verdicts.differs(record, name, g, r, size(record.dys["first"])) is None
            for ok, (name, g, r) in zip(fits, pairs)
        ]
        optional = [g is None and self.standard.is_target(name, record.right) for name, g, _ in pairs]
        done = all(e or o for e, o in zip(equal, optional)) and any(equal)
        self.misshapen = any(g is not None and not fit for fit, (_, g, _) in zip(fits, pairs))
        self.shaped = all(f or o for f, o in zip(fits, optional)) and score >= (SHAPED if plan.has_forward else 0)
        score = SHAPED if not plan.has_forward and self.shaped else score
        if done and (score == EQUAL or not plan.has_forward):
            return FULL, None
        return score + (sum(fits) + sum(equal)) / (2 * len(pairs) + 1), None


def _is_blank(error, text):
    """Whether what was raised comes of a blank: `out = None` or `out = ...`, of which the next line wants the shape."""
    blanks = {"NoneType": "= None", "ellipsis": "= ..."}
    return error.type in ("AttributeError", "TypeError") and any(
        kind in error.message and blank in text for kind, blank in blanks.items()
    )
