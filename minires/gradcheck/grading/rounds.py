"""A second round on one layer: forward, backward, and both again with other numbers, as each step of training does.

All other calls have a layer of their own, in which nothing is left of an earlier batch. A backward may take a step of
gradient descent itself, w ← w − η·dw. Then the second round is right if it is that of the new weights: η is the one
number that is fitted to its y, and y and all gradients must agree with it as everywhere else.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading import dropout, forms, running_statistics
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
from minires.gradcheck.grading.own_steps import LARGEST, TRAINS, UPHILL, OwnSteps
from minires.gradcheck.grading.single import size
from minires.gradcheck.grading.standard import COMPUTING, argument_names

WHICH = ("first", "second", "third", "fourth", "fifth")
Y = "a {which} forward of the same object, with {other}, gives a wrong y: it keeps something of the first"
GRADIENT = (
    "after a {which} forward of the same object, with {other}, d{name} is wrong: its backward uses what the "
    "first forward left"
)
NONE = "in a {which} round on the same object the backward gives no gradient (None) for {name}"
RAISES = "in a {which} round on the same object it raises {error}"
MASK = "its mask is the same in each forward of one object: draw it anew in each forward"
ONE_SIZE = "one object raises at a batch with fewer samples than its first, as the last of an epoch may have: {error}"
BATCHED = ("conv2d", "linear", "batch_norm", "max_pool2d", "avg_pool2d", "relu", "sigmoid", "tanh", "cross_entropy")
FEWEST = 2  # samples of a batch norm, without which (N,C) has no variance
FEW = 5  # weights, of which each set may have been changed
FITS = 20  # Gauss-Newton steps at most; an op that is linear in its weights needs one
SECANT = 1e-3  # change of the learning rate over which y's slope is measured


@dataclass
class Later:
    """What is seen in a second round: a mistake, or what is right and worth saying; "" and () for none."""

    mistake: str = ""
    notes: tuple = ()
    timed_out: bool = False


def later(trials, verdicts, plan, case):
    """What is to be said of a layer that is right in its first round: two to four more follow, how many is random."""
    numbers = np.random.default_rng(trials.random.getrandbits(31))
    cases = [case, *(with_another_x(plan, case, numbers) for _ in range(numbers.integers(2, 5)))]
    smaller = int(numbers.integers(1, len(cases)))  # as the last batch of an epoch often is
    cases[smaller] = _with_fewer(plan, cases[smaller])
    own = OwnSteps(plan, verdicts)
    one_size = ""
    layer = before = given = last = None
    for count, each in enumerate(cases):
        which = WHICH[count]
        fewer = np.shape(each.arrays[0]) != np.shape(case.arrays[0])
        record = trials.record(own.at(each), plan)
        try:
            attempt = plan.start(trials.session.get(), record.case, record.right, layer)
            gradients = _gradients(plan, attempt, record)
            kept = plan.weights(trials.session.get(), attempt.layer, record.case)
        except RaisedError as error:
            if fewer and not forms.is_slip(error) and error.type != "NotImplementedError":
                one_size = ONE_SIZE.format(error=error)  # the rounds of the first size go on
                continue
            return Later(RAISES.format(which=which, error=error))
        except ForbiddenError as error:
            raise CouldNotRunError(str(error)) from error
        except (FormError, NotDoneError, PassOverError, WrongError) as error:
            return Later(f"in a {which} round on the same object: {error}")
        except StoppedError as error:
            return Later(f"a {which} round on the same object was not tried: {error}", timed_out=error.timed_out)
        except ChildError as error:
            trials.session.lost(error)
            late = isinstance(error, TimedOutError) and not error.endless
            return Later(f"in a {which} round on the same object: {error}", timed_out=late)
        if count:
            answers = attempt.y, given, gradients
            mistake, record = _checked(verdicts, plan, (before, last), record, answers, own)
            mistake = mistake or _of_statistics(record, attempt)
            if mistake:
                other = "one sample less" if fewer else "other numbers"
                return Later(mistake.replace("{which}", which).replace("{other}", other))
        own.see(record, kept, not count)
        if own.uphill:
            return Later(own.uphill)
        layer, before, given, last = attempt.layer, record, gradients, attempt.y
    return Later(notes=(own.note, one_size))


def _checked(verdicts, plan, earlier, record, answers, own):
    """(what is wrong with a round, its Record). earlier: the Record and y of the round before."""
    before, last = earlier
    y, given, gradients = answers
    if plan.standard.name == "dropout":
        return _of_masks(plan, last, y, gradients, record), record
    arrays = (y, *gradients.values())
    record.single = any(verdicts.is_single(record, a) for a in arrays if isinstance(a, np.ndarray))
    wrong = _wrong(verdicts, plan, record, y, given, gradients)
    if wrong != Y or own.weights or y.shape != record.right.shape:
        return wrong, record
    for names, rate, trained in _trained(verdicts, plan, before, record, y):  # by weights that cannot be read
        wrong_then = _wrong(verdicts, plan, trained, y, given, gradients)
        said = " and ".join(plan.own_names().get(name, name) for name in names)
        if wrong_then and wrong_then != Y:
            return wrong_then, record
        if not wrong_then and rate < 0:
            return UPHILL.format(rate=-rate, names=said), record
        if not wrong_then:
            own.say(TRAINS.format(rate=rate, names=said))
            return "", trained
    return wrong, record


def _of_statistics(record, attempt):
    """What is wrong with the running statistics that a layer keeps, which each round of training changes."""
    case = record.case
    pairs = {name: tuple(running_statistics.kept(a, case) for a in pair) for name, pair in attempt.running.items()}
    wrong = running_statistics.mistakes(case, pairs, record.momentum, attempt.more)
    return f"in a {{which}} round on the same object: {wrong[0]}" if wrong else ""


def _of_masks(plan, y, y_later, given_later, later):
    """What is wrong with a second round of a dropout, which is held to what its cases are held to."""
    later.ys, later.pairs["first"], later.given["first"] = [y_later], y_later, given_later
    sentence, _ = dropout.mistake(later)
    if sentence:
        return "in a {which} round on the same object: " + sentence
    kept = y.size > dropout.ENOUGH and not plan.knows("rng")
    return MASK if kept and np.array_equal(y != 0, y_later != 0) else ""


def _wrong(verdicts, plan, record, y, given, given_later):
    """What is wrong with y and the gradients of a second round; "" if nothing is. given: the gradients of the first."""
    if y.shape != record.right.shape:
        return Y
    if verdicts.differs(record, "y", y, record.right, 0.0) and not verdicts.epsilon_of(record, y):
        return Y
    dy = record.dys["first"]
    with COMPUTING:
        right = verdicts.wanted(record.case, record.backward(dy), record.constant)
    for name, r in right:
        g = given_later.get(name)
        if g is None and plan.standard.is_target(name, record.right):
            continue
        if g is None:
            return NONE.replace("{name}", plan.own_names().get(name, name))
        added = name != plan.standard.arguments[0] and g.shape == r.shape  # to what the first backward left
        ways = [g, g - given[name]] if added and np.shape(given.get(name)) == g.shape else [g]
        if all(verdicts.differs(record, name, way, r, size(dy)) for way in ways):
            return GRADIENT.replace("{name}", plan.own_names().get(name, name))
    return ""


def _trained(verdicts, plan, first, later, y):
    """(names, learning rate, the record of the second round) for each set of weights that one step may have changed."""
    standard = plan.standard
    with COMPUTING:
        gradients = dict(verdicts.wanted(first.case, first.backward(first.dys["first"]), first.constant))
    given = plan.forward.arrays or standard.arguments[:1]
    weights = [name for name in gradients if name not in given and gradients[name].any()]
    some = range(len(weights), 0, -1) if len(weights) <= FEW else (len(weights), 1)  # there are 2ⁿ sets
    for count in some:
        for names in itertools.combinations(weights, count):
            steps = {name: gradients[name] for name in names}
            rate = _fitted(standard, later.case, steps, y)
            if rate and abs(rate) < LARGEST:
                case = _after_step(standard, later.case, steps, rate)
                with COMPUTING:
                    right, backward = standard.right(case)
                yield names, rate, replace(later, case=case, right=right, backward=backward, errors_in_single=None)


def _after_step(standard, case, steps, rate):
    """The case with w − rate·dw in place of w, of the weights that `steps` has the gradients of."""
    named = zip(argument_names(standard, case), case.arrays)
    return replace(case, arrays=tuple(a - rate * steps[name] if name in steps else a for name, a in named))


def _fitted(standard, case, steps, y):
    """The learning rate whose y is nearest in the mean square, or 0 if y does not depend on it."""

    def y_of(rate):
        return standard.right(_after_step(standard, case, steps, rate))[0]

    rate = 0.0
    with COMPUTING, np.errstate(all="ignore"):
        for _ in range(FITS):
            here = y_of(rate)
            slope = (y_of(rate + SECANT) - here) / SECANT
            step = float(np.vdot(slope, y - here) / np.vdot(slope, slope))
            if not np.isfinite(step):
                return 0.0
            rate += step
            if abs(step) <= 1e-12 * abs(rate):
                break
    return rate


def with_another_x(plan, case, numbers):
    """The case with its numbers in another order in what a forward takes; a layer keeps the rest. numbers: random."""
    standard = plan.standard
    names = plan.forward.arrays or standard.arguments[:1]
    arrays = [
        numbers.permutation(a.ravel()).reshape(a.shape) if name in names and a.dtype.kind == "f" else a
        for name, a in zip(standard.arguments, case.arrays)
    ]
    return Case(case.label, tuple(arrays) + case.arrays[len(arrays) :], case.static)


def _with_fewer(plan, case):
    """The case with one sample less, if a forward takes all that there is one of for each sample."""
    standard = plan.standard
    each = standard.arguments[: 2 if standard.name == "cross_entropy" else 1]  # logits and target
    taken = plan.forward.arrays or standard.arguments[:1]
    x = case.arrays[0]
    if standard.name not in BATCHED or not x.ndim or len(x) <= FEWEST or not set(each) <= set(taken):
        return case
    arrays = [a[:-1] if name in each else a for name, a in zip(standard.arguments, case.arrays)]
    return Case(case.label, tuple(arrays), case.static)


def _gradients(plan, attempt, record):
    return plan.gradients(attempt.backward(record.dys["first"])[0], record.case, plan.order())
