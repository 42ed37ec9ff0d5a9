"""Calling a submission on cases, in an order that it cannot foresee.

Each case's forward is called at least twice, and between the forwards and backwards of another case. Its backward gets
two random dy, zeros, the first dy times 2²⁰ and times 2⁻²⁰, and the first dy again, in an order drawn from the seed.
A function that remembers what it gave before, or waits for zeros, gains nothing.
"""

import random

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.checks.checker import upstream_for
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
from minires.gradcheck.grading.plan import bounded
from minires.gradcheck.grading.verdict import COMPUTING, Record


class Trials:
    """The calls of one submission. passed_over: {reason: how many cases}."""

    def __init__(self, standard, session, seed):
        self.standard, self.session = standard, session
        self.random = random.Random(seed ^ 0x5EED)
        self.passed_over = {}

    def pass_over(self, reason):
        self.passed_over[reason] = self.passed_over.get(reason, 0) + 1

    def record(self, case, plan):
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
        if not self.standard.is_op and right.min(initial=0) == 0 < right.max(initial=0) and not right.all():
            dys["masked"] = first * (right > 0)  # a ReLU ends it, whose mask may be forgotten
        record = Record(case, right, backward, dys)
        record.constant = plan.held_constant()
        record.layout = plan.layout
        if "momentum" in self.standard.settings and plan.knows("momentum"):
            record.momentum = self.standard.full_settings(case)["momentum"]
        record.seeds = dict(zip(("first", "second"), seeds))
        return record

    def run(self, plan, cases, plain):
        """The Records of the cases in their order; None for what is passed over."""
        records = [None] * len(cases)
        order = list(range(len(cases)))
        self.random.shuffle(order)
        pairs = [order[k : k + 2] for k in range(0, len(order), 2)]
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
            record.running = record.running or {
                setting: tuple(_statistic(value, record.case) for value in pair)
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
        except (FormError, WrongError) as error:
            record.error = str(error)

    def _excused(self, plan, pair, record, plain):
        """Pass a case over that raises where its form is not the plain one's; try it with one number for both axes."""
        fitted = pair[1]
        where, error = record.raised
        if where == "form":
            self.pass_over(str(error))
            return None
        reason = self._unusual(fitted, plain)
        if not reason or record.not_done:
            return record
        even = evened(fitted)
        if reason == "takes no pairs" and even is not None:
            second = self.record(even, plan)
            self._run_pair(plan, {0: second})
            if not second.raised or not self._unusual(even, plain):
                self.pass_over(reason)
                return second
        self.pass_over(reason if reason != "takes no pairs" else self._unusual(even or fitted, plain) or reason)
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


def _statistic(value, case):
    """A running statistic to be kept until the verdict; what is far too large for one, or no array, is none."""
    if isinstance(value, np.ndarray):
        return bounded(value, case.arrays[0])
    return None if value is None else np.nan


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
