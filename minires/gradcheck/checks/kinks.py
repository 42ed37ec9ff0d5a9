"""Where there is no derivative: which gradients are right there, and whether one of them is given.

At a kink a gradient is right if it is an average of gradients at smooth points nearby. For several outputs it is
Σ dy_k·(an average of the gradients of y_k nearby) [Clarke 1983, §2.5, §2.6]. At a tie of maxima, "the first takes all"
and "equal parts" are such averages. "All of dy to each" is not, although each element of it is right alone. So all
elements in doubt, of all arguments, are looked at together.

The right gradients are a convex set S, spanned by its corners. A gradient g is outside S if and only if some direction
v separates them: ⟨g, v⟩ > ⟨s, v⟩ for all s in S. Frank and Wolfe's method finds v. s is the point nearest to g among
the averages of the known corners, and v = g − s. The corner of S that is farthest along v is measured and added, until
no corner is farther than the known ones. To measure it, points x + ε·p are tried. Each output takes the one where its
slope dy_k·∂y_k/∂v is largest. Slopes at x itself would be wrong: those of |x| − 2·relu(y) along (1, 1) are −1 on both
sides, but torch's gradient (0, 0) gives 0. The directions p are:
  v, where a maximum is largest, and −v, where a minimum is;
  v with the signs with which each element's slope grows, and its opposite, for sums of maxima and minima;
  8 random ones with their opposites;
  before anything is called wrong, 64 more random ones.

Errors. A right gradient fails only if a corner is missed. A piece of y that a random p meets with probability q is
missed with probability (1 − q)^72, at most: 1e-9 for q = 1/4, 5e-4 for q = 1/10. Maxima, minima and sums of them do not
depend on chance. Dozens of kinks whose sums are mixed with both signs do: for instance relus behind a convolution
without a bias, of images with black borders. There a right gradient may fail; check it at inputs without such zeros.

A wrong gradient passes if it is nearer to S than 1e-5 of the largest slope. It passes if another output, with a wide
range at the same elements, covers it; dy is random, so another seed shows it. And it passes after 60 corners: then
nothing is claimed.
"""

from dataclasses import dataclass

import numpy as np

from minires.gradcheck.checks.numeric import kink

TOLERANCE = 1e-5  # gradients at x + ε·p differ from those at x by curvature, ε·y″, and by rounding
CORNERS = 60
LOOKED_AT = 8  # axes with another gradient than measured that are looked at if no line shows a kink


@dataclass
class Axis:
    """A direction of one argument or of several, in the units of a Point, and the gradient along it: Σ dy·∂y/∂t."""

    along: dict  # {i: direction}
    given: float  # by backward
    measured: float  # at the point itself
    steepest: float  # the largest |∂y/∂t| of its argument


@dataclass
class Subgradients:
    """What is right along an axis without a derivative: the range of the slopes nearby, and the nearest right one.

    nearest: what backward gives, if all axes together may have that; else the nearest that they may have.
    """

    low: float
    high: float
    nearest: float


def kinks_of(point, method, dy, axes, lines, seed):
    """{key: Subgradients} of the axes {key: Axis} without a derivative; empty where y is smooth.

    lines: [(direction, dy/dt along it if the effects of its elements add up, the largest |dy/dt| of an element)].
    """
    nearby = _Nearby(point, method, dy, axes, lines, seed)
    doubtful, sides = _in_doubt(nearby, lines)
    if not doubtful:
        return {}
    given = np.array([axes[key].given for key in doubtful])
    signs = np.array([np.sign(np.sum(sides[key][1] - sides[key][0])) if key in sides else 0.0 for key in doubtful])
    allowed, low, high = nearby.nearest(given, doubtful, signs)
    found = {}
    for key, right, *ends in zip(doubtful, allowed, low, high):
        if key in sides:
            ends = np.minimum(*sides[key]).sum(), np.maximum(*sides[key]).sum()
        found[key] = Subgradients(*(float(end) for end in ends), float(right))
    return found


def _in_doubt(nearby, lines):
    """(keys of the axes without a derivative, {those with a kink of their own: dy times its slopes on both sides})."""
    point, method, axes = nearby.point, nearby.method, nearby.axes
    differing = [key for key, axis in axes.items() if abs(axis.given - axis.measured) > nearby.threshold(key)]
    if not any(kink(method, point.line(along), steepest, slope) for along, slope, steepest in lines) and not any(
        nearby.varies(key) for key in differing[:LOOKED_AT]
    ):
        return [], {}
    found = {key: kink(method, point.line(axis.along), axis.steepest) for key, axis in axes.items()}
    sides = {key: [nearby.dy * side for side in pair] for key, pair in found.items() if pair is not None}
    return [key for key in axes if key in sides or nearby.varies(key, thoroughly=key in differing)], sides


class _Nearby:
    """The gradients of ⟨dy, y⟩ at smooth points around a point, in its units. A point x + ε·p is given by p."""

    def __init__(self, point, method, dy, axes, lines, seed):
        self.point, self.method, self.dy, self.axes = point, method, dy, axes
        self.rng = np.random.default_rng([seed, 3])
        self.points = self.random(8)
        self.points += [{i: -p for i, p in direction.items()} for direction in self.points]  # |x| cancels at 0
        self.noise = float(self.rounding(lines).sum()) if method.u else 0.0

    def rounding(self, lines):
        """How much rounding may change dy·∂y/∂t of each output.

        It is 0 where y is a constant, such as −inf or −1e38 in a mask. A y that does not change nearby, but has a slope
        over longer steps, is no constant: its change may be lost in rounding.
        """
        y = np.asarray(self.point.evaluate(self.point.arrays))
        moves = np.any(
            [self.point.moved(p, self.method.radius).line({})(0.0) != y for p in self.points]
            + [slope != 0 for _, slope, _ in lines],
            axis=0,
        )
        return np.where(moves, np.abs(self.dy * self.method.rounding(y, self.method.radius / 8)), 0.0)

    def threshold(self, key):
        """Gradients along an axis that differ by more than this are different."""
        return TOLERANCE * self.axes[key].steepest * np.abs(self.dy).max(initial=0)

    def random(self, count):
        return [self.point.random_direction(self.rng) for _ in range(count)]

    def slope(self, p, along, closer=1):
        """dy/dt along a direction at x + ε·p, with ε divided by `closer`."""
        distance = self.method.radius / closer
        return np.asarray(self.method.slope(self.point.moved(p, distance).line(along), 0.0, distance / 8))

    def gradient(self, p, keys, dy, closer=1):
        return np.array([np.sum(dy * self.slope(p, self.axes[key].along, closer)) for key in keys])

    def varies(self, key, thoroughly=False):
        """Whether the gradient along an axis differs between the points nearby and x itself.

        At a kink the spread stays at half the distance. For a curved function it halves.
        """
        points = self.points + self.random(64 * thoroughly)

        def spread(closer):
            return np.ptp([self.axes[key].measured, *(self.gradient(p, [key], self.dy, closer)[0] for p in points)])

        found = spread(1)
        return found > self.threshold(key) + self.noise and spread(2) > 0.75 * found

    def combined(self, keys, weights):
        """The sum of the axes, each times its weight; zeros in the arguments that none of them moves."""
        total = {i: np.zeros(self.point.units[i].shape) for i in self.point.wanted}
        for key, weight in zip(keys, weights):
            for i, direction in self.axes[key].along.items():
                total[i] += weight * direction
        return total

    def away_from_ties(self, keys, v):
        """A direction with the signs and the order of the elements of v, in which none of them is small.

        So a long step along it meets no kink. A little noise everywhere keeps it from another tie.
        """
        total = self.combined(keys, v)
        noise = self.point.random_direction(self.rng)
        largest = max(np.abs(t).max(initial=0) for t in total.values())
        return {i: (np.sign(t) + t / largest) / 2 + 1e-3 * noise[i] for i, t in total.items()}

    def farthest(self, v, keys, points):
        """The corner farthest along v that the points show: each output takes its own point."""
        along = self.combined(keys, v / np.abs(v).max())
        slopes = np.array([self.dy * self.slope(p, along) for p in points])
        best = np.argmax(np.where(np.isnan(slopes), -np.inf, slopes), axis=0)
        return sum(self.gradient(points[k], keys, self.dy * (best == k)) for k in np.unique(best))

    def nearest(self, g, keys, signs):
        """(g if it may be the gradient here, else the nearest one that may be; the range met along each axis).

        signs: 1 where the slope of an element grows at its kink, −1 where it falls, 0 if it has none of its own.
        """
        corners = np.array([self.gradient(p, keys, self.dy) for p in self.points[::8]])
        for _ in range(CORNERS):
            largest = max(np.abs(g).max(), np.abs(corners).max()) or 1.0
            unit = 2.0 ** (np.frexp(largest)[1] - 1)  # the square of a number above 1e154 would overflow; this is exact
            s = nearest_average(corners / unit, g / unit) * unit
            v = (g - s) / unit
            length = np.linalg.norm(v)
            slack = (max(TOLERANCE, self.method.tolerance) * largest + self.noise) / unit
            if not length > slack:
                break
            toward = [self.away_from_ties(keys, w) for w in (v, -v, v * signs, -v * signs) if w.any()]
            known = (corners / unit @ v).max()
            for points in (self.points + toward, self.random(64)):
                corner = self.farthest(v, keys, points)
                if corner / unit @ v > known + 0.1 * slack * length:
                    break
            else:  # no corner is farther along v
                separated = g / unit @ v - known > slack * length
                return np.where(separated & (np.abs(v) > slack), s, g), corners.min(axis=0), corners.max(axis=0)
            corners = np.vstack([corners, corner])
        return g, corners.min(axis=0), corners.max(axis=0)


def nearest_average(corners, g, steps=2000):
    """The point nearest to g among the averages of the corners, by Frank and Wolfe's pairwise steps.

    A step moves weight from the corner least along g − s to the one farthest along it, as far as that comes nearer.
    """
    weights = np.zeros(len(corners))
    weights[np.argmin(((corners - g) ** 2).sum(axis=1))] = 1.0
    for _ in range(steps):
        s = weights @ corners
        along = corners @ (g - s)
        to = np.argmax(along)
        off = np.argmin(np.where(weights > 0, along, np.inf))
        step = corners[to] - corners[off]
        gain, length = along[to] - along[off], step @ step
        if not gain > 1e-14 * length:
            break
        moved = min(weights[off], gain / length)
        weights[to] += moved
        weights[off] -= moved
    return weights @ corners
