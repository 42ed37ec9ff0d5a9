"""Whether what a submission gave for a case is right: its y and its gradients against those of the op itself.

Errors. Both sides compute in float64. A right algorithm with another order of sums is off by at most n·u·Σ|terms|: with
n ≤ 10⁴ terms, u = 1.1e-16, and terms 10⁴ times as large as their sum that is 1e-8. TOLERANCE is ten times as much, of
the largest element of the array. Where all of a gradient cancels, it is FLOOR of the largest dy. The least mistake of
the catalogue, an ε of 1e-5 that is forgotten beside a variance of 4, changes x̂ by 1.2e-6, twelve times the tolerance.
What a teacher's own function sets apart from all else, as the −1e9 of a mask, is of a size of its own.

What is computed in float32 inside has errors of 2⁻²⁴ in place of u. How much of that the sums make larger, the op's own
run in float32 shows: SINGLE times its error is allowed, and SINGLE·2⁻²⁴ of the largest element. It is so where an array
that comes back is float32, or has float32 numbers only; 53 random bits become such by chance in no case.

At a tie of maxima there is no one gradient. There, what differs from the op's is held to measured derivatives of the
op's own forward (checks/kinks.py): whatever lies in the hull of the gradients nearby passes.
"""

import copy
from dataclasses import dataclass, field

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.checks.checker import check_tested
from minires.gradcheck.checks.tested_function import TestedFunction
from minires.gradcheck.grading import dropout, hints, running_statistics
from minires.gradcheck.grading.errors import RaisedError
from minires.gradcheck.grading.layouts import Layout
from minires.gradcheck.grading.plan import RETURNED, Upstream
from minires.gradcheck.grading.results import CaseResult
from minires.gradcheck.grading.single import errors_in_single, is_single, same, set_apart, size
from minires.gradcheck.grading.standard import COMPUTING, argument_names
from minires.gradcheck.grading.wording import own_place, own_shape

TOLERANCE = 1e-7
FLOOR = 1e-12
SINGLE = 50
EPSILONS = (1e-7, 1e-8, 1e-9, 1e-10, 1e-6, 1e-5)  # in the logarithm of a loss; smaller ones are not seen
TWICE = (
    "the backward called again with the same dy gives another d{name}: it changes what its forward kept, or adds to "
    "what an earlier call gave; begin each call with zeros, and work on copies"
)
LINEAR = (
    "the backward is not linear in dy: from a dy 2^20 times as {times} it makes a d{name} that is not; leave out what "
    "clips it, rounds it to 0 or divides by a norm of it"
)
OVERWRITTEN = "another call of the forward changes the y that this one has returned: return a new array in each call"
MASK = (
    "your gradients are right for a dy that is 0 where y is: the ReLU's mask is missing, begin with dy = dy * (y > 0)"
)


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
    not_tried: bool = False
    y_alone: bool = False  # whether there is no backward to be held to anything
    constant: list = field(default_factory=list)  # arguments whose gradient is not asked for
    errors_in_single: dict | None = None
    changed: list = field(default_factory=list)
    overwritten: bool = False  # whether the forward of another case has changed its y
    running: dict = field(default_factory=dict)  # running statistics: {name: (before, after)} of the first forward
    momentum: float | None = None  # that the submission was given
    more: list = field(default_factory=list)  # arrays that the first forward returns beside y and a cache
    p: str = ""  # what the submission calls the p of a dropout
    layout: Layout = field(default_factory=Layout)  # in which the submission has its arrays
    names: dict = field(default_factory=dict)  # {argument: what the submission calls it}
    error: str = ""
    timed_out: bool = False
    raised: object = None
    not_done: str = ""


class Verdicts:
    """Holds Records to a standard. numbers_only: work in place on dy is noted only."""

    def __init__(self, standard, numbers_only=False):
        self.standard, self.numbers_only = standard, numbers_only
        self.measured = 0.0  # the largest error that was allowed for, of a case
        self.repeats = []  # [(a record whose random mask is no random one, what is said of it)]

    def wanted(self, case, right, constant=()):
        named = zip(argument_names(self.standard, case), case.arrays, right)
        asked = [(n, dx) for n, a, dx in named if a.dtype.kind == "f" and dx is not None and n not in constant]
        return [(n, np.asarray(dx)) for n, dx in asked]

    def is_single(self, record, a):
        """Whether an array was computed in float32. At a tie the inputs are round numbers, and dy is float32."""
        return a.dtype == np.float32 or (record.case.convention is None and is_single(a))

    def differs(self, record, name, given, right, dy):
        """(error relative to what is allowed for, index) of the worst element, or None where all are right."""
        if given.shape != right.shape:
            return np.inf, None
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.abs(given.astype(complex if given.dtype.kind == "c" else float) - right)
        alike = (given == right) | (np.isnan(right) & np.isnan(given))  # −inf too, as a mask before a softmax has it
        difference = np.where(alike, 0, np.where(np.isnan(difference), np.inf, difference))
        largest = size(right)
        each = 1.0
        if name == "y" and not self.standard.is_op and (apart := set_apart(right)).any():
            largest = 1.0
            each = np.where(apart, np.abs(right), size(right[~apart]))
            difference = difference / each
        allowed = TOLERANCE * largest + FLOOR * dy
        if record.single or self.is_single(record, given):
            allowed += SINGLE * (self._single_error(record, name, dy, each) + 2.0**-24 * largest)
        if difference.max(initial=0) <= allowed:
            self.measured = max(self.measured, float(difference.max(initial=0) / (largest or max(dy, 1e-300))))
            return None
        at = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
        with np.errstate(over="ignore"):
            return float(difference[at] / (largest or max(dy, 1e-300))), at

    def epsilon_of(self, record, y):
        """The ε of a loss −log(p + ε), with which many keep the logarithm finite; 0 if it has none that is known."""
        settings = self.standard.settings.keys() & record.case.static.keys()
        if self.standard.name != "cross_entropy" or settings - {"reduction"} or record.case.arrays[0].ndim != 2:
            return 0
        logits, target = record.case.arrays
        e = np.exp(logits - logits.max(1, keepdims=True))
        p = (e / e.sum(1, keepdims=True))[np.arange(len(target)), target]
        reduce = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[record.case.static.get("reduction", "mean")]
        right = (reduce(-np.log(p + eps)) for eps in EPSILONS)
        return next((eps for eps, r in zip(EPSILONS, right) if self.differs(record, "y", y, r, 0.0) is None), 0)

    def _single_error(self, record, name, dy, each):
        """The op's own error in float32, of y in units of each, or of a gradient of the first dy in the size of dy."""
        if record.errors_in_single is None:
            record.errors_in_single = errors_in_single(self.standard, record)
        errors = record.errors_in_single
        first = size(record.dys["first"]) or 1.0
        return size(errors.get("y", 0.0) / each) if name == "y" else errors.get(name, 0.0) * dy / first

    def verdict(self, record):
        """The CaseResult of a Record."""
        self.measured = 0.0
        said = self._verdict(record)
        said.empty = not all(a.size for a in record.case.arrays)
        said.trivial = _is_itself(record)
        if said.passed:
            said.error = self.measured
        return said

    def _verdict(self, record):
        case, standard = record.case, self.standard
        said = CaseResult(f"{standard.name} ({case.label})" if standard.name else case.label, case.label)
        if record.error and not self._misshapen(record, said):
            said.problems.append(record.error)
            said.timed_out = record.timed_out
            if record.raised and isinstance(record.raised[1], RaisedError):
                said.hints += hints.of_raised(standard, case, record.raised[1])
        if record.error:
            return said
        if RETURNED in record.changed:
            said.notes.append(f"a later call changes {RETURNED}: what uses y afterwards sees other numbers")
        arrays = [*record.ys, *(g for gs in record.given.values() for g in gs.values() if isinstance(g, np.ndarray))]
        record.single = any(self.is_single(record, a) for a in arrays)
        if record.single:
            said.notes.append("it computes in float32 inside, and is held to that")
        if record.y_alone:
            said.notes.append("in evaluation y alone was checked, because it has no backward there")
        if standard.name == "dropout":
            self._dropout(record, said)
            return self._mannered(record, said)
        if len(record.ys) > 1 and any(not same(record.ys[0], y) for y in record.ys[1:]):
            said.problems.append(
                "its y is another each time it is called with the same arrays: the forward draws random numbers, or "
                "keeps something from call to call"
            )
            said.forgetful = True
            return said
        for y in [] if self._misshapen(record, said) else record.ys[:1]:
            found = self.differs(record, "y", y, record.right, 0.0)
            if found is not None and (eps := self.epsilon_of(record, y)):
                said.notes.append(f"its loss has an ε in the logarithm, log(p + {eps:g}), which is accepted")
                found = None
            if found is not None:
                error, at = found
                said.y_is_wrong = True
                said.error = max(said.error, error)
                where = _place(record, "y", at, y.shape)
                what = "the loss" if "reduction" in standard.settings else "y"  # which may call its labels y
                numbers = f"{y[at]:.9g}, it should be {record.right[at]:.9g}"
                said.problems.append(f"{what} is not {standard.name}'s: {what}{where} is {numbers}")
                said.hints += hints.of_y(standard, case, y)
        if said.problems and said.error == 0.0:
            return said
        if not record.y_alone:
            self._gradients(record, said)
        said.problems += running_statistics.mistakes(case, record.running, record.momentum, record.more)
        return self._mannered(record, said)

    def _misshapen(self, record, said):
        """Whether y has a wrong shape, which explains what its backward raises; said, with hints."""
        if record.timed_out or all(y.shape == record.right.shape for y in record.ys[:1]):
            return False
        y = record.ys[0]
        said.y_is_wrong = True
        said.problems.append(f"y has shape {y.shape}, that of {self.standard.name} is {record.right.shape}")
        said.hints += hints.of_y(self.standard, record.case, y)
        return True

    def _mannered(self, record, said):
        """Work in place on what was given fails a case; on dy alone it is noted where numbers alone count.

        The caller needs x and the weights afterwards, and dy seldom.
        """
        for name in dict.fromkeys(record.changed):
            if name != RETURNED:
                noted = self.numbers_only and isinstance(name, Upstream)
                words = f"it changes {name}, which it is given, in place: work on a copy, {name}.copy()"
                (said.notes if noted else said.problems).append(words)
        if record.overwritten:
            said.problems.append(OVERWRITTEN)
        return said

    def _gradients(self, record, said):
        case, standard = record.case, self.standard
        with COMPUTING:
            right = {
                kind: dict(self.wanted(case, record.backward(dy), record.constant)) for kind, dy in record.dys.items()
            }
        hulled = {}
        for name in right["first"]:
            g = record.given["first"].get(name)
            own = record.names.get(name, name)
            if g is None:
                if standard.is_target(name, record.right):
                    said.notes.append(f"no gradient for {own} was looked at: it gives none")
                else:
                    said.problems.append(f"the backward gives no gradient (None) for {own}")
                    said.wrong.append(name)
                continue
            if g.shape != right["first"][name].shape:
                theirs, wanted = (own_shape(record.layout, name, a.shape) for a in (g, right["first"][name]))
                said.problems.append(f"the backward gives a gradient of shape {theirs} for {own} of shape {wanted}")
                said.wrong.append(name)
                said.misshapen.append(name)
                said.hints += hints.of_gradient(standard, case, record.dys["first"], name, g, record.given["first"])
                continue
            self._one(record, said, name, right, hulled)
        said.hints += _missing(standard, record, right["first"])
        if exchanged := hints.of_exchanged(standard, record, said.wrong, right["first"]):
            said.hints = exchanged

    def _one(self, record, said, name, right, hulled):
        """One argument's gradients of all dys."""
        case, dys = record.case, record.dys
        own = record.names.get(name, name)
        expected = {kind: right[kind][name] for kind in dys}
        found = {}
        for kind in ("first", "second"):
            if kind not in dys:
                continue
            g = record.given[kind].get(name)
            found[kind] = (
                self.differs(record, name, g, expected[kind], size(dys[kind])) if g is not None else (np.inf, None)
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
            said.wrong.append(name)
            said.error = max(said.error, error)
            if self._unsteady(record, name, expected):
                said.problems.append(TWICE.format(name=own))
                return
            if at is not None:
                where = _place(record, name, at, g.shape)
                said.differences.append(
                    f"d{own} is wrong, in {said.name}: d{own}{where} is {g[at]:.9g}, it should be "
                    f"{expected[kind][at]:.9g}"
                )
                masked = record.given.get("masked", {}).get(name)
                if (
                    masked is not None
                    and self.differs(record, name, masked, expected["masked"], size(dys["masked"])) is None
                ):
                    said.hints.append(MASK)
                    return
                more = hints.of_gradient(self.standard, case, dys[kind], name, g, record.given[kind])
                said.hints += [hint for hint in more if not said.y_is_wrong or not _is_of_y(hint)]
            return
        for kind, words in (
            ("again", TWICE.format(name=own)),
            ("zeros", f"from a dy of zeros the backward makes a d{own} that is not zero"),
            ("large", LINEAR.format(name=own, times="large")),
            ("small", LINEAR.format(name=own, times="small")),
        ):
            if kind in dys:
                g = record.given[kind].get(name)
                if g is None or self.differs(record, name, g, expected[kind], size(dys[kind])) is not None:
                    said.problems.append(words)
                    said.wrong.append(name)
                    if g is not None and kind in ("large", "small"):
                        said.hints += hints.of_gradient(self.standard, case, dys[kind], name, g, record.given[kind])
                    return

    def _unsteady(self, record, name, expected):
        """Whether a gradient is right in some call, and another when backward is called again with the same dy."""
        pair = [record.given.get(kind, {}).get(name) for kind in ("first", "again")]
        if any(g is None for g in pair) or same(*pair):
            return False
        return any(
            gradients.get(name) is not None
            and self.differs(record, name, gradients[name], expected[kind], size(record.dys[kind])) is None
            for kind, gradients in record.given.items()
            if kind != "zeros"
        )

    def _in_hull(self, record, kind):
        """Whether the gradients of one dy, all together, are an average of those nearby."""
        case, dy, given = record.case, record.dys[kind], record.given[kind]
        names = argument_names(self.standard, case)[: len(case.arrays)]
        arrays = [given[n] if isinstance(given.get(n), np.ndarray) else None for n in names]
        if any(g is not None and np.imag(g).any() for g in arrays):
            return False
        stored = [None if g is None else np.real(g).astype(float) for g in arrays]
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

    def _dropout(self, record, said):
        """A random mask is held to what every mask must be."""
        sentence, of_dx = dropout.mistake(record)
        said.problems += [sentence] * bool(sentence)
        said.wrong += ["x"] * of_dx
        said.problems += [sentence for other, sentence in self.repeats if record is other]
        if not said.problems:
            said.notes.append(dropout.HELD_TO)


def _is_itself(record):
    """Whether x itself is the right y of a case, and dy the right dx."""
    x = record.case.arrays[0]
    if not np.array_equal(record.right, x):
        return False
    dy = record.dys["first"]
    with COMPUTING:
        dx, *others = record.backward(dy)
    return np.array_equal(dx, dy) and not any(np.any(g) for g in others if g is not None)


def _is_of_y(hint):
    """Whether what a hint says of a gradient may come of a y that is wrong."""
    return (
        "the forward does" in hint
        or "flipped" in hint
        or "its padding" in hint
        or "shifted by the padding" in hint
        or "after the add" in hint
        or "right but for a factor" in hint
        or hint.endswith("is zero")
    )


def _missing(standard, record, right):
    """The hint where the backward gives some of the gradients only. right: {argument: gradient}"""
    asked = [name for name in right if not standard.is_target(name, record.right)]
    given = [name for name in asked if record.given["first"].get(name) is not None]
    if not given or len(given) == len(asked):
        return []
    own = [f"d{record.names.get(name, name)}" for name in asked]
    return [f"your backward gives {len(given)} of {len(asked)} gradients: return {', '.join(own)}"]


def _place(record, name, at, shape):
    return str(list(own_place(record.layout, name, at, shape))) if at else ""
