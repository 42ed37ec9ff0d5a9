"""The verdict on a submission: how it is to be called, on which cases, and what is said of what it gave."""

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading import dropout, forms, ranks, rounds, running_statistics, styles, untried
from minires.gradcheck.grading.choice import Choice
from minires.gradcheck.grading.errors import (
    ChildError,
    CouldNotRunError,
    FormError,
    NotDoneError,
    PassOverError,
    RaisedError,
    StoppedError,
)
from minires.gradcheck.grading.flags import more_cases
from minires.gradcheck.grading.layers import LayerPlan
from minires.gradcheck.grading.standard import COMPUTING, unasked_of
from minires.gradcheck.grading.trials import Trials
from minires.gradcheck.grading.verdict import Verdicts
from minires.gradcheck.grading.wording import in_own_words, joined

FORM = ("unpack", "positional argument", "unexpected keyword", "required keyword", "not subscriptable")
GLOBAL = (
    "your backward is right where no other forward comes between: it uses what the last forward left in a global or in "
    "the class; take it from the cache, or from self"
)


class Judge:
    """Grades one submission. standard: what it is held to; seed, samples: of the cases; open(): a new child."""

    def __init__(self, standard, session, source_text="", *, seed=0, samples=1, numbers_only=False):
        self.standard, self.session, self.text = standard, session, source_text
        self.seed, self.samples = seed, samples
        self.verdicts = Verdicts(standard, numbers_only)
        self.trials = Trials(standard, session, seed, source_text)
        self.notes = []

    def grade(self, targets, result):
        """Fill the Result of the functions, or the class, of these names."""
        try:
            self._grade(targets, result)
        except CouldNotRunError as error:
            result.error = str(error)
        except StoppedError as error:
            result.stop(error)
        except NotDoneError as error:
            result.not_done = str(error)
        result.passed_over = self.trials.passed_over
        result.notes += self.notes
        return result

    def _grade(self, targets, result):
        child = self.session.get()
        described = self._describe(child, targets)
        found, reasons = styles.plans(self.standard, targets, described, self.session.defined, self.text)
        if not found:
            raise CouldNotRunError("; ".join(reasons) + self._own_form())
        plain = self.standard.plain(self.seed)
        choice = Choice(self.standard, self.session, self.text, self.trials, self.verdicts)
        plan, outcome, plain = choice.choose(found, plain)
        self.notes += choice.notes
        if isinstance(outcome, NotDoneError):
            result.style = plan.said()
            raise outcome
        if isinstance(outcome, (FormError, PassOverError)):
            words = str(outcome) if isinstance(outcome, FormError) else f"it {outcome}; {handed(plan, plain)}"
            raise CouldNotRunError("; ".join(dict.fromkeys([words, *reasons])) + self._own_form())
        if isinstance(outcome, RaisedError) and _is_form(outcome):
            raise CouldNotRunError(
                f"it raises {outcome}; {handed(plan, plain)}; no form in which {self.standard.name or 'it'} is usually "
                "written fits it, see --help"
            )
        if isinstance(outcome, RaisedError) and outcome.type == "AttributeError" and plan.knows("rng"):
            raise CouldNotRunError(
                f"{outcome}: no Generator can be handed over; take a seed, np.random.default_rng(seed)"
            )
        result.style = plan.said()
        if self.standard.unasked:
            self.notes.append(f"the reference gives no {unasked_of(self.standard)}, so none was asked for")
        for argument in plan.left_out():
            result.unchecked.append(f"d{argument}")
            more = f"; with a parameter {argument}=None it is" * (argument in self.standard.optional)
            self.notes.append(f"it takes no {argument}, so d{argument} was not checked{more}")
        records = self.trials.run(plan, self._cases(plan, plain, result), plain)
        if self.session.stopped is not None:
            result.stop(self.session.stopped)
        self._judge([record for record in records if record is not None], plan, plain, result)

    def _cases(self, plan, plain, result):
        """[(case, the same as the submission can be given it)]"""
        cases = [(case, plan.fitted(case, plain)) for case in (plain, with_other_numbers(plain))]
        for case in self.standard.cases(self.seed, self.samples):
            if not case.beyond or plan.asks_for(case):
                self._fit(plan, case, plain, cases)
            else:
                label = case.label.partition(", sample")[0]
                result.beyond += [label] * (label not in result.beyond)
        for case in more_cases(plan, plain):
            self._fit(plan, case, plain, cases)
        return cases

    def _judge(self, records, plan, plain, result):
        """The verdicts on what was given for the cases."""
        if "running_mean" in self.standard.settings and not any(
            running_statistics.are_updated(r.case, r.running) for r in records
        ):
            self.notes.append("running statistics were not checked, because none is seen to change in training")
        tried = [record for record in records if not record.not_tried]
        if "training" in self.standard.settings and all(map(self._trains, tried)):
            self.notes.append("evaluation was not checked, because no case of it could be tried")
        result.untried = [record.case.label for record in records if record.not_tried]
        result.not_tried = len(result.untried)
        self._add_notes([untried.sentence(untried.parameters(plan, [r.case for r in tried]))])
        if self.standard.name == "dropout":
            result.style = ", ".join(filter(None, [result.style, dropout.convention(tried)]))
            self.verdicts.repeats = dropout.repeats(tried, plan.knows("rng"), plan.has_own("rng"))
        own = plan.own_names()
        marked = []
        for record in tried:
            record.names = own
            said = self.verdicts.verdict(record)
            if isinstance(plan, LayerPlan) and any("gives no gradient (None) for" in p for p in said.problems):
                said.hints.append(KEEP)
            said.hints = [hint for hint in (in_own_words(hint, plan) for hint in said.hints) if hint]
            if not said.passed and said.empty and not record.timed_out:
                self.trials.pass_over(forms.EMPTY)
            elif not said.passed and ranks.is_for_matrices(self.standard, said, record, plain):
                self.trials.pass_over(ranks.reason(self.standard, said, record, plain))
            else:
                said.wrong = [own.get(name, name) for name in said.wrong]
                result.cases.append(said)
                marked.append(record)
        drop_coincidences(result.cases)
        for said in result.cases:
            said.hints = joined(said.hints)
        self._tell_of_globals(plan, records, result.cases)
        right = [i for i, said in enumerate(result.cases) if said.passed]
        if isinstance(plan, LayerPlan) and right and not result.not_tried:
            self._look_at_later_rounds(plan, [marked[i] for i in right], [result.cases[i] for i in right])
        if result.cases and all(map(forms.is_of_tensors, result.cases)):
            result.cases = []
            raise CouldNotRunError("it works on torch tensors, but arrays are handed over, and arrays should come back")
        undone = [record.not_done for record in tried]
        if undone and all(undone):
            raise NotDoneError(undone[0])
        if not result.cases and not result.not_tried:
            raise CouldNotRunError(f"no case fits: it {', it '.join(self.trials.passed_over)}")

    def _look_at_later_rounds(self, plan, marked, cases):
        """What one layer does when it is called again: in the first case that it passed, and in others.

        Of these it is one for each number of axes of x, so that being right only once in one kind of case is seen, too.

        It is asked whatever became of other cases: a mistake elsewhere must not hide that it is right only once.
        """
        case = marked[0].case
        others = [
            r.case
            for r in marked[1:]
            if not r.case.label.endswith(OTHER_NUMBERS)
            and r.case.convention is None
            and not r.y_alone
            and all(a.size for a in r.case.arrays)
        ]
        kinds = {}
        for other in self.trials.random.sample(others, len(others)):
            kinds.setdefault(np.ndim(other.arrays[0]), other)
        for asked in [case, *kinds.values()] if plan.made is not None and cases else []:
            later = rounds.later(self.trials, self.verdicts, plan, asked)
            self._add_notes(later.notes)
            if later.mistake:
                cases[0].problems.append(later.mistake)
                cases[0].timed_out, cases[0].forgetful = later.timed_out, True
                break
        summed = " and ".join(f"d{plan.own_names().get(n, n)}" for n in self.trials.adds_up(plan, case))
        if summed:  # asked last, because it shows a layer that it is called again
            self.notes.append(f"it adds {summed} to what an earlier backward left: set it to zero before each step")

    def _add_notes(self, notes):
        """The notes that are not said yet, of two that differ after the colon the first."""
        for note in filter(None, notes):
            if all(note.partition(":")[0] != said.partition(":")[0] for said in self.notes):
                self.notes.append(note)

    def _trains(self, record):
        return self.standard.full_settings(record.case)["training"]

    def _tell_of_globals(self, plan, records, cases):
        """Say so where a case is right as long as no other forward comes between its forward and its backward."""
        failed = next((said for said in cases if not said.passed and not said.y_is_wrong), None)
        of_a_mask = bool(self.verdicts.repeats)  # of several calls, which are none of a case alone
        if failed is None or of_a_mask or not plan.interleaved or self.session.stopped is not None:
            return
        (case,) = {r.case.label: r.case for r in records if r.case.label == failed.label}.values()
        if self.verdicts.verdict(self.trials.alone(plan, case)).passed:
            failed.hints = [GLOBAL]

    def _own_form(self):
        return f"; the op's own form is {self.standard.form()} -> (y, backward)" if self.standard.is_op else ""

    def _describe(self, child, targets):
        described = {}
        try:
            for name in targets:
                described[name] = child.describe(name)
                if described[name].kind == "missing":
                    mine = ", ".join(self.session.defined[:20]) or "none"
                    after = f" (after {self.session.notes[0]})" if self.session.notes else ""
                    if not self.text.strip():
                        raise NotDoneError(f"{self.session.name} is empty")
                    if self.session.notes and not self.session.defined:
                        raise CouldNotRunError(f"{self.session.name} cannot be loaded: {self.session.notes[0]}")
                    raise CouldNotRunError(f"{self.session.name} has no function {name!r}; it has: {mine}{after}")
            partner = styles.partner_of(targets[0], self.session.defined)
            if len(targets) == 1 and partner:
                described[partner] = child.describe(partner)
        except ChildError as error:
            raise CouldNotRunError(f"{self.session.name}: {error}") from error
        return described

    def _fit(self, plan, case, plain, cases):
        try:
            fitted = plan.fitted(case, plain)
            with COMPUTING:
                can = self.standard.can(fitted)
            if can:
                cases.append((case, fitted))
        except PassOverError as error:
            self.trials.pass_over(str(error))


# What a y is in every case in which it is wrong, if it is meant; in one case it may be so by chance.
OF_EACH_Y = (
    "your y is right but for a factor",
    "your y is as wide as it is high",
    "your y takes the kernel size for the stride",
)
OTHER_NUMBERS = ", other numbers"
KEEP = "a layer may return each gradient, or keep it: self.dW, self.db"


def with_other_numbers(case):
    """A case of the same shapes, because a function may remember what it gave for these."""
    arrays = [a.ravel()[::-1].reshape(a.shape) if a.dtype.kind == "f" else a for a in case.arrays]
    return Case(case.label + OTHER_NUMBERS, tuple(arrays), case.static)


def drop_coincidences(cases):
    """Leave out that a gradient is divided by the number of samples where that is its factor in one case only.

    And what is said of y alone, where it does not hold in another case.
    """
    constant = {
        hint.partition(" is ")[0] for case in cases for hint in case.hints if "is right but for a factor" in hint
    }
    of_y = [case for case in cases if case.y_is_wrong]
    by_chance = [s for s in OF_EACH_Y if not all(any(hint.startswith(s) for hint in case.hints) for case in of_y)]
    for case in cases:
        case.hints = [hint for hint in case.hints if not hint.startswith(tuple(by_chance))]
        case.hints = [
            hint
            for hint in case.hints
            if "divided by the number of" not in hint or hint.partition(" is ")[0] not in constant
        ]


def handed(plan, plain):
    """What a submission was handed, and by which of its parameters."""
    slots = [slot for binding in plan.bindings() for slot in binding.slots]
    roles = {"array": "the array {}", "setting": "the setting {}", "dict": "a dict of settings", "upstream": "dy"}
    said = {
        slot.parameter.name: roles[slot.role].format(slot.what)
        for slot in slots
        if slot.role in roles and (slot.role == "array" or slot.parameter.required)
    }
    arrays = ", ".join(f"{n} {a.shape}" for n, a in zip(plan.standard.arguments, plain.arrays))
    here = ", ".join(f"{name} was given {what}" for name, what in said.items())
    return f"each array is handed over as a parameter of its own: {arrays}" + f"; here {here}" * bool(here)


def _is_form(error):
    return error.type == "KeyError" or (
        error.type in ("TypeError", "ValueError") and any(words in error.message for words in FORM)
    )
