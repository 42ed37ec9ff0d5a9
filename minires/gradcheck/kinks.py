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
missed with (1 − q)^72: 1e-9 for q = 1/4, 5e-4 for q = 1/10. Maxima, minima and sums of them are not left to chance. A
wrong gradient passes where it is nearer to S than 1e-5 of the largest slope, or where another output, whose range at
the same elements is wide, covers it (dy is random: another seed shows it), or after 60 corners: then nothing is
claimed.
"""

import numpy as np

from minires.gradcheck.numeric import kink
from minires.gradcheck.report import Kink

TOLERANCE = 1e-5  # gradients at x + ε·p differ from those at x by curvature, ε·y″, and by rounding
CORNERS = 60
LOOKED_AT = 8  # of the elements whose gradient differs, where nothing shows a kink


def kinks_of(point, method, dy, gradients, slopes, seed):
    """{argument: [Kink]} of the elements without a derivative; empty where y is smooth.

    gradients: {argument: dx as backward gives it}; slopes: {argument: Slopes}.
    """
    kinks, nearby = {i: [] for i in point.wanted}, _Nearby(point, method, dy, slopes, seed)
    doubtful, sides = _in_doubt(nearby, gradients)
    if not doubtful:
        return kinks
    units = np.array([point.units[i][j] for i, j in doubtful])
    given = np.array([gradients[i][j] for i, j in doubtful]) * units
    upwards = np.array([np.sign(np.sum(sides[e][1] - sides[e][0])) if e in sides else 0.0 for e in doubtful])
    allowed, low, high = nearby.nearest(given, doubtful, upwards)
    for (i, j), unit, at, *ends in zip(doubtful, units, allowed, low, high):
        if (i, j) in sides:
            ends = np.minimum(*sides[i, j]).sum(), np.maximum(*sides[i, j]).sum()
        kinks[i].append(Kink(j, *(float(end / unit) for end in ends), float(gradients[i][j]), float(at / unit)))
    return kinks


def _in_doubt(nearby, gradients):
    """(elements without a derivative, {those with a kink of their own: dy times its slopes on both sides})"""
    point, method, slopes = nearby.point, nearby.method, nearby.slopes
    differing = {(i, j) for i, j in nearby.measured
                 if abs(gradients[i][j] * point.units[i][j] - nearby.measured[i, j]) > nearby.least[i]}
    together = [[i] for i in point.wanted] + [point.wanted] * (len(point.wanted) > 1)
    if not any(_bends(point, method, slopes, moving) for moving in together) and not any(
            nearby.varies(e) for e in sorted(differing)[:LOOKED_AT]):
        return [], {}
    found = {(i, j): kink(method, point.element(i, j), slopes[i].steepest) for i, j in nearby.measured}
    sides = {e: [nearby.dy * side for side in pair] for e, pair in found.items() if pair is not None}
    return [e for e in found if e in sides or nearby.varies(e, thoroughly=e in differing)], sides


def _bends(point, method, slopes, moving):
    line = point.line({i: slopes[i].along for i in moving})
    scale = max(slopes[i].steepest for i in moving)
    return kink(method, line, scale, sum(slopes[i].slope for i in moving)) is not None


class _Nearby:
    """The gradients of ⟨dy, y⟩ at smooth points around a point, in its units."""

    def __init__(self, point, method, dy, slopes, seed):
        self.point, self.method, self.dy, self.slopes = point, method, dy, slopes
        self.rng = np.random.default_rng([seed, 3])
        self.pool = self.random(8)
        self.pool += [{i: -p for i, p in direction.items()} for direction in self.pool]  # which cancel for |x| at 0
        y = point.evaluate(point.arrays) if method.u else 0.0
        self.noise = float(np.abs(dy * method.rounding(y, method.near / 8)).sum())
        self.measured = {(i, j): slopes[i].measured[j] * point.units[i][j]
                         for i in point.wanted for j in np.ndindex(point.units[i].shape)}
        self.least = {i: TOLERANCE * slopes[i].steepest * np.abs(dy).max(initial=0) for i in point.wanted}

    def random(self, count):
        return [self.point.random_direction(self.rng) for _ in range(count)]

    def slope(self, p, line_of, closer=1):
        """dy/dt at x + ε·p along the line that line_of makes there."""
        distance = self.method.near / closer
        return np.asarray(self.method.slope(line_of(self.point.beside(p, distance)), 0.0, distance / 8))

    def gradient(self, p, elements, dy, closer=1):
        return np.array([np.sum(dy * self.slope(p, lambda at, e=e: at.element(*e), closer)) for e in elements])

    def varies(self, element, thoroughly=False):
        """Whether the gradient by an element is not the same everywhere around, and at x, where it was measured.

        As at a kink, the spread must stay half as far away: that of a curved function halves.
        """
        points = self.pool + self.random(64 * thoroughly)

        def spread(closer):
            return np.ptp([self.measured[element], *(self.gradient(p, [element], self.dy, closer)[0] for p in points)])
        wide = spread(1)
        return wide > self.least[element[0]] + self.noise and spread(2) > 0.75 * wide

    def embedded(self, elements, v):
        """A direction that orders the elements as v does and gives each its sign, but none a small size: as far as a
        step may go there, no kink is met. A little noise everywhere, so that it leads to no other tie."""
        p, w = self.point.random_direction(self.rng), v / np.abs(v).max()
        for noise in p.values():
            noise *= 1e-3
        for (i, j), value in zip(elements, (np.sign(w) + w) / 2):
            p[i][j] += value
        return p

    def farthest(self, v, elements, points):
        """The corner farthest along v that the points show: each output takes its own."""
        along = {i: np.zeros(self.point.units[i].shape) for i in self.point.wanted}
        for (i, j), value in zip(elements, v / np.abs(v).max()):
            along[i][j] = value
        slopes = np.array([self.dy * self.slope(p, lambda at: at.line(along)) for p in points])
        best = np.argmax(np.where(np.isnan(slopes), -np.inf, slopes), axis=0)
        return sum(self.gradient(points[k], elements, self.dy * (best == k)) for k in np.unique(best))

    def nearest(self, g, elements, upwards):
        """(g itself if it may be a gradient here, else the nearest that may be; the range met of each element)"""
        corners = np.array([self.gradient(p, elements, self.dy) for p in self.pool[::8]])
        for _ in range(CORNERS):
            s = nearest_average(corners, g)
            v = g - s
            length = np.linalg.norm(v)
            slack = max(TOLERANCE, self.method.tolerance) * max(np.abs(g).max(), np.abs(corners).max()) + self.noise
            if not length > slack:
                break
            named = [self.embedded(elements, w) for w in (v, -v, v * upwards, -v * upwards) if w.any()]
            known = (corners @ v).max()
            for points in (self.pool + named, self.random(64)):
                corner = self.farthest(v, elements, points)
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
        to, off = np.argmax(along), np.argmin(np.where(weights > 0, along, np.inf))
        step = corners[to] - corners[off]
        gain, length = along[to] - along[off], step @ step
        if not gain > 1e-14 * length:
            break
        moved = min(weights[off], gain / length)
        weights[to] += moved
        weights[off] -= moved
    return weights @ corners
