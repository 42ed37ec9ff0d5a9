"""Comparing gradients with measured ones: how large a difference may be, and whether it proves anything."""

import numpy as np

from minires.gradcheck.checks.point import TINY
from minires.gradcheck.checks.report import ArgumentResult

FLOOR = 1e-3  # see floors_of
NOTED = 1e-5  # if the measurement leaves a gradient unsure by more than this part of it, a note says so
UNPROVED = 0.25  # and if by more than this part, nothing is proved: see judge


def floors_of(dy, y, x, steepest, unit_slope=1.0):
    """(natural, used): below these sizes gradients are compared in absolute terms.

    natural = FLOOR·max|dy|·y/x is FLOOR of the gradient that y has if it changes by |y| where x changes by |x|. y is
    the largest output that depends on x. Below this size rounding decides: tanh's 1 − y² is 0 for large x, up to u.
    A tiny x or a large constant in y make the natural floor larger than any gradient. So the used one is at most FLOOR
    of the steepest slope or of unit_slope, a slope of 1 in the units of the Point.
    """
    dy = float(np.abs(dy).max(initial=0))
    natural = FLOOR * y / x
    used = min(natural, FLOOR * max(steepest, unit_slope))
    return tuple(max(dy * max(size, TINY), TINY) for size in (natural, used))


def compare(argument, method, analytic, measured, unsure, floor, kinks=(), allowed=0.0, jumping=()):
    """The largest difference, relative to the largest gradient or to `floor`. A NaN on either side counts as infinite.

    unsure: the measured derivatives' own errors, which are allowed up to the method's doubt. Differences that are not
    allowed come first. allowed: what rounding may have changed, if that was measured; it is allowed in full. At a kink
    the difference is that from the nearest right gradient. jumping: elements at which y jumps; they are not compared.
    -> ArgumentResult
    """
    worst = ArgumentResult(argument, elements=analytic.size - len(kinks) - len(jumping), kinks=list(kinks))
    if not analytic.size:
        return worst
    measured = measured.copy()
    for k in kinks:
        measured[k.index] = k.nearest
    for j in jumping:
        measured[j] = analytic[j]
    difference = np.abs(analytic - measured)
    difference = np.where(np.isnan(difference), np.inf, difference)
    scale = max(float(np.nanmax(np.abs(analytic), initial=0)), float(np.nanmax(np.abs(measured), initial=0)), floor)
    doubt = np.maximum(np.fmin(unsure, method.doubt * scale), allowed)
    wrong = difference > method.tolerance * scale + doubt
    at = np.argmax(np.where(wrong, difference, 0) if wrong.any() else difference)
    at = tuple(int(k) for k in np.unravel_index(at, difference.shape))
    worst.error = float(difference[at] / scale)
    worst.doubt = float(doubt[at] / scale)
    worst.index = at
    worst.analytic = float(analytic[at])
    worst.numeric = float(measured[at])
    worst.scale = float(scale)
    return worst


def judge(report, compared, unsure, natural, floor, noise):
    """compared(0.0) if that agrees. Otherwise rounding may be the cause, up to tolerance·natural.

    compared(allowed) -> ArgumentResult; unsure: the measured derivatives' own errors; noise() -> what else rounding
    changes. With natural = 0 nothing is allowed, and a wrong gradient fails.

    Errors. Let D be the part that stays unsure, g the gradient by backward, m the measured and t the true one. m is
    within D of t. A g within D of m passes, so |g − t| may be 2D. Wrong gradients must be told from t: g = 2t is |g|/2
    away from t, g = t/2 is |g| away, and g = 0 or g = −t are farther. So D < |g|/4 is needed. Where D is more than
    this part of the largest gradient, the report is UNSURE. A gradient below the floor counts as 0. There D must be
    below the same part of floor/FLOOR, the steepest slope, so that no gradient of that size is missed.
    """
    worst = compared(0.0)
    most = report.by.tolerance * natural
    if natural and not report.agrees(worst) and report.agrees(compared(most)):
        worst = compared(np.fmin(unsure + noise(), most))
    hidden = max(worst.doubt * worst.scale, float(np.max(unsure, initial=0.0)))
    size = worst.scale if worst.scale > floor else floor / FLOOR
    if report.agrees(worst) and natural and min(hidden, most) > UNPROVED * size:
        report.unsure.append(
            f"rounding leaves d{worst.argument} unsure by {hidden:.1e}, and the largest is {size:.1e}: a wrong one "
            f"would not be seen; scale the inputs, so that y is not so much larger than what {worst.argument} adds to "
            "it, or check at other inputs"
        )
    elif report.agrees(worst) and hidden > max(NOTED, 10 * report.by.tolerance) * worst.scale:
        report.notes.append(f"rounding leaves d{worst.argument} unsure by {hidden:.1e}: a smaller error is not seen")
    return worst
