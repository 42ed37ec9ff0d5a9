"""Where y itself jumps, as floor does at an integer: there is no derivative, and no subgradient either.

y is taken along a line at t = 0, at ±h/2·8⁻ᵏ for k = 0 … 4, and at ±4h. h is where kinks are looked for (numeric.py),
so a jump that could be taken for a kink lies between two of these points. c are the changes of y from each point to the
next. For a jump of the size J one change is J, however close its two points lie. If the jump is at t = 0, the changes
on both sides of 0 make J together, as for the sign of x.

Errors. Let y have slopes of at most L besides. Then the rest of the changes is at most 8·L·h. If y does not jump, no
change within ±h/2 is more than 7/16·L·h. With a slope of L on one side, and none on the other, the rest is 57/16·L·h:
eight times as much. For √t on one side it is three times as much. So y jumps where the greatest change is more than the
rest, and than the rounding of y. Jumps below 8·L·h are slopes or kinks to this test. In float64 that is 8e-6 of what y
would change if x changed by its own size.

Rounding moves every value of y by u times the greatest number that it is made of: |y|, the greatest x, a constant such
as the 1 in log(1 + x). The last two come into y by its slope. It is taken from the points ±h·max(1, the greatest |x|).
64·u·(|y| + slope·max(1, the greatest |x|)) is allowed. Rounding goes up and down, so it adds to the rest as well. Where
it makes one step only, the step moves when the points do: a second set of them (5⁻ᵏ) must show the jump, too.

A ramp between two of the points looks like a jump. At t = 0 its slope tells, which the complex step measures: what it
explains is no jump. Poles jump; infinities and NaN do not, for they fail as they are.
"""

import numpy as np

from minires.gradcheck.checks.numeric import FOUR_POINT, real
from minires.gradcheck.checks.report import Jump

DOUBLE = 2.0**-53
ROUNDINGS = 64


def jumps_of(point, method, lines, axes, names):
    """(the Jumps of y at a point, the keys of the axes along which it jumps).

    lines: [along], of many elements each; only if y jumps along one of them the axes {key: along} are looked at.
    names: {key: (argument, index)}. A jump that no axis shows alone is given once, without an argument.
    """
    met = next((found for along in lines if (found := jump(point, method, along))), None)
    if met is None:
        return [], set()
    alone = {key: found for key, along in axes.items() if (found := jump(point, method, along))}
    return [Jump(*names[key], *found) for key, found in alone.items()] or [Jump("", (), *met)], set(alone)


def upwards(along):
    """The direction of the same steps, all upwards: along it the greatest and the least of several elements jump."""
    return {i: np.abs(direction) for i, direction in along.items()}


def jump(point, method, along):
    """(place in y, y just before, at and just after) for the greatest jump of y along a line, or None."""
    line = point.line(along)
    h = method.near
    start = real(line(0.0))
    if not start.size:
        return None
    before, after, found = _greatest_change(line, start, h, 8.0)
    if not (found > _rounding(point, method, along, start)).any():
        return None
    steep = 2 * np.abs(method.slope(line, 0.0, h)) * h / 8192
    found = np.minimum(found, _greatest_change(line, start, h, 5.0)[2])
    size = np.where(found > _rounding(point, method, along, start) + steep, found, 0.0)
    at = tuple(int(k) for k in np.unravel_index(np.argmax(size), size.shape))
    return (at, float(before[at]), float(start[at]), float(after[at])) if size[at] else None


def _greatest_change(line, start, h, ratio):
    """(y at −h/2, y at h/2, by how much the greatest change of y between two points exceeds all others together)"""
    inner = h / 2 * ratio ** -np.arange(5)
    points = np.concatenate([[max(4 * h, 4 * FOUR_POINT.near)], inner])
    below, above = ([real(line(side * t)) for t in points] for side in (-1.0, 1.0))
    changes = np.abs(np.diff(np.array([*below, start, *above[::-1]]), axis=0))
    inside = changes[1:-1]
    middle = len(inside) // 2
    greatest = np.maximum(inside.max(axis=0), inside[middle - 1] + inside[middle])
    excess = 2 * greatest - changes.sum(axis=0)
    return below[1], above[1], np.where(np.isfinite(excess), excess, 0.0)


def _rounding(point, method, along, start):
    wide = point.line({i: v * (max(point.reach[i], 1.0) / point.units[i]) for i, v in along.items()})
    h = method.near
    slope = np.abs(real(wide(h)) - real(wide(-h))) / (2 * h)
    return ROUNDINGS * max(method.u, DOUBLE) * (np.abs(start) + np.where(np.isfinite(slope), slope, 0.0))
