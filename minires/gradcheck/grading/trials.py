"""Calling a submission on cases, in an order that it cannot foresee.

Each case's forward is called at least twice, and between the forwards and backwards of another case. Its backward gets
two random dy, zeros, the first dy times 2²⁰ and times 2⁻²⁰, and the first dy again, in an order drawn from the seed.
A function that remembers what it gave before, or waits for zeros, gains nothing.
"""

import random

import numpy as np

from minires.gradcheck.checks.checker import upstream_for
from minires.gradcheck.grading import forms, running_statistics
from minires.gradcheck.grading.errors import (
    ChildError,
    CouldNotRunError,
    ForbiddenError,
    FormError,
    NotDoneError,
    PassOverError,
    RaisedError,
    StoppedError,
    TimedOutError,
    WrongError,
)
from minires.gradcheck.grading.plan import too_large
from minires.gradcheck.grading.single import same
from minires.gradcheck.grading.standard import COMPUTING
from minires.gradcheck.grading.verdict import Record

ONE_NUMBER = "gives the gradient of one number"


class Trials:
    """The calls of one submission. passed_over: {reason: how many cases}."""

    def __init__(self, standard, session, seed, text=""):
        self.standard, self.session, self.text = standard, session, text
        self.random = random.Random(seed ^ 0x5EED)
        self.passed_over = {}

    def pass_over(self, reason):
        self.passed_over[reason] = self.passed_over.get(reason, 0) + 1

    def record(self, case, plan):
        with COMPUTING:
            right, backward = self.standard.right(case)
        if plan.unit:
            if right.ndim and not plan.knows("reduction"):
                raise PassOverError(ONE_NUMBER)
            one = np.ones(right.shape)  # where it reduces nothing, the gradients of all losses are added
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
        if not self.standard.is_op and right.min(initial=0) == 0 < right.max(initial=0) and not right.all():
            dys["masked"] = first * (right > 0)  # a ReLU ends it, whose mask may be forgotten
        record = Record(case, right, backward, dys)
        record.constant = [*plan.held_constant(), *plan.off(case)]
        record.layout = plan.layout
        record.p = plan.name_of("p") if "p" in self.standard.settings else ""
        if "momentum" in self.standard.settings and plan.knows("momentum"):
            record.momentum = self.standard.full_settings(case)["momentum"]
        record.seeds = dict(zip(("first", "second"), seeds))
        return record

    def run(self, plan, cases, plain):
        """The Records of the cases in their order; None for what is passed over."""
        records = [None] * len(cases)
        order = list(range(2, len(cases)))
        self.random.shuffle(order)
        pairs = [order[k : k + 2] for k in range(0, len(order), 2)]
        pairs.insert(self.random.randint(0, len(pairs)), [0, 1])  # of the same shapes, which one array may be kept for
        while pairs:
            pair = pairs.pop(0)
            for k in pair:
                try:
                    records[k] = self.record(cases[k][1], plan)
                except PassOverError as error:
                    self.pass_over(str(error))
                    records[k] = None
            working = [k for k in pair if records[k] is not None]
            lost = self._run_pair(plan, {k: records[k] for k in working})
            pairs[:0] = [[k] for k in working if lost and not records[k].error]
        plain = plan.fitted(plain, plain)
        for k, record in enumerate(records):
            if record is not None and record.raised is not None:
                records[k] = self._excused(plan, cases[k][1], record, plain)
        return records

    def alone(self, plan, case):
        """The Record of one case, with no other between its forward and its backwards."""
        record = self.record(case, plan)
        self._run_pair(plan, {0: record})
        return record

    def adds_up(self, plan, case):
        """The arguments whose gradients a layer adds to those of an earlier call of its backward."""
        record = self.record(case, plan)
        dy = record.dys["first"]
        try:
            attempt = plan.start(self.session.get(), case, record.right)
            once, twice = (plan.gradients(attempt.backward(dy)[0], case, plan.order()) for _ in range(2))
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except ChildError as error:
            if not isinstance(error, RaisedError):
                self.session.lost(error)
            return []
        except (FormError, NotDoneError, PassOverError, StoppedError, WrongError):
            return []
        return [
            n for n, g in once.items() if g is not None and twice[n] is not None and g.any() and same(2 * g, twice[n])
        ]

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
                self._look_again(records, list(attempts.items()))
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
                    self._look_again(records, [(at, attempt) for at, _, attempt in started])
                    for at, kind, attempt in started:
                        if attempt is not None and not records[at].error:
                            self._back(plan, records[at], attempt, kind)
        except StoppedError as error:
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

    @staticmethod
    def _look_again(records, started):
        """Whether the forward of the second case has changed the y that the first has returned."""
        if len(started) == 2 and started[0][0] != started[1][0] and all(attempt for _, attempt in started):
            at, first = started[0]
            if first.calls is not None and first.calls.y_is_another():
                records[at].overwritten = True

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
            record.more = record.more or [a for a in attempt.more if not too_large(a, record.case.arrays[0])]
            record.running = record.running or {
                setting: tuple(running_statistics.kept(value, record.case) for value in pair)
                for setting, pair in attempt.running.items()
            }
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
            record.raised = ("backward", error)
        except (FormError, WrongError) as error:
            record.error = str(error)

    def _excused(self, plan, case, record, plain):
        """The Record of a case at which the submission raises; None where it is passed over for its form."""
        where, error = record.raised
        if where == "form":
            self.pass_over(str(error))
            return None
        if where == "backward" and record.ys and self._in_evaluation(case, plain) and not forms.is_slip(error):
            record.y_alone, record.error = True, ""
            return record
        if record.not_done or forms.is_slip(error):
            return record
        reason = forms.unusual(self.standard, case, plain, plan.optional())
        if where == "backward" and reason and reason == forms.deeper(self.standard, case, plain):
            reason += forms.IN_BACKWARD
        reason = reason or forms.refused_word(self.standard, case, plain, error)
        if not reason and (forms.is_stated(error, self.text) or forms.cannot_divide(self.standard, case, error)):
            reason = forms.refused(self.standard, case, plan.declared(), plain)
            reason = ONE_NUMBER if plan.unit and record.right.ndim else reason
        if not reason and where == "backward" and self._in_evaluation(case, plain):
            reason = "has no backward in evaluation"
        if not reason:
            return record
        case = forms.gentler(self.standard, case, reason)
        if case is not None:
            second = self.record(case, plan)
            self._run_pair(plan, {0: second})
            if second.raised:
                return self._excused(plan, case, second, plain)
        self.pass_over(reason)
        return second if case is not None else None

    def _in_evaluation(self, case, plain):
        return case.static.get("training") is False and self.standard.full_settings(plain).get("training")
