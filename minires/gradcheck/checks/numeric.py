"""Derivatives measured by evaluating a function, sharing no code with any backward.

All work on a line: line(t) is y with the inputs moved by t along one direction, of one element or of many, and its
derivative dy/dt at t = 0 has y's shape. t counts in units of the inputs' own size (point.py), so a step h is a relative
one. Errors, for a function of scale 1 and rounding unit u = 1.1e-16:
    complex step, h = 1e-20:  Im y(ih)/h = y' + O(h²): nothing is subtracted, so only rounding, ~u, is left
                              [Squire & Trapp 1998]; needs an analytic function;
    two points:               (y(h) − y(−h))/2h = y' + h²·y‴/6 + O(u/h): at best u^(2/3) ≈ 1e-11, near h = 1e-5;
    four points:              (8(y(h) − y(−h)) − (y(2h) − y(−2h)))/12h = y' − h⁴·y⁽⁵⁾/30 + O(u/h): at best
                              u^(4/5) ≈ 1e-13, near h = u^(1/5) ≈ 1e-3; needs four derivatives within 2h.
With the scale X of x and Y of y they hold for (X/Y)·dy/dx and h/X: hence the relative step.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEP_COMPLEX = 1e-20


class NotAnalyticError(Exception):
    """The function takes no complex numbers, or drops their imaginary part."""


def complex_step(line, at=0.0, h=STEP_COMPLEX):
    """dy/dt at t = at. Raises NotAnalyticError where that is no derivative."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = line(complex(at, h))
        except Exception as error:  # it took real numbers, so whatever it says, complex ones are what it minds
            raise NotAnalyticError(str(error)) from error
    if y.dtype.kind != "c":
        raise NotAnalyticError("the result is real")
    return y.imag / h


def two_point(line, h):
    """dy/dt at t = 0."""
    return (real(line(h)) - real(line(-h))) / (2 * h)


def four_point(line, h):
    """dy/dt at t = 0."""
    near = real(line(h)) - real(line(-h))
    far = real(line(2 * h)) - real(line(-2 * h))
    return (8 * near - far) / (12 * h)


def four_point_adaptive(line, reach=1.0, u=2.0**-53):
    """dy/dt at t = 0 by four points with a step fitting the function, and the error of it, both of y's shape.

    It begins at the power of two next to u^(1/5), u the rounding unit that y is computed in, where an ordinary function
    has its least error. If half the step gives another result, a kink, a pole or a fast change is near: steps of a
    quarter each are tried, and each output takes the one with the least error. That is the gap to the half of the step,
    and rounding of y and of t, 3u(|y| + 2|dy/dt|)/h: in a deep network, with kinks 1e-5 away, some 1e-8.

    reach: how far steps may grow, in units of the first; below 1, how far the first is to shrink. A small step is lost
    where y is made of far larger inputs, or of constants such as the 1 of log(1 + eˣ) at a tiny x. Where rounding
    leaves an output unsure by more than 1e-9 of its slope, or of |y|/reach, larger steps follow; one that has a kink
    within it does not count. An output that never changes does not depend on t, and has no error.
    """
    start = real(line(0.0))
    first = 2.0 ** np.round(np.log2(u**0.2 * min(reach, 1.0)))
    size = np.abs(start)
    moves = np.zeros(start.shape, bool)

    def measure(h):
        (up2, down2), (up, down), (up1, down1) = ((real(line(t)), real(line(-t))) for t in (2 * h, h, h / 2))
        whole = (8 * (up - down) - (up2 - down2)) / (12 * h)
        half = (8 * (up1 - down1) - (up - down)) / (6 * h)
        gap = np.abs(whole - half)
        rounding = 3 * u * (size + 2 * np.abs(half)) / h
        bend = np.abs(up + down - 2 * start) / h
        closer = np.abs(up1 + down1 - 2 * start) / (h / 2)
        moves[...] |= (up2 != start) | (down2 != start) | (up != start) | (down != start)
        kinked = (bend > 8 * rounding) & (np.abs(closer - bend / 2) > bend / 8)  # that of a smooth y halves
        return half, gap, rounding, np.where(np.isnan(gap), np.inf, gap + rounding), closer, kinked

    best = np.zeros(size.shape)
    error = np.full(size.shape, np.inf)
    for h in first * 4.0 ** -np.arange(10):
        slope, gap, rounding, total, *_ = measure(h)
        best = np.where(total < error, slope, best)
        error = np.minimum(total, error)
        enough = 100 * u / h * max(float(size.max(initial=0)), float(np.abs(slope).max(initial=0)))
        if gap.max(initial=0) <= enough or (rounding > error).all():  # or smaller steps are worse still
            break
    h = 4 * first
    while h <= first * reach and (unsure := error > 1e-9 * np.maximum(np.abs(best), size / reach)).any():
        slope, _, rounding, total, bend, kinked = measure(h)
        total = total + np.minimum(bend, 8 * rounding)  # in so much rounding a kink may hide
        better = unsure & (total < error) & ~kinked
        best = np.where(better, slope, best)
        error = np.where(better, total, error)
        h *= 4
    return best, np.where(moves, error, 0.0)


def real(y):
    """y as real floats."""
    return np.asarray(y).real.astype(float)


@dataclass(frozen=True)
class Method:
    """A way to measure a derivative, and the tolerance that its error stays under.

    Where it finds its own error greater, that is counted too, but `doubt` at most: a gradient which is wrong by more
    than tolerance + doubt never passes.
    """

    name: str
    tolerance: float
    doubt: float
    derivative: Callable  # (line, reach) -> dy/dt at t = 0, and its own error, each of y's shape
    slope: Callable  # (line, at, h) -> dy/dt between at − h and at + h
    near: float  # a kink is looked for this near
    u: float  # relative error of y that a slope divides by its h: 0 where nothing is subtracted

    def noise(self, line):
        """How far rounding makes dy/dt differ at points that lie closer than a step; 0 where `derivative` tells it."""
        if self.u:
            return 0.0
        return np.ptp([self.slope(line, at * self.near / 1000, 0.0) for at in (-2.0, -1.0, 0.0, 1.0)], axis=0)

    def rounding(self, y, h):
        """How far rounding may take a slope of y away, and back on the other side."""
        return 4 * self.u * np.abs(real(y)) / h


def _complex_step(line, reach):
    slope = complex_step(line)
    return slope, np.zeros(slope.shape)


def _four_point_single(line, reach):
    return four_point_adaptive(line, reach, u=2.0**-24)


def _slope_by_complex_step(line, at, h):
    return complex_step(line, at)


def _slope_by_difference(line, at, h):
    above = real(line(at + h))
    below = real(line(at - h))
    return np.where(above == below, 0.0, above - below) / (2 * h)  # 0 where an infinity stays


COMPLEX_STEP = Method("complex step", 1e-12, 0.0, _complex_step, _slope_by_complex_step, near=1e-9, u=0.0)
FOUR_POINT = Method("4-point", 1e-8, 1e-7, four_point_adaptive, _slope_by_difference, near=1e-6, u=2.0**-53)
# For a function that computes in float32 whatever it is given: u/h ≈ 2e-6 a term.
FOUR_POINT_SINGLE = Method(
    "4-point, float32", 1e-3, 0.0, _four_point_single, _slope_by_difference, near=1e-2, u=2.0**-24
)


def is_analytic(line, blur=0.0):
    """Whether the complex step measures dy/dt of this function: a conj, an abs, an np.var or a cast inside misleads it.

    A wrong backward may err in the same way (np.var of complex numbers is real, as if the variance were constant), so
    this is asked before any backward is looked at: Im y(ih)/h must lie between the differences on both sides of t = 0,
    or at them within their own error. That need not be sharp, for what misleads is a term that is missing.
    blur: how far rounding may move the inputs, in the units of t; that part of h is missing from a step.
    """
    try:
        exact = complex_step(line)
    except NotAnalyticError:
        return False
    h = FOUR_POINT.near / 2
    left = _slope_by_difference(line, -h, h)
    right = _slope_by_difference(line, h, h)
    slack = (1e-5 + 2 * blur / h) * max(float(np.abs(left).max(initial=0)), float(np.abs(right).max(initial=0)))
    slack = slack + 25 * FOUR_POINT.rounding(line(0.0), h)
    inside = (exact >= np.minimum(left, right) - slack) & (exact <= np.maximum(left, right) + slack)
    return bool((inside | np.isnan(left) | np.isnan(right)).all())


def kink(method, line, scale, slope=None):
    """The slopes (left, right) of y if it has a kink at t = 0, else None.

    The slopes are taken within h and within h/2 on both sides: where y is smooth the gap between them is of order h·y″
    and halves with h, at a kink it stays. Gaps below 1e-5·scale, or within rounding, count as none.
    slope: what dy/dt would be if the effects of the elements just added up, if that is to be compared, too: the median
    of three equal numbers has one slope along any line, but not the one that its elements have alone.
    """

    def sides(h):
        left = method.slope(line, -h / 2, h / 2)
        right = method.slope(line, h / 2, h / 2)
        all_ = [left, right, *([] if slope is None else [slope])]
        return left, right, np.max(all_, axis=0) - np.min(all_, axis=0)

    h = method.near
    least = 1e-5 * scale + (method.rounding(line(0.0), h / 4) if method.u else 0)
    *_, gap = sides(h)
    if not (gap > least).any():
        return None
    left, right, closer = sides(h / 2)
    return (left, right) if ((gap > least) & (closer > 0.75 * gap)).any() else None
