"""What may have gone wrong in a submission whose numbers are not right, in a sentence for its author.

No hint is a guess. A mistake that is known is made here, too, and its hint is given where it gives the same numbers.
A planted bug of the catalogue comes first if it explains all gradients. Then each room yields (what a mistake gives,
its hint): norms, windows, losses, residual adds, tanh, the teacher's own functions. A planted bug that explains one
gradient of several comes next. Last come mistakes that any array may have: its axes, its sign, one factor.
"""

import contextlib
import functools

import numpy as np

from minires.errors import MiniresError
from minires.gradcheck.grading.hints import activations, forms, losses, norms, planted, residuals, teachers, windows
from minires.gradcheck.grading.hints.exchanged import of_exchanged as _of_exchanged
from minires.gradcheck.grading.hints.raised import of_raised as _of_raised
from minires.gradcheck.grading.hints.wrong import NEARER, Wrong, distance, same

__all__ = ["of_exchanged", "of_gradient", "of_raised", "of_y", "same"]

ROOMS = (norms, windows, losses, residuals, activations, teachers)


def never_costs_a_verdict(of):
    """Hints, or none where looking for them raises: what a submission gives may be what no mistake explains."""

    @functools.wraps(of)
    def hints(*args):
        try:
            return of(*args)
        except Exception:  # the verdict is known without them
            return []

    return hints


of_exchanged = never_costs_a_verdict(_of_exchanged)
of_raised = never_costs_a_verdict(_of_raised)


@never_costs_a_verdict
def of_y(standard, case, y):
    """Hints for a y that is wrong, [] if nothing is known that gives it."""
    wrong = Wrong(standard, case, y)
    return _explained(wrong, lambda room: room.ys(wrong)) or _last(losses.of_y, wrong) or _last(forms.of_y, wrong)


@never_costs_a_verdict
def of_gradient(standard, case, dy, name, dx, given=None):
    """Hints for a gradient that is wrong, [] if nothing is known that gives it. given: {argument: gradient}, of all."""
    wrong = Wrong(standard, case, dx, name, dy)
    with np.errstate(all="ignore"):
        of_all, of_one = planted.of_gradient(wrong, given or {}) if standard.is_op else ([], [])
    found = of_all or _explained(wrong, lambda room: room.gradients(wrong)) or of_one
    return found or _last(forms.of_gradient, wrong)


def _explained(wrong, of_room):
    """The hint of the first mistake that gives the numbers that are wrong, or of a later one that is far nearer."""
    if np.iscomplexobj(wrong.given):
        return []
    with np.errstate(all="ignore"):
        for room in ROOMS:
            found = []
            with contextlib.suppress(MiniresError, ValueError, IndexError):  # of one that cannot be made in this case
                found.extend((distance(wrong.given, a), hint) for a, hint in of_room(room) if wrong.is_explained_by(a))
            if found:
                first = found[0]
                nearest = min(found, key=lambda one: one[0])
                return [(nearest if nearest[0] < NEARER * first[0] else first)[1]]
    return []


def _last(of_one, wrong):
    if np.iscomplexobj(wrong.given):
        return []
    with np.errstate(all="ignore"):
        return of_one(wrong)
