"""The verdict on a submission: its y and its gradients against those of the op itself, on cases that it cannot foresee.

Each case's forward is called at least twice, and between the forwards and backwards of another case. Its backward gets
two random dy, zeros, the first dy times 2²⁰ and times 2⁻²⁰, and the first dy again, in an order drawn from the seed.
A function that remembers what it gave before, or waits for zeros, gains nothing.
"""

import random
from dataclasses import replace

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.checks.checker import upstream_for
from minires.gradcheck.grading import running, styles
from minires.gradcheck.grading.answers import FormError, NotDoneError, PassOverError, WrongError
from minires.gradcheck.grading.errors import ChildError, ForbiddenError, RaisedError, TimedOutError
from minires.gradcheck.grading.session import CouldNotRunError, StoppedError
from minires.gradcheck.grading.verdict import COMPUTING, Record, Verdicts, size

EPSILONS = (1e-5, 1e-8, 1e-6, 1e-7, 1e-3, 1e-4, 1e-9, 1e-10, 1e-12, 1e-16)
FORM = ("unpack", "positional argument", "unexpected keyword", "required keyword", "not subscriptable")
# Ops that many write for matrices only. With more axes `x.mean(1)` is something else; it need not raise.
RANKED = ("layer_norm", "linear", "softmax", "log_softmax", "logsumexp")


class Judge:
    """Grades one submission. standard: what it is held to; seed, samples: of the cases; open(): a new child."""

    def __init__(self, standard, session, source_text="", *, seed=0, samples=1, numbers_only=False):
        self.standard, self.session, self.text = standard, session, source_text
        self.seed, self.samples = seed, samples
        self.verdicts = Verdicts(standard, numbers_only)
        self.random = random.Random(seed ^ 0x5EED)
        self.passed_over = {}
        self.notes = []
        self.stopped = None  # the StoppedError after which nothing more was called

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
        result.passed_over = self.passed_over
        result.notes += self.notes
        return result

    def _grade(self, targets, result):
        child = self.session.get()
        described = self._describe(child, targets)
        found, reasons = styles.plans(self.standard, targets, described, self.session.defined, self.text)
        if not found:
            raise CouldNotRunError("; ".join(reasons) + self._own_form())
        plain = self.standard.plain(self.seed)
        plan, outcome, plain = self._choose_with_eps(found, plain)
        if isinstance(outcome, NotDoneError):
            result.style = plan.said()
            raise outcome
        if isinstance(outcome, (FormError, PassOverError)):
            words = str(outcome) if isinstance(outcome, FormError) else f"it {outcome}"
            raise CouldNotRunError("; ".join(dict.fromkeys([words, *reasons])) + self._own_form())
        if isinstance(outcome, RaisedError) and _is_form(outcome):
            shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(self.standard.arguments, plain.arrays))
            raise CouldNotRunError(
                f"given {shapes} it raises {outcome}: no form in which {self.standard.name or 'it'} is "
                "usually written fits it; see --help"
            )
        result.style = plan.said()
        self.notes += [f"it takes no {a}, so d{a} was not checked" for a in plan.left_out()]
        cases = [(case, plan.fitted(case, plain)) for case in (plain, with_other_numbers(plain))]
        for case in self.standard.cases(self.seed, self.samples):
            if not case.beyond or plan.asks_for(case):
                self._fit(plan, case, plain, cases)
            else:
                label = case.label.partition(", sample")[0]
                result.beyond += [label] * (label not in result.beyond)
        records = self._run(plan, cases, plain)
        for record in records:
            if record is not None:
                if record.not_tried:
                    result.not_tried += 1
                    continue
                said = self.verdicts.verdict(record)
                if not said.passed and self._is_another(said, record, plain):
                    self._pass_over(f"takes no {self.standard.arguments[0]} of {record.case.arrays[0].ndim} axes")
                else:
                    result.cases.append(said)
        if self.stopped is not None:
            result.stop(self.stopped)
        if "running_mean" in self.standard.settings and not any(
            running.are_updated(r.case, r.running) for r in records if r is not None
        ):
            result.notes.append("it updates no running statistics in training, so they were not checked")
        undone = [r.not_done for r in records if r is not None and not r.not_tried]
        if undone and all(undone):
            raise NotDoneError(undone[0])
        if not result.cases and not result.not_tried:
            raise CouldNotRunError(f"no case fits: it {', it '.join(self.passed_over)}")

    def _own_form(self):
        return f"; the op's own form is {self.standard.form()} -> (y, backward)" if self.standard.is_op else ""

    def _is_another(self, said, record, plain):
        """Whether a case has more axes than the function is written for.

        Then y differs, or several gradients do, or all parameters' gradients have another shape.
        """
        if self.standard.name not in RANKED or record.case.arrays[0].ndim <= plain.arrays[0].ndim:
            return False
        parameters = set(record.given.get("first", {})) - {self.standard.arguments[0]}
        return said.y_is_wrong or len(set(said.wrong)) > 1 or parameters == set(said.misshapen) != set()

    def _describe(self, child, targets):
        described = {}
        try:
            for name in targets:
                described[name] = child.describe(name)
                if described[name].kind == "missing":
                    mine = ", ".join(self.session.defined[:20]) or "none"
                    after = f" (after {self.session.notes[0]})" if self.session.notes else ""
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
            self._pass_over(str(error))

    def _pass_over(self, reason):
        self.passed_over[reason] = self.passed_over.get(reason, 0) + 1

    # ---- choosing a plan

    def _choose_with_eps(self, found, plain):
        """(plan, what stopped it, the plain case); with the ε that a norm has fixed inside, where it has one."""
        plan, outcome = self._choose(found, plain)
        if "eps" in self.standard.settings and plan is not None and outcome is None and not plan.knows("eps"):
            for eps in EPSILONS:
                other = replace(plain, static={**plain.static, "eps": eps})
                if self.session.timeouts or self.session.ends:
                    break
                if self._try(plan, other)[0] >= FULL:
                    if eps == self.standard.settings["eps"]:
                        return plan, None, plain
                    self.notes.append(f"its ε is {eps:g}, and it is held to that")
                    return plan, None, other
        return plan, outcome, plain

    def _choose(self, found, plain):
        """The plan that comes farthest on the plain case, and what stopped it: an error, or None.

        Where y, or the gradients of a backward alone, have the right shapes in the op's own layout, that is the layout
        that is meant. Else softmax over the wrong axis would be right for a matrix whose columns are the samples.
        """
        best = (-1.0, None, None)
        settled = set()
        for plan in found:
            if plan.layout.words and plan.family() in settled:
                continue
            score, outcome = self._try(plan, plain)
            if score > best[0]:
                best = (score, plan, outcome)
            if score >= FULL or isinstance(outcome, NotDoneError):
                return plan, outcome
            if not plan.layout.words and score >= SHAPED:
                settled.add(plan.family())
        return best[1:]

    def _try(self, plan, plain):
        """(how far it comes, what stopped it)"""
        try:
            case = plan.fitted(plain, plain)
        except PassOverError as error:
            return 0.0, error
        record = self._record(case, plan)
        child = self.session.get()
        score = STARTED
        try:
            attempt = plan.start(child, case, record.right)
            if attempt.y is not None:
                if attempt.y.shape != record.right.shape:
                    return STARTED + 1, None
                equal = self.verdicts.differs(record, "y", attempt.y, record.right, 0.0) is None
                score = EQUAL if equal else SHAPED
            answer, _ = attempt.backward(record.dys["first"])
            given = plan.gradients(answer, case, plan.order())
        except NotDoneError as error:
            return UNDONE, error
        except FormError as error:
            return 0.5, error
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
        optional = [name == "target" and g is None for name, g, _ in pairs]
        done = all(e or o for e, o in zip(equal, optional)) and any(equal)
        if done and (score == EQUAL or not plan.has_forward):
            return FULL, None
        score = SHAPED if not plan.has_forward and all(f or o for f, o in zip(fits, optional)) else score
        return score + (sum(fits) + sum(equal)) / (2 * len(pairs) + 1), None

    # ---- running the cases

    def _record(self, case, plan):
        with COMPUTING:
            right, backward = self.standard.right(case)
        if plan.unit:
            if right.ndim:
                raise PassOverError("gives the gradient of one number")
            one = np.ones(())
            return Record(case, right, backward, {"first": one, "again": one})
        seeds = [self.random.getrandbits(31), self.random.getrandbits(31)]
        if case.convention is not None:
            first, second = (upstream_for(right.shape, seed) for seed in seeds)
        else:
            first, second = (np.asarray(np.random.default_rng(seed).standard_normal(right.shape)) for seed in seeds)
        dys = {
            "first": first,
            "second": second,
            "zeros": np.zeros(right.shape),
            "large": first * 2.0**20,
            "small": first * 2.0**-20,
            "again": first,
        }
        record = Record(case, right, backward, dys)
        record.constant = plan.held_constant()
        if "momentum" in self.standard.settings and plan.knows("momentum"):
            record.momentum = self.standard.full_settings(case)["momentum"]
        record.seeds = dict(zip(("first", "second"), seeds))
        return record

    def _run(self, plan, cases, plain):
        """The Records of the cases in their order; None for what is passed over."""
        records = [None] * len(cases)
        order = list(range(len(cases)))
        self.random.shuffle(order)
        pairs = [order[k : k + 2] for k in range(0, len(order), 2)]
        while pairs:
            pair = pairs.pop(0)
            for k in pair:
                try:
                    records[k] = self._record(cases[k][1], plan)
                except PassOverError as error:
                    self._pass_over(str(error))
                    records[k] = None
            working = [k for k in pair if records[k] is not None]
            lost = self._run_pair(plan, {k: records[k] for k in working})
            pairs[:0] = [[k] for k in working if lost and not records[k].error]
        for k, record in enumerate(records):
            if record is not None and record.raised is not None:
                records[k] = self._excused(plan, cases[k], record, plain)
        return records

    def _run_pair(self, plan, records):
        """Call the submission for one or two cases in turns. -> whether its process was lost"""
        calls = [(k, kind) for k, record in records.items() for kind in record.dys]
        self.random.shuffle(calls)
        attempts = {}
        at = None
        try:
            child = self.session.get()
            if plan.again:
                for at in records:
                    attempts[at] = self._start(plan, child, records[at])
                for at, kind in calls:
                    if not records[at].error:
                        self._back(plan, records[at], attempts[at], kind)
                for at in records:
                    if plan.has_forward and not records[at].error:
                        self._start(plan, child, records[at])
            else:
                step = 2 if plan.interleaved else 1
                for begin in range(0, len(calls), step):
                    both = calls[begin : begin + step]
                    started = []
                    for at, kind in both:
                        if not records[at].error:
                            started.append((at, kind, self._start(plan, child, records[at])))
                    for at, kind, attempt in started:
                        if attempt is not None and not records[at].error:
                            self._back(plan, records[at], attempt, kind)
        except StoppedError as error:
            self.stopped = error
            for record in records.values():
                record.not_tried = not record.error
                record.error = record.error or str(error)
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except ChildError as error:
            self.session.lost(error)
            if at is not None:
                records[at].error = str(error)
                records[at].timed_out = isinstance(error, TimedOutError) and not error.endless
            return True
        return False

    def _start(self, plan, child, record):
        try:
            attempt = plan.start(child, record.case, record.right)
        except RaisedError as error:
            record.error = f"the forward raises {error}"
            record.raised = ("forward", error)
        except NotDoneError as error:
            record.error = record.not_done = str(error)
        except (FormError, WrongError) as error:
            record.error = str(error)
        except PassOverError as error:
            record.error = str(error)
            record.raised = ("form", error)
        else:
            if attempt.y is not None:
                record.ys.append(attempt.y)
            record.changed += attempt.changed
            record.running = record.running or attempt.running
            return attempt
        return None

    def _back(self, plan, record, attempt, kind):
        try:
            answer, changed = attempt.backward(record.dys[kind])
            record.pairs[kind] = attempt.y
            record.given[kind] = plan.gradients(answer, record.case, plan.order())
            record.changed += changed
        except RaisedError as error:
            if error.type == "NotImplementedError":
                record.not_done = str(error)
            record.error = f"the backward raises {error}"
            record.raised = ("backward", error)
        except NotDoneError as error:
            record.error = record.not_done = str(error)
        except (FormError, WrongError) as error:
            record.error = str(error)

    def _excused(self, plan, pair, record, plain):
        """Pass a case over that raises where its form is not the plain one's; try it with one number for both axes."""
        fitted = pair[1]
        where, error = record.raised
        if where == "form":
            self._pass_over(str(error))
            return None
        reason = self._unusual(fitted, plain)
        if not reason or record.not_done:
            return record
        even = evened(fitted)
        if reason == "takes no pairs" and even is not None:
            second = self._record(even, plan)
            self._run_pair(plan, {0: second})
            if not second.raised or not self._unusual(even, plain):
                self._pass_over(reason)
                return second
        self._pass_over(reason if reason != "takes no pairs" else self._unusual(even or fitted, plain) or reason)
        return None

    def _unusual(self, case, plain):
        """In what a case's form differs from the plain one's, as a reason; or ""."""
        if any(isinstance(v, tuple) and len(set(v)) > 1 for v in case.static.values()):
            return "takes no pairs"
        for name, a, b in zip(self.standard.arguments, case.arrays, plain.arrays):
            if a.ndim != b.ndim:
                return f"takes no {name} of {a.ndim} axes" if a.ndim else f"takes no {name} without axes"
        if len(case.arrays) != len(plain.arrays):
            without = self.standard.arguments[len(case.arrays) : len(plain.arrays)]
            return f"takes no case without {', '.join(without)}" if without else "takes no so many arrays"
        if any(not a.size for a in case.arrays):
            return "takes no empty batch"
        if case.static.get("training") is False and plain.static.get("training"):
            return "has no backward in evaluation"
        if self.standard.name == "conv2d" and case.arrays[1].shape[2] != case.arrays[1].shape[3]:
            return "takes square kernels only"
        return ""


# How far a plan comes on the plain case: it could be called; y has the right shape; the right numbers; all is right.
STARTED, SHAPED, EQUAL, UNDONE, FULL = 1.0, 3.0, 4.0, 9.0, 10.0


def with_other_numbers(case):
    """A case of the same shapes, because a function may remember what it gave for these."""
    arrays = [a.ravel()[::-1].reshape(a.shape) if a.dtype.kind == "f" else a for a in case.arrays]
    return Case(f"{case.label}, other numbers", tuple(arrays), case.static)


def evened(case):
    """The case with one number in place of each pair of settings, or None where there is no pair."""
    choose = {"stride": max, "kernel_size": min, "padding": min, "dilation": min, "output_size": min}
    static = {
        key: choose[key](value) if key in choose and isinstance(value, tuple) and None not in value else value
        for key, value in case.static.items()
    }
    if static == case.static:
        return None
    return Case(f"{case.label}, one number for both axes", case.arrays, static)


def _is_form(error):
    return error.type == "KeyError" or (
        error.type in ("TypeError", "ValueError") and any(words in error.message for words in FORM)
    )


def _is_blank(error, text):
    """Whether what was raised comes of a blank: `out = None`, of which the next line wants the shape."""
    return error.type in ("AttributeError", "TypeError") and "NoneType" in error.message and "= None" in text
