"""A second round on one layer: forward, backward, and both again with other numbers, as each step of training does.

All other calls have a layer of their own, in which nothing is left of an earlier batch.
"""

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading.dropout import ENOUGH
from minires.gradcheck.grading.errors import (
    ChildError,
    FormError,
    NotDoneError,
    PassOverError,
    RaisedError,
    StoppedError,
    WrongError,
)
from minires.gradcheck.grading.single import size
from minires.gradcheck.grading.standard import COMPUTING

Y = "a second forward of the same object, with other numbers, gives a wrong y: it keeps something of the first"
GRADIENT = (
    "after a second forward of the same object, with other numbers, d{name} is wrong: its backward uses what the first "
    "forward left"
)
RAISES = "in a second round on the same object it raises {error}"
MASK = "its mask is the same in each forward of one object: draw it anew in each forward"


def mistake(trials, verdicts, plan, case):
    """What is wrong in a second round on a layer that is right in its first; "" if nothing is."""
    first = trials.record(case, plan)
    second = trials.record(with_another_x(plan, case), plan)
    try:
        attempt = plan.start(trials.session.get(), case, first.right)
        given = _gradients(plan, attempt, first)
        again = plan.start(trials.session.get(), second.case, second.right, attempt.layer)
        later = _gradients(plan, again, second)
    except RaisedError as error:
        return RAISES.format(error=error)
    except (FormError, NotDoneError, WrongError) as error:
        return f"in a second round on the same object: {error}"
    except (PassOverError, StoppedError):
        return ""
    except ChildError as error:
        trials.session.lost(error)
        return ""
    if trials.standard.name == "dropout":
        kept = attempt.y.size > ENOUGH and not plan.knows("rng")
        return MASK if kept and np.array_equal(attempt.y != 0, again.y != 0) else ""
    if again.y.shape != second.right.shape:
        return Y
    second.single = any(verdicts.is_single(second, a) for a in (again.y, *later.values()) if isinstance(a, np.ndarray))
    if verdicts.differs(second, "y", again.y, second.right, 0.0) and not verdicts.epsilon_of(second, again.y):
        return Y
    dy = second.dys["first"]
    with COMPUTING:
        right = verdicts.wanted(second.case, second.backward(dy), second.constant)
    for name, r in right:
        g = later.get(name)
        if g is None:
            continue
        added = name != plan.standard.arguments[0] and g.shape == r.shape  # to what the first backward left
        ways = [g, g - given[name]] if added and given.get(name) is not None else [g]
        if all(verdicts.differs(second, name, way, r, size(dy)) for way in ways):
            return GRADIENT.format(name=plan.own_names().get(name, name))
    return ""


def with_another_x(plan, case):
    """The case with other numbers in what a forward takes; a layer keeps the rest."""
    standard = plan.standard
    names = plan.forward.arrays or standard.arguments[:1]
    arrays = [
        a.ravel()[::-1].reshape(a.shape) if name in names and a.dtype.kind == "f" else a
        for name, a in zip(standard.arguments, case.arrays)
    ]
    return Case(case.label, tuple(arrays) + case.arrays[len(arrays) :], case.static)


def _gradients(plan, attempt, record):
    return plan.gradients(attempt.backward(record.dys["first"])[0], record.case, plan.order())
