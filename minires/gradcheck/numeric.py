"""Derivatives measured by evaluating a function, sharing no code with any backward.

All work on a line: line(t) is y with the inputs moved by t along one direction, of one element or of many, and its
derivative dy/dt at t = 0 has y's shape. Errors, for a function of scale 1 and rounding unit u = 1.1e-16:
    complex step, h = 1e-20:  Im y(ih)/h = y' + O(h²): nothing is subtracted, so only rounding, ~u, is left
                              [Squire & Trapp 1998]; needs an analytic function;
    two points:               (y(h) − y(−h))/2h = y' + h²·y‴/6 + O(u/h): at best u^(2/3) ≈ 1e-11, near h = 1e-5;
    four points:              (8(y(h) − y(−h)) − (y(2h) − y(−2h)))/12h = y' − h⁴·y⁽⁵⁾/30 + O(u/h): at best
                              u^(4/5) ≈ 1e-13, near h = u^(1/5) ≈ 1e-3; needs four derivatives within 2h.
"""

import warnings
from dataclasses import dataclass

import numpy as np

STEP_COMPLEX = 1e-20


class NotAnalytic(Exception):
    """The function takes no complex numbers, or drops their imaginary part."""


def line(evaluate, arrays, i, along):
    """t -> evaluate(arrays with arrays[i] moved by t·along); along is a direction of its shape, or one index."""
    def moved(t):
        at = list(arrays)
        if isinstance(t, complex):  # all of them, for `real += complex` is an error
            at = [a.astype(complex) if a.dtype.kind == "f" else a for a in arrays]
        x = at[i] = at[i].copy(order="K")
        if isinstance(along, tuple):
            x[along] += t
        else:
            x += t * along
        return np.asarray(evaluate(at))
    return moved


def complex_step(line, at=0.0, h=STEP_COMPLEX):
    """dy/dt at t = at. Raises NotAnalytic where that is no derivative."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = line(complex(at, h))
        except Exception as error:  # it took real numbers, so whatever it says, complex ones are what it minds
            raise NotAnalytic(str(error)) from error
    if y.dtype.kind != "c":
        raise NotAnalytic("the result is real")
    return y.imag / h


def two_point(line, h):
    """dy/dt at t = 0."""
    return (_real(line(h)) - _real(line(-h))) / (2 * h)


def four_point(line, h):
    """dy/dt at t = 0."""
    near, far = _real(line(h)) - _real(line(-h)), _real(line(2 * h)) - _real(line(-2 * h))
    return (8 * near - far) / (12 * h)


def four_point_adaptive(line, u=2.0**-53):
    """dy/dt at t = 0 by four points with a step fitting the function, and the error of it, both of y's shape.

    It begins at u^(1/5), u the rounding unit that y is computed in, where an ordinary function has its least error. If
    half the step gives another result, a kink, a pole or a fast change is near: steps of a quarter each are tried, and
    the one that agrees best with its half is taken. Its error is what is left of their gap, and rounding, 3·u·|y|/h:
    in a deep network, with kinks 1e-5 away, some 1e-8.
    """
    h, size = u**0.2, np.abs(_real(line(0.0)))
    best, gap, rounding = None, np.inf, None
    for _ in range(10):
        whole, half = four_point(line, h), four_point(line, h / 2)
        change = np.abs(whole - half)
        if best is None or change.max(initial=0) < gap.max(initial=0):
            best, gap, rounding = half, change, 3 * u * size / h
        if gap.max(initial=0) <= 100 * u / h * max(1.0, float(np.abs(half).max(initial=0))):
            break
        h /= 4
    return best, gap + rounding


def _real(y):
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
    derivative: callable  # line -> dy/dt at t = 0, and its own error, each of y's shape
    sides: callable  # (line, h) -> the slopes dy/dt on the left and on the right of t = 0
    near: float  # a kink is looked for this near


def _sides_complex(line, h):
    return complex_step(line, -h), complex_step(line, h)


def _sides_by_difference(line, h):
    left, middle, right = _real(line(-h)), _real(line(0.0)), _real(line(h))
    return (middle - left) / h, (right - middle) / h


def _complex_step(line):
    slope = complex_step(line)
    return slope, np.zeros(slope.shape)


def _four_point_single(line):
    return four_point_adaptive(line, u=2.0**-24)


COMPLEX_STEP = Method("complex step", 1e-12, 0.0, _complex_step, _sides_complex, near=1e-9)
FOUR_POINT = Method("4-point", 1e-8, 1e-7, four_point_adaptive, _sides_by_difference, near=1e-6)
# For a function that computes in float32 whatever it is given: u/h ≈ 2e-6 a term.
FOUR_POINT_SINGLE = Method("4-point, float32", 1e-3, 0.0, _four_point_single, _sides_by_difference, near=1e-2)


def is_analytic(line):
    """Whether the complex step measures dy/dt of this function: a conj, an abs, an np.var or a cast inside misleads it.

    A wrong backward may err in the same way (np.var of complex numbers is real, as if the variance were constant), so
    this is asked before any backward is looked at: Im y(ih)/h must lie between the differences on both sides of t = 0,
    or at them within their own error. That need not be sharp, for what misleads is a term that is missing.
    """
    try:
        exact = complex_step(line)
    except NotAnalytic:
        return False
    left, right = _sides_by_difference(line, 1e-6)
    slack = 1e-5 * max(float(np.abs(left).max(initial=0)), float(np.abs(right).max(initial=0)), 1e-3)
    inside = (exact >= np.minimum(left, right) - slack) & (exact <= np.maximum(left, right) + slack)
    return bool((inside | np.isnan(left) | np.isnan(right)).all())


def kink(method, line, scale):
    """The slopes (left, right) of y if it has a kink at t = 0, else None.

    The slopes are taken at h and at h/2 on both sides: where y is smooth the gap between them is h·y″ and halves with
    h, at a kink it stays. Gaps below 1e-5·scale count as none.
    """
    left, right = method.sides(line, method.near)
    gap = np.abs(right - left).max(initial=0)
    if not gap > 1e-5 * scale:
        return None
    left, right = method.sides(line, method.near / 2)
    return (left, right) if np.abs(right - left).max(initial=0) > 0.75 * gap else None
