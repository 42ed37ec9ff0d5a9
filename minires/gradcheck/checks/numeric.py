"""Derivatives measured by evaluating a function. They share no code with any backward.

All methods work on a line. line(t) is y with the inputs moved by t along one direction, of one element or of many. The
derivative dy/dt at t = 0 has y's shape. t counts in units of the inputs' own size (point.py), so a step h is relative.
Errors, for a function of scale 1 and the rounding unit u = 1.1e-16:
    complex step, h = 1e-20:  Im y(ih)/h = y' + O(h²). Nothing is subtracted, so only rounding is left, about u
                              [Squire & Trapp 1998]. It needs an analytic function.
    two points:               (y(h) − y(−h))/2h = y' + h²·y‴/6 + O(u/h): at best u^(2/3) ≈ 1e-11, near h = 1e-5.
    four points:              (8(y(h) − y(−h)) − (y(2h) − y(−2h)))/12h = y' − h⁴·y⁽⁵⁾/30 + O(u/h): at best
                              u^(4/5) ≈ 1e-13, near h = u^(1/5) ≈ 1e-3. It needs five derivatives within 2h.
If x has the scale X and y the scale Y, these errors are those of (X/Y)·dy/dx with the step h/X. Therefore the step is
relative.
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
        except Exception as error:  # real numbers went through, so complex ones are the cause
            raise NotAnalyticError(str(error)) from error
    if y.dtype.kind != "c":
        raise NotAnalyticError("the result is real")
    return y.imag / h


def two_point(line, h):
    """dy/dt at t = 0."""
    return (real(line(h)) - real(line(-h))) / (2 * h)


def four_point(line, h):
    """dy/dt at t = 0."""
    inner = real(line(h)) - real(line(-h))
    outer = real(line(2 * h)) - real(line(-2 * h))
    return (8 * inner - outer) / (12 * h)


def four_point_adaptive(line, growth=1.0, u=2.0**-53):
    """dy/dt at t = 0 by four points, with a step that fits the function, and its error; both have y's shape.

    u is the rounding unit that y is computed in. The first step is the power of two next to u^(1/5), where an ordinary
    function has its smallest error. If half the step gives another result, a kink, a pole or a fast change is near.
    Then steps of a quarter each are tried, and each output takes the one with the smallest error. The error of a step
    is the gap to the result of half the step, plus the rounding of y and of t, 3u·(|y| + 2|dy/dt|)/h. In a deep
    network, with kinks 1e-5 away, that is some 1e-8.

    growth: how far the step may grow, as a factor; below 1, how far the first step is to shrink. A small step is lost
    in rounding where y also depends on far larger inputs, or on constants such as the 1 of log(1 + eˣ) at a tiny x.
    Larger steps follow where rounding leaves an output unsure by more than 1e-9 of its slope, or of |y|/growth. One
    that has a kink within it does not count. An output that never changes does not depend on t, and has no error.
    """
    start = real(line(0.0))
    first = 2.0 ** np.round(np.log2(u**0.2 * min(growth, 1.0)))
    size = np.abs(start)
    moves = np.zeros(start.shape, bool)

    def measure(h):
        (up2, down2), (up, down), (up_half, down_half) = ((real(line(t)), real(line(-t))) for t in (2 * h, h, h / 2))
        whole = (8 * (up - down) - (up2 - down2)) / (12 * h)
        half = (8 * (up_half - down_half) - (up - down)) / (6 * h)
        gap = np.abs(whole - half)
        rounding = 3 * u * (size + 2 * np.abs(half)) / h
        change = np.abs(up + down - 2 * start) / h  # of the slope, from one side of 0 to the other
        half_change = np.abs(up_half + down_half - 2 * start) / (h / 2)
        moves[...] |= (up2 != start) | (down2 != start) | (up != start) | (down != start)
        kinked = (change > 8 * rounding) & (np.abs(half_change - change / 2) > change / 8)  # of a smooth y it halves
        return half, gap, rounding, np.where(np.isnan(gap), np.inf, gap + rounding), half_change, kinked

    best = np.zeros(size.shape)
    error = np.full(size.shape, np.inf)
    for h in first * 4.0 ** -np.arange(10):
        slope, gap, rounding, total, *_ = measure(h)
        best = np.where(total < error, slope, best)
        error = np.minimum(total, error)
        enough = 100 * u / h * max(float(size.max(initial=0)), float(np.abs(slope).max(initial=0)))
        if gap.max(initial=0) <= enough or (rounding > error).all():  # or smaller steps have larger errors
            break
    h = 4 * first
    while h <= first * growth and (unsure := error > 1e-9 * np.maximum(np.abs(best), size / growth)).any():
        slope, _, rounding, total, change, kinked = measure(h)
        total = total + np.minimum(change, 8 * rounding)  # within so much rounding a kink may be hidden
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
    """A way to measure a derivative, with the tolerance that its error stays under.

    If it finds its own error larger, the larger one counts, up to `doubt`. So a gradient that is wrong by more than
    tolerance + doubt never passes.
    """

    name: str
    tolerance: float
    doubt: float
    derivative: Callable  # (line, growth) -> dy/dt at t = 0, and its error, both of y's shape
    slope: Callable  # (line, at, h) -> dy/dt between at − h and at + h
    radius: float  # kinks are looked for within this distance
    u: float  # the rounding unit of y where a slope subtracts, so u·|y|/h is lost; 0 where nothing is subtracted

    def noise(self, line):
        """How far rounding makes dy/dt differ at points closer than a step. It is 0 if `derivative` includes it."""
        if self.u:
            return 0.0
        return np.ptp([self.slope(line, at * self.radius / 1000, 0.0) for at in (-2.0, -1.0, 0.0, 1.0)], axis=0)

    def rounding(self, y, h):
        """How much rounding of y may change the difference of two slopes over h."""
        return 4 * self.u * np.abs(real(y)) / h


def _complex_step(line, growth):
    slope = complex_step(line)
    return slope, np.zeros(slope.shape)


def _four_point_single(line, growth):
    return four_point_adaptive(line, growth, u=2.0**-24)


def _slope_by_complex_step(line, at, h):
    return complex_step(line, at)


def _slope_by_difference(line, at, h):
    above = real(line(at + h))
    below = real(line(at - h))
    return np.where(above == below, 0.0, above - below) / (2 * h)  # 0 where an infinity stays


COMPLEX_STEP = Method("complex step", 1e-12, 0.0, _complex_step, _slope_by_complex_step, radius=1e-9, u=0.0)
FOUR_POINT = Method("4-point", 1e-8, 1e-7, four_point_adaptive, _slope_by_difference, radius=1e-6, u=2.0**-53)
# For a function that always computes in float32: u/h ≈ 2e-6 for each term.
FOUR_POINT_SINGLE = Method(
    "4-point, float32", 1e-3, 0.0, _four_point_single, _slope_by_difference, radius=1e-2, u=2.0**-24
)


def is_analytic(line, input_rounding=0.0):
    """Whether the complex step measures dy/dt of this function. A conj, an abs, an np.var or a cast inside misleads it.

    A wrong backward may be wrong in the same way: np.var of complex numbers is real, as if the variance were constant.
    So no backward is looked at here. Im y(ih)/h must be between the differences on both sides of t = 0, or within their
    error. That need not be sharp, because what misleads is a missing term.
    input_rounding: how far rounding may move the inputs, in units of t. A step h may be shorter by that much.
    """
    try:
        exact = complex_step(line)
    except NotAnalyticError:
        return False
    h = FOUR_POINT.radius / 2
    left = _slope_by_difference(line, -h, h)
    right = _slope_by_difference(line, h, h)
    steepest = max(float(np.abs(left).max(initial=0)), float(np.abs(right).max(initial=0)))
    slack = (1e-5 + 2 * input_rounding / h) * steepest + 25 * FOUR_POINT.rounding(line(0.0), h)
    inside = (exact >= np.minimum(left, right) - slack) & (exact <= np.maximum(left, right) + slack)
    return bool((inside | np.isnan(left) | np.isnan(right)).all())


def kink(method, line, scale, slope=None):
    """The slopes (left, right) of y if it has a kink at t = 0, else None.

    The slopes on both sides are taken within h and within h/2. Where y is smooth, the gap between them is of order
    h·y″ and halves with h; at a kink it stays. Gaps below 1e-5·scale or within rounding do not count.
    slope: dy/dt if the effects of the elements add up, to be compared as well. The median of three equal values has one
    slope along any line, but it is not the sum of the slopes of its elements.
    """

    def sides(h):
        left = method.slope(line, -h / 2, h / 2)
        right = method.slope(line, h / 2, h / 2)
        slopes = [left, right] if slope is None else [left, right, slope]
        return left, right, np.ptp(slopes, axis=0)

    h = method.radius
    threshold = 1e-5 * scale + (method.rounding(line(0.0), h / 4) if method.u else 0)
    *_, gap = sides(h)
    if not (gap > threshold).any():
        return None
    left, right, half_gap = sides(h / 2)
    return (left, right) if ((gap > threshold) & (half_gap > 0.75 * gap)).any() else None
