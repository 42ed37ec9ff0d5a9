"""The verdict on a submission: its y and its gradients against those of the op itself, on cases that it cannot foresee.

Each case's forward is called at least twice, and between the forwards and backwards of another case. Its backward gets
two random dy, zeros, the first dy times 2²⁰ and times 2⁻²⁰, and the first dy again, in an order drawn from the seed.
A function that remembers what it gave before, or waits for zeros, gains nothing.

Errors. Both sides compute in float64. A right algorithm with another order of sums is off by at most n·u·Σ|terms|: with
n ≤ 10⁴ terms, u = 1.1e-16, and terms 10⁴ times as large as their sum that is 1e-8. TOLERANCE is ten times as much, of
the largest element of the array. Where all of a gradient cancels, it is FLOOR of the largest dy. The least mistake of
the catalogue, an ε of 1e-5 that is forgotten beside a variance of 4, changes x̂ by 1.2e-6, twelve times the tolerance.

What is computed in float32 inside has errors of 2⁻²⁴ in place of u. How much of that the sums make larger, the op's own
run in float32 shows: SINGLE times its error is allowed, and SINGLE·2⁻²⁴ of the largest element. It is so where an array
that comes back is float32, or has float32 numbers only; 53 random bits become such by chance in no case.

At a tie of maxima there is no one gradient. There, what differs from the op's is held to measured derivatives of the
op's own forward (checks/kinks.py): whatever lies in the hull of the gradients nearby passes.
"""

import copy
import random
import threading
from dataclasses import dataclass, field

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.checks.checker import check_tested, upstream_for
from minires.gradcheck.checks.tested_function import TestedFunction
from minires.gradcheck.grading import hints, styles
from minires.gradcheck.grading.errors import ChildError, ForbiddenError, RaisedError, TimedOutError
from minires.gradcheck.grading.results import CaseResult
from minires.gradcheck.grading.styles import FormError, NotDoneError, PassOverError, WrongError

TOLERANCE = 1e-7
FLOOR = 1e-12
SINGLE = 50
TIMEOUTS = 2  # after so many nothing more is called
ENDS = 4  # after so many processes that ended nothing more is called
FORM = ("unpack", "positional argument", "unexpected keyword", "required keyword", "not subscriptable")
COMPUTING = threading.Lock()  # the ops' own computations, of several submissions at a time
MANNERS = "in place"
# Ops that many write for matrices only. With more axes `x.mean(1)` is something else; it need not raise.
RANKED = ("layer_norm", "linear", "softmax", "log_softmax", "logsumexp")


class CouldNotRunError(Exception):
    """Nothing was graded; the text says what to change."""


class StoppedError(Exception):
    """No more calls: too many have run out of time, or ended their process."""


class Session:
    """The process of one submission, opened anew when it has ended. open() gives a Box or a Local."""

    def __init__(self, open, name="the submission"):
        self.open, self.name = open, name
        self.child = None
        self.timeouts = self.ends = 0
        self.defined = []
        self.notes = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        if self.child is not None:
            child, self.child = self.child, None
            child.__exit__(None, None, None)

    def get(self):
        """The child, loaded."""
        if self.child is None:
            if self.timeouts >= TIMEOUTS or self.ends >= ENDS:
                raise StoppedError
            self.child = self.open().__enter__()
            try:
                self.defined = self.child.load()
            except TimedOutError as error:
                self.lost(error)
                raise CouldNotRunError(f"loading {self.name} did not finish: {error}") from error
            except ForbiddenError as error:
                self.lost(error)
                raise CouldNotRunError(str(error)) from error
            except ChildError as error:
                self.lost(error)
                raise CouldNotRunError(f"{self.name} cannot be loaded: {error}") from error
            self.notes = [str(error) for error in getattr(self.child, "cell_errors", [])]
        return self.child

    def lost(self, error):
        """The child has ended, or is past using; what it was doing is known to the caller."""
        self.timeouts += isinstance(error, TimedOutError)
        self.ends += not isinstance(error, TimedOutError)
        self.close()


@dataclass
class Record:
    """What a submission gave for one case."""

    case: Case
    right: object  # the op's y
    backward: object  # the op's dy -> gradients
    dys: dict  # {kind: dy}
    ys: list = field(default_factory=list)
    given: dict = field(default_factory=dict)  # {kind: {argument: gradient}}
    pairs: dict = field(default_factory=dict)  # {kind: the y of the forward that it belongs to}
    seeds: dict = field(default_factory=dict)  # {kind: the seed that dy was drawn from}
    single: bool = False
    errors_in_single: dict | None = None
    changed: list = field(default_factory=list)
    error: str = ""
    raised: object = None
    not_done: str = ""


class Judge:
    """Grades one submission. standard: what it is held to; seed, samples: of the cases; open(): a new child."""

    def __init__(self, standard, session, source_text="", *, seed=0, samples=1, numbers_only=False):
        self.standard, self.session, self.text = standard, session, source_text
        self.seed, self.samples, self.numbers_only = seed, samples, numbers_only
        self.random = random.Random(seed ^ 0x5EED)
        self.passed_over = {}

    def grade(self, targets, result):
        """Fill the Result of the functions, or the class, of these names."""
        try:
            self._grade(targets, result)
        except CouldNotRunError as error:
            result.error = str(error)
        except StoppedError:
            result.error = (
                "" if result.cases else "it did not finish in time, or ended its process, each time it was called"
            )
            result.refused = bool(result.cases)
        except NotDoneError as error:
            result.not_done = str(error)
        result.passed_over = self.passed_over
        return result

    def _grade(self, targets, result):
        child = self.session.get()
        described = self._describe(child, targets)
        found, reasons = styles.plans(self.standard, targets, described, self.session.defined, self.text)
        if not found:
            raise CouldNotRunError("; ".join(reasons) or "nothing is known of how to call it")
        plain = self.standard.plain(self.seed)
        plan, outcome = self._choose(found, plain)
        if isinstance(outcome, NotDoneError):
            result.style = plan.said()
            raise outcome
        if isinstance(outcome, (FormError, PassOverError)):
            words = str(outcome) if isinstance(outcome, FormError) else f"it {outcome}"
            raise CouldNotRunError("; ".join(dict.fromkeys([words, *reasons])))
        if isinstance(outcome, RaisedError) and _is_form(outcome):
            shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(self.standard.arguments, plain.arrays))
            raise CouldNotRunError(
                f"given {shapes} it raises {outcome}: no form in which {self.standard.name or 'it'} is "
                "usually written fits it; see --help"
            )
        result.style = plan.said()
        cases = [(plain, plan.fitted(plain, plain))]
        for case in self.standard.cases(self.seed, self.samples):
            if not case.beyond:
                self._fit(plan, case, plain, cases)
        records = self._run(plan, cases, plain)
        for record in records:
            if record is not None:
                said = self._verdict(plan, record)
                if (
                    not said.passed
                    and self.standard.name in RANKED
                    and record.case.arrays[0].ndim > plain.arrays[0].ndim
                ):
                    self._pass_over(f"takes no {self.standard.arguments[0]} of {record.case.arrays[0].ndim} axes")
                else:
                    result.cases.append(said)
        undone = [r.not_done for r in records if r is not None]
        if undone and all(undone):
            raise NotDoneError(undone[0])
        if not result.cases:
            raise CouldNotRunError(f"no case fits: it {', it '.join(self.passed_over)}")

    def _describe(self, child, targets):
        described = {}
        try:
            for name in targets:
                described[name] = child.describe(name)
                if described[name].kind == "missing":
                    mine = ", ".join(n for n in self.session.defined) or "none"
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

    def _choose(self, found, plain):
        """The plan that comes farthest on the plain case, and what stopped it: an error, or None."""
        best = (-1.0, None, None)
        for plan in found:
            score, outcome = self._try(plan, plain)
            if score > best[0]:
                best = (score, plan, outcome)
            if score >= FULL or isinstance(outcome, NotDoneError):
                return plan, outcome
        return best[1:]

    def _try(self, plan, plain):
        """(how far it comes, what stopped it)"""
        try:
            case = plan.fitted(plain, plain)
        except PassOverError as error:
            return 0.0, error
        record = self._record(case, plan)
        child = self.session.get()
        score = 1.0
        try:
            attempt = plan.start(child, case, record.right)
            if attempt.y is not None:
                if attempt.y.shape != record.right.shape:
                    return 2.0, None
                score = 4.0 if self._differs(plan, record, "y", attempt.y, record.right, 0.0) is None else 3.0
            elif not plan.has_forward:
                score = 3.0
            answer, _ = attempt.backward(record.dys["first"])
            given = plan.gradients(answer, case, plan.order())
        except NotDoneError as error:
            return 9.0, error
        except FormError as error:
            return 0.5, error
        except PassOverError as error:
            return 0.2, error
        except WrongError:
            return score + 0.5, None
        except RaisedError as error:
            if error.type == "NotImplementedError" or _is_blank(error, self.text):
                return 9.0, NotDoneError(str(error))
            return score, None if score >= 3.0 and plan.has_forward else error
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except ChildError as error:
            self.session.lost(error)
            return score + 0.1, None
        with COMPUTING:
            right = record.backward(record.dys["first"])
        pairs = [(name, given.get(name), r) for name, r in self._wanted(case, right)]
        fits = [g is not None and g.shape == r.shape for _, g, r in pairs]
        equal = [
            ok and self._differs(plan, record, name, g, r, _size(record.dys["first"])) is None
            for ok, (name, g, r) in zip(fits, pairs)
        ]
        optional = [name == "target" and g is None for name, g, _ in pairs]
        done = all(e or o for e, o in zip(equal, optional)) and any(equal)
        if done and (score != 3.0 or not plan.has_forward):
            return FULL, None
        return score + 0.6 + (sum(fits) + sum(equal)) / (2 * max(len(pairs), 1)), None

    def _wanted(self, case, right):
        names = styles._all_names(self.standard, case)
        return [
            (n, np.asarray(r)) for n, a, r in zip(names, case.arrays, right) if a.dtype.kind == "f" and r is not None
        ]

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
        except StoppedError:
            for record in records.values():
                record.error = record.error or "was not tried, after calls that did not end"
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except ChildError as error:
            self.session.lost(error)
            if at is not None:
                records[at].error = str(error)
            return True
        return False

    def _start(self, plan, child, record):
        try:
            attempt = plan.start(child, record.case, record.right)
        except RaisedError as error:
            record.error, record.raised = f"the forward raises {error}", ("forward", error)
        except NotDoneError as error:
            record.error = record.not_done = str(error)
        except (FormError, WrongError) as error:
            record.error = str(error)
        except PassOverError as error:
            record.error, record.raised = str(error), ("form", error)
        else:
            if attempt.y is not None:
                record.ys.append(attempt.y)
            record.changed += attempt.changed
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
            record.error, record.raised = f"the backward raises {error}", ("backward", error)
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

    # ---- comparing

    def _differs(self, plan, record, name, given, right, dy):
        """(error relative to what is allowed for, index) of the worst element, or None where all are right."""
        if given.shape != right.shape:
            return np.inf, None
        difference = np.abs(given.astype(complex if given.dtype.kind == "c" else float) - right)
        difference = np.where(np.isnan(difference), np.where(np.isnan(right) & np.isnan(given), 0, np.inf), difference)
        largest = _size(right)
        allowed = TOLERANCE * largest + FLOOR * dy
        if record.single or is_single(given):
            allowed += SINGLE * (self._single_error(record, name, dy) + 2.0**-24 * largest)
        if difference.max(initial=0) <= allowed:
            return None
        at = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
        return float(difference[at] / (largest or max(dy, 1e-300))), at

    def _single_error(self, record, name, dy):
        """The op's own error in float32, of y or of a gradient of the first dy, in the size of this dy."""
        if record.errors_in_single is None:
            record.errors_in_single = _errors_in_single(self.standard, record)
        errors = record.errors_in_single
        first = _size(record.dys["first"]) or 1.0
        return errors.get(name, 0.0) * (1.0 if name == "y" else dy / first)

    def _verdict(self, plan, record):
        case, standard = record.case, self.standard
        said = CaseResult(f"{standard.name} ({case.label})" if standard.name else case.label, case.label)
        if record.error:
            said.problems.append(record.error)
            return said
        said.manners += [
            f"it changes {name}, which it is given, {MANNERS}: work on a copy, {name}.copy()"
            for name in dict.fromkeys(record.changed)
        ]
        arrays = [*record.ys, *(g for gs in record.given.values() for g in gs.values() if isinstance(g, np.ndarray))]
        record.single = any(map(is_single, arrays))
        if record.single:
            said.notes.append("it computes in float32 inside, and is held to that")
        if standard.name == "dropout":
            self._dropout(plan, record, said)
            return self._mannered(said)
        if len(record.ys) > 1 and any(not _same(record.ys[0], y) for y in record.ys[1:]):
            said.problems.append(
                "its y is another each time it is called with the same arrays: the forward draws random numbers, or "
                "keeps something from call to call"
            )
            return said
        for y in record.ys[:1]:
            if y.shape != record.right.shape:
                said.problems.append(f"y has shape {y.shape}, that of {standard.name} is {record.right.shape}")
                said.hints += hints.of_shape(standard, case, y, record.right)
            elif (found := self._differs(plan, record, "y", y, record.right, 0.0)) is not None:
                error, at = found
                said.error = max(said.error, error)
                said.problems.append(
                    f"y is not {standard.name}'s: y{_place(at)} is {y[at]:.6g}, it should be {record.right[at]:.6g}"
                )
                said.hints += hints.of_y(standard, case, y, record.right)
        if said.problems and said.error == 0.0:
            return said
        self._gradients(plan, record, said)
        return self._mannered(said)

    def _mannered(self, said):
        """Manners fail a case, unless numbers alone count."""
        if self.numbers_only:
            said.notes += said.manners
        else:
            said.problems += said.manners
        return said

    def _gradients(self, plan, record, said):
        case = record.case
        with COMPUTING:
            right = {kind: dict(self._wanted(case, record.backward(dy))) for kind, dy in record.dys.items()}
        hulled = {}
        for name in right["first"]:
            g = record.given["first"].get(name)
            if g is None:
                if name == "target":
                    said.notes.append("no gradient for target was looked at: it gives none")
                elif any(v is not None for v in record.given["first"].values()):
                    said.problems.append(f"the backward gives no gradient (None) for {name}")
                    said.wrong.append(name)
                continue
            if g.shape != right["first"][name].shape:
                said.problems.append(
                    f"the backward gives a gradient of shape {g.shape} for {name} of shape {right['first'][name].shape}"
                )
                said.wrong.append(name)
                said.hints += hints.of_gradient(self.standard, case, record.dys["first"], name, g)
                continue
            self._one(plan, record, said, name, right, hulled)

    def _one(self, plan, record, said, name, right, hulled):
        """One argument's gradients of all dys."""
        case, dys = record.case, record.dys
        expected = {kind: right[kind][name] for kind in dys}
        found = {}
        for kind in ("first", "second"):
            if kind not in dys:
                continue
            g = record.given[kind].get(name)
            found[kind] = (
                self._differs(plan, record, name, g, expected[kind], _size(dys[kind]))
                if g is not None
                else (np.inf, None)
            )
            if found[kind] is not None and case.convention is not None and g is not None:
                if kind not in hulled:
                    hulled[kind] = self._in_hull(record, kind)
                if hulled[kind]:
                    found[kind] = None
                    expected[kind] = g
                    if kind == "first":
                        expected |= {"large": g * 2.0**20, "small": g * 2.0**-20, "again": g}
        wrong = next(((kind, f) for kind, f in found.items() if f is not None), None)
        if wrong is not None:
            kind, (error, at) = wrong
            g = record.given[kind].get(name)
            again = record.given.get("again", {}).get(name) if kind == "first" else None
            said.wrong.append(name)
            said.error = max(said.error, error)
            if (
                g is not None
                and again is not None
                and not _same(g, again)
                and self._some_right(plan, record, name, expected)
            ):
                said.problems.append(TWICE.format(name=name))
                return
            if at is not None:
                said.differences.append(
                    f"d{name} is wrong, in {said.name}: d{name}{_place(at)} is {g[at]:.9g}, it should be "
                    f"{expected[kind][at]:.9g}"
                )
                said.hints += hints.of_gradient(self.standard, case, dys[kind], name, g)
            return
        for kind, words in (
            ("again", TWICE.format(name=name)),
            ("zeros", f"from a dy of zeros the backward makes a d{name} that is not zero"),
            ("large", LINEAR.format(name=name, times="large")),
            ("small", LINEAR.format(name=name, times="small")),
        ):
            if kind in dys:
                g = record.given[kind].get(name)
                if g is None or self._differs(plan, record, name, g, expected[kind], _size(dys[kind])) is not None:
                    said.problems.append(words)
                    said.wrong.append(name)
                    return

    def _some_right(self, plan, record, name, expected):
        return any(
            record.given[k].get(name) is not None
            and self._differs(plan, record, name, record.given[k][name], expected[k], _size(record.dys[k])) is None
            for k in record.given
            if k != "zeros"
        )

    def _in_hull(self, record, kind):
        """Whether the gradients of one dy, all together, are an average of those nearby."""
        case, dy, given = record.case, record.dys[kind], record.given[kind]
        stored = [
            np.asarray(given[n], float) if isinstance(given.get(n), np.ndarray) else None
            for n in styles._all_names(self.standard, case)[: len(case.arrays)]
        ]
        raw = self.standard.raw

        def ours(*arrays, **settings):
            y, own = raw(*arrays, **settings)

            def backward(d):
                for power in (0, 20, -20):
                    if np.array_equal(d, dy * 2.0**power):
                        return tuple(None if g is None else g * 2.0**power for g in stored)
                dxs = own(d)
                return dxs if isinstance(dxs, tuple) else (dxs,)

            return y, backward

        with COMPUTING:
            tested = TestedFunction(ours, case.arrays, copy.deepcopy(case.static))
            return check_tested(tested, case.label, seed=record.seeds[kind], view=True).passed

    def _dropout(self, plan, record, said):
        """y must be x times a mask of 0 and 1/(1 − p), and dx dy times the same mask."""
        x = record.case.arrays[0]
        p = record.case.static.get("p", 0.5) if record.case.static.get("training", True) else 0.0
        if not record.ys:
            said.problems.append("a backward of dropout alone cannot be graded: it needs its forward's mask")
            return
        scales = {1 / (1 - p)} | ({1 / p} if p else set())
        for y in record.ys:
            if y.shape != x.shape:
                said.problems.append(f"y has shape {y.shape}, that of dropout is {x.shape}")
                return
            kept = y != 0
            scale = next((s for s in scales if np.allclose(y, kept * x * s, rtol=1e-6, atol=0)), None)
            if scale is None:
                said.problems.append("y is not x times 0 or 1/(1 − p)")
                return
            share = 1 / scale
            if abs(kept.mean() - share) > 6 * np.sqrt(max(share * (1 - share), 1e-12) / x.size) + 1e-9:
                said.problems.append(f"{kept.mean():.0%} of the elements are kept, of p = {p:g}")
                return
        for kind, given in record.given.items():
            mask = record.pairs[kind] / x
            if given.get("x") is None or not np.allclose(given["x"], record.dys[kind] * mask, rtol=1e-6, atol=0):
                said.problems.append("dx is not dy times the mask of its own forward, which is y/x")
                said.wrong.append("x")
                return
        said.notes.append("its mask is random: y is held to x times 0 or 1/(1 − p), dx to dy times the same")


TWICE = (
    "the backward called again with the same dy gives another d{name}: it changes what its forward kept, or adds to "
    "what an earlier call gave; begin each call with zeros, and work on copies"
)
LINEAR = (
    "the backward is not linear in dy: from a dy 2^20 times as {times} it makes a d{name} that is not; leave out what "
    "clips it, rounds it to 0 or divides by a norm of it"
)
FULL = 10.0


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


def is_single(a):
    """Whether an array is float32, or has been one: no element needs more than 24 bits, and some need more than 11."""
    if a.dtype in (np.float32, np.float16):
        return True
    if a.dtype != np.float64 or not a.size or not np.isfinite(a).all() or _size(a) > 3e38:
        return False
    few, many = a.astype(np.float16 if _size(a) < 6e4 else np.float32), a.astype(np.float32)
    return bool(np.array_equal(a, many) and not np.array_equal(a, few.astype(float)))


def _errors_in_single(standard, record):
    """{"y" and each argument: the greatest error of the op in float32, for the first dy}"""

    def cast(a):
        return a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

    case = record.case
    names = styles._all_names(standard, case)
    with COMPUTING, np.errstate(all="ignore"):
        try:
            static = {key: cast(value) for key, value in copy.deepcopy(case.static).items()}
            y, backward = standard.raw(*map(cast, case.arrays), **static)
            dxs = backward(cast(record.dys["first"]))
            dxs = dxs if isinstance(dxs, (tuple, list)) else (dxs,)
            right = record.backward(record.dys["first"])
        except Exception:  # an op or a reference that refuses float32 has no error there
            return {}
    errors = {"y": _size(np.asarray(y, float) - record.right)}
    for name, g, r in zip(names, dxs, right):
        if g is not None and r is not None:
            errors[name] = _size(np.asarray(g, float) - r)
    return errors


def _size(a):
    return float(np.abs(a).max(initial=0, where=np.isfinite(a)))


def _same(a, b):
    """Whether two calls gave the same, but for the last bits."""
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=0, atol=1e-9 * max(_size(a), 1e-300), equal_nan=True))


def _place(at):
    return str(list(at)) if at else ""


def _is_form(error):
    return error.type == "KeyError" or (
        error.type in ("TypeError", "ValueError") and any(words in error.message for words in FORM)
    )


def _is_blank(error, text):
    """Whether what was raised comes of a blank: `out = None`, of which the next line wants the shape."""
    return error.type in ("AttributeError", "TypeError") and "NoneType" in error.message and "= None" in text
