"""Where y itself jumps, as floor does at an integer: there is no derivative, and no subgradient either.

y is taken along a line at t = 0, at ±h/2·8⁻ᵏ for k = 0 … 4, and at ±4h. Kinks are looked for within h (numeric.py), so
a jump that could look like a kink is between two of these points. Let c be the changes of y from each point to the
next. A jump of size J makes one change of J, however close its two points are. If the jump is at t = 0, the changes on
both sides of 0 make J together, as for the sign of x.

Errors. Let the slopes of y be at most L otherwise. Then the other changes add up to at most 8·L·h. If y does not jump,
no change within ±h/2 is more than 7/16·L·h. With a slope of L on one side and 0 on the other, the other changes add up
to 57/16·L·h: eight times as much. For √t on one side it is three times as much. So y jumps where the largest change is
more than the sum of the others, and more than the rounding of y. Jumps below 8·L·h look like slopes or kinks to this
test. In float64 that is 8e-6 of the change of y when x changes by its own size.

Rounding changes each y by u times the largest value in its computation: |y|, the largest x, or a constant such as the 1
in log(1 + x). The last two enter y by its slope, taken from the points ±h·max(1, the largest |x|). So 64·u·(|y| +
slope·max(1, the largest |x|)) is allowed. Rounding goes up and down, so it adds to the other changes as well. If it
makes one step only, the step moves when the points do: a second set of points (5⁻ᵏ) must show the jump, too.

A ramp between two of the points looks like a jump. At t = 0 the complex step measures its slope, and a change that this
slope explains is no jump. Poles count as jumps; infinities and NaN do not, because they fail anyway.
"""

import numpy as np

from minires.gradcheck.checks.numeric import FOUR_POINT, real
from minires.gradcheck.checks.report import Jump

DOUBLE = 2.0**-53
ROUNDINGS = 64


def jumps_of(point, method, lines, axes, names):
    """(the Jumps of y at a point, the keys of the axes along which it jumps).

    lines: [along], of many elements each. The axes {key: along} are looked at only if y jumps along one of the lines.
    names: {key: (argument, index)}. A jump that no axis shows alone is given once, without an argument.
    """
    met = next((found for along in lines if (found := jump(point, method, along))), None)
    if met is None:
        return [], set()
    alone = {key: found for key, along in axes.items() if (found := jump(point, method, along))}
    return [Jump(*names[key], *found) for key, found in alone.items()] or [Jump("", (), *met)], set(alone)


def upwards(along):
    """The direction of the same steps, all upwards: along it the maximum and the minimum of several elements jump."""
    return {i: np.abs(direction) for i, direction in along.items()}


def jump(point, method, along):
    """(index in y, y just before, at and just after) for the largest jump of y along a line, or None."""
    line = point.line(along)
    h = method.radius
    start = real(line(0.0))
    if not start.size:
        return None
    before, after, found = _largest_change(line, start, h, 8.0)
    if not (found > _rounding(point, method, along, start)).any():
        return None
    explained = 2 * np.abs(method.slope(line, 0.0, h)) * h / 8192
    found = np.minimum(found, _largest_change(line, start, h, 5.0)[2])
    size = np.where(found > _rounding(point, method, along, start) + explained, found, 0.0)
    at = tuple(int(k) for k in np.unravel_index(np.argmax(size), size.shape))
    return (at, float(before[at]), float(start[at]), float(after[at])) if size[at] else None


def _largest_change(line, start, h, ratio):
    """(y at −h/2, y at h/2, by how much the largest change of y between two points exceeds the sum of the others)."""
    inner = h / 2 * ratio ** -np.arange(5)
    points = np.concatenate([[max(4 * h, 4 * FOUR_POINT.radius)], inner])
    below, above = ([real(line(side * t)) for t in points] for side in (-1.0, 1.0))
    changes = np.abs(np.diff(np.array([*below, start, *above[::-1]]), axis=0))
    inside = changes[1:-1]
    middle = len(inside) // 2
    largest = np.maximum(inside.max(axis=0), inside[middle - 1] + inside[middle])
    excess = 2 * largest - changes.sum(axis=0)
    return below[1], above[1], np.where(np.isfinite(excess), excess, 0.0)


def _rounding(point, method, along, start):
    line = point.line({i: v * (max(point.largest_unit[i], 1.0) / point.units[i]) for i, v in along.items()})
    h = method.radius
    slope = np.abs(real(line(h)) - real(line(-h))) / (2 * h)
    return ROUNDINGS * max(method.u, DOUBLE) * (np.abs(start) + np.where(np.isfinite(slope), slope, 0.0))
