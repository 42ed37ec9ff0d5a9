"""Where there is no derivative: which gradients count as right there, and whether one of them is given.

At a kink a gradient is right if it is an average of gradients at smooth points nearby. Of several outputs it is Σ
dy_k·(an average of the gradients of y_k nearby) [Clarke 1983, §2.5, §2.6]. At a tie of maxima "the first takes all"
and "equal shares" are such averages. "All of dy to each" is none, although each element of it has a value that it may
have. So all elements in doubt are looked at together, those of all arguments.

The right gradients are a convex set S: what is spanned by corners. g lies in S unless some direction v parts them,
which is to say that ⟨g, v⟩ is greater than ⟨s, v⟩ for all s in S. v is sought by Frank and Wolfe's method: from the
point s of the corners known so far that is nearest to g, v = g − s, until no corner lies farther along v. The corner
farthest along v is measured: each output takes, of all points x + ε·p tried, the one where its slope dy_k·∂y_k/∂v is
greatest. Slopes at x itself would not do: those of |x| − 2·relu(y) along (1, 1) are −1 on both sides, torch's gradient
(0, 0) gives 0. The p are v (there a maximum is largest), −v (a minimum), v turned to where each element alone bends
upwards or downwards (sums of maxima and minima), 8 random ones with their opposites, and, before anything is called
wrong, 64 more.

Errors. A right gradient fails only where a corner is missed. A piece of y that a random p meets with probability q is
missed with (1 − q)^72: 1e-9 for q = 1/4, 5e-4 for q = 1/10. Maxima, minima and sums of them are not left to chance.
Dozens of kinks whose sums are mixed with both signs are left to chance: relus behind a convolution without a bias, of
pictures with black borders. There a right gradient may fail; inputs without such zeros show what it is worth.

A wrong gradient passes where it is nearer to S than 1e-5 of the largest slope, or where another output, whose range at
the same elements is wide, covers it (dy is random: another seed shows it), or after 60 corners: then nothing is
claimed.
"""

from dataclasses import dataclass

import numpy as np

from minires.gradcheck.checks.numeric import kink

TOLERANCE = 1e-5  # gradients at x + ε·p differ from those at x by curvature, ε·y″, and by rounding
CORNERS = 60
LOOKED_AT = 8  # of the axes whose gradient differs, where nothing shows a kink


@dataclass
class Axis:
    """A direction of one argument or of several, in the units of a Point, and the gradient along it: Σ dy·∂y/∂t."""

    along: dict  # {i: direction}
    given: float  # by backward
    measured: float  # at the point itself
    steepest: float  # the greatest |∂y/∂t| of its argument


@dataclass
class Bend:
    """An axis along which there is no derivative: the range of the slopes met, and which of them may stand there."""

    low: float
    high: float
    nearest: float  # what backward gives if all axes together may have it so, else the nearest that they may have


def kinks_of(point, method, dy, axes, lines, seed):
    """{key: Bend} of the axes {key: Axis} without a derivative; empty where y is smooth.

    lines: [(direction, dy/dt along it if the effects of its elements add up, the greatest |dy/dt| of an element)].
    """
    nearby = _Nearby(point, method, dy, axes, lines, seed)
    doubtful, sides = _in_doubt(nearby, lines)
    if not doubtful:
        return {}
    given = np.array([axes[key].given for key in doubtful])
    upwards = np.array([np.sign(np.sum(sides[key][1] - sides[key][0])) if key in sides else 0.0 for key in doubtful])
    allowed, low, high = nearby.nearest(given, doubtful, upwards)
    bends = {}
    for key, at, *ends in zip(doubtful, allowed, low, high):
        if key in sides:
            ends = np.minimum(*sides[key]).sum(), np.maximum(*sides[key]).sum()
        bends[key] = Bend(*(float(end) for end in ends), float(at))
    return bends


def _in_doubt(nearby, lines):
    """(keys of the axes without a derivative, {those with a kink of their own: dy times its slopes on both sides})"""
    point, method, axes = nearby.point, nearby.method, nearby.axes
    differing = [key for key, axis in axes.items() if abs(axis.given - axis.measured) > nearby.least(key)]
    if not any(kink(method, point.line(along), steepest, slope) for along, slope, steepest in lines) and not any(
        nearby.varies(key) for key in differing[:LOOKED_AT]
    ):
        return [], {}
    found = {key: kink(method, point.line(axis.along), axis.steepest) for key, axis in axes.items()}
    sides = {key: [nearby.dy * side for side in pair] for key, pair in found.items() if pair is not None}
    return [key for key in axes if key in sides or nearby.varies(key, thoroughly=key in differing)], sides


class _Nearby:
    """The gradients of ⟨dy, y⟩ at smooth points around a point, in its units."""

    def __init__(self, point, method, dy, axes, lines, seed):
        self.point, self.method, self.dy, self.axes = point, method, dy, axes
        self.rng = np.random.default_rng([seed, 3])
        self.pool = self.random(8)
        self.pool += [{i: -p for i, p in direction.items()} for direction in self.pool]  # which cancel for |x| at 0
        self.noise = float(self.rounding(lines).sum()) if method.u else 0.0

    def rounding(self, lines):
        """How far rounding may take dy·∂y/∂t of each output: not at all where y is a constant, such as −inf or −1e38
        in a mask. A y that stays as it is nearby, but has a slope over longer steps, may be lost in rounding."""
        y = np.asarray(self.point.evaluate(self.point.arrays))
        moves = np.any(
            [self.point.beside(p, self.method.near).line({})(0.0) != y for p in self.pool]
            + [slope != 0 for _, slope, _ in lines],
            axis=0,
        )
        return np.where(moves, np.abs(self.dy * self.method.rounding(y, self.method.near / 8)), 0.0)

    def least(self, key):
        """How far apart gradients along an axis must be to count as different."""
        return TOLERANCE * self.axes[key].steepest * np.abs(self.dy).max(initial=0)

    def random(self, count):
        return [self.point.random_direction(self.rng) for _ in range(count)]

    def slope(self, p, along, closer=1):
        """dy/dt along a direction at x + ε·p."""
        distance = self.method.near / closer
        return np.asarray(self.method.slope(self.point.beside(p, distance).line(along), 0.0, distance / 8))

    def gradient(self, p, keys, dy, closer=1):
        return np.array([np.sum(dy * self.slope(p, self.axes[key].along, closer)) for key in keys])

    def varies(self, key, thoroughly=False):
        """Whether the gradient along an axis is not the same everywhere around, and at x, where it was measured.

        As at a kink, the spread must stay half as far away: that of a curved function halves.
        """
        points = self.pool + self.random(64 * thoroughly)

        def spread(closer):
            return np.ptp([self.axes[key].measured, *(self.gradient(p, [key], self.dy, closer)[0] for p in points)])

        wide = spread(1)
        return wide > self.least(key) + self.noise and spread(2) > 0.75 * wide

    def combined(self, keys, weights):
        """The sum of the axes, each times its weight; zeros in the arguments that none of them moves."""
        total = {i: np.zeros(self.point.units[i].shape) for i in self.point.wanted}
        for key, weight in zip(keys, weights):
            for i, direction in self.axes[key].along.items():
                total[i] += weight * direction
        return total

    def embedded(self, keys, v):
        """A direction that orders the elements as v does and gives each its sign, but none a small size: as far as a
        step may go there, no kink is met. A little noise everywhere, so that it leads to no other tie."""
        total = self.combined(keys, v)
        noise = self.point.random_direction(self.rng)
        largest = max(np.abs(t).max(initial=0) for t in total.values())
        return {i: (np.sign(t) + t / largest) / 2 + 1e-3 * noise[i] for i, t in total.items()}

    def farthest(self, v, keys, points):
        """The corner farthest along v that the points show: each output takes its own."""
        along = self.combined(keys, v / np.abs(v).max())
        slopes = np.array([self.dy * self.slope(p, along) for p in points])
        best = np.argmax(np.where(np.isnan(slopes), -np.inf, slopes), axis=0)
        return sum(self.gradient(points[k], keys, self.dy * (best == k)) for k in np.unique(best))

    def nearest(self, g, keys, upwards):
        """(g itself if it may be a gradient here, else the nearest that may be; the range met along each axis)"""
        corners = np.array([self.gradient(p, keys, self.dy) for p in self.pool[::8]])
        for _ in range(CORNERS):
            s = nearest_average(corners, g)
            v = g - s
            length = np.linalg.norm(v)
            slack = max(TOLERANCE, self.method.tolerance) * max(np.abs(g).max(), np.abs(corners).max()) + self.noise
            if not length > slack:
                break
            named = [self.embedded(keys, w) for w in (v, -v, v * upwards, -v * upwards) if w.any()]
            known = (corners @ v).max()
            for points in (self.pool + named, self.random(64)):
                corner = self.farthest(v, keys, points)
                if corner @ v > known + 0.1 * slack * length:
                    break
            else:  # nothing lies farther along v
                parted = g @ v - known > slack * length
                return np.where(parted & (np.abs(v) > slack), s, g), corners.min(axis=0), corners.max(axis=0)
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
