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
upwards or downwards (sums of maxima and minima), 16 random ones, and, before anything is called wrong, 64 more.

Errors. A right gradient fails only where a corner is missed. A piece of y that a random p meets with probability q is
missed with (1 − q)^80: 1e-10 for q = 1/4, 2e-4 for q = 1/10. Maxima, minima and sums of them are not left to chance. A
wrong gradient passes where it is nearer to S than 1e-5 of the largest slope, or where another output, whose range at
the same elements is wide, covers it (dy is random: another seed shows it), or after 60 corners: then nothing is
claimed.
"""

import numpy as np

from minires.gradcheck.numeric import kink
from minires.gradcheck.report import Kink

TOLERANCE = 1e-5  # gradients at x + ε·p differ from those at x by curvature, ε·y″, and by rounding
CORNERS = 60


def kinks_of(point, method, dy, gradients, slopes, seed):
    """{argument: [Kink]} of the elements without a derivative; empty where y is smooth.

    gradients: {argument: dx as backward gives it}; slopes: {argument: Slopes}.
    """
    rng = np.random.default_rng([seed, 3])
    kinks = {i: [] for i in point.wanted}
    if not any(_bends(point, method, slopes, [i]) for i in point.wanted) and not (
            len(point.wanted) > 1 and _bends(point, method, slopes, point.wanted)):
        return kinks
    elements = [(i, j) for i in point.wanted for j in np.ndindex(point.units[i].shape)]
    found = {(i, j): kink(method, point.element(i, j), slopes[i].steepest) for i, j in elements}
    sides = {e: [dy * side for side in pair] for e, pair in found.items() if pair is not None}
    nearby = _Nearby(point, method, dy, rng)
    doubtful = [e for e in elements if e in sides or nearby.varies(e, slopes[e[0]].steepest)]
    if not doubtful:
        return kinks
    units = np.array([point.units[i][j] for i, j in doubtful])
    given = np.array([gradients[i][j] for i, j in doubtful]) * units
    upwards = np.array([np.sign(np.sum(sides[e][1] - sides[e][0])) if e in sides else 0.0 for e in doubtful])
    allowed, low, high = nearby.nearest(given, doubtful, upwards)
    for e, unit, at, least, most in zip(doubtful, units, allowed, low, high):
        i, j = e
        if e in sides:
            least, most = np.minimum(*sides[e]).sum(), np.maximum(*sides[e]).sum()
        kinks[i].append(Kink(j, float(least / unit), float(most / unit), float(gradients[i][j]), float(at / unit)))
    return kinks


def _bends(point, method, slopes, moving):
    line = point.line({i: slopes[i].along for i in moving})
    scale = max(slopes[i].steepest for i in moving)
    return kink(method, line, scale, sum(slopes[i].slope for i in moving)) is not None


class _Nearby:
    """The gradients of ⟨dy, y⟩ at smooth points around a point, in its units."""

    def __init__(self, point, method, dy, rng):
        self.point, self.method, self.dy, self.rng = point, method, dy, rng
        self.pool = self.some(16)

    def some(self, count):
        """Random directions, each with its opposite: their gradients cancel where |x| is 0."""
        drawn = [self.point.random_direction(self.rng) for _ in range(count // 2)]
        return drawn + [{i: -p for i, p in direction.items()} for direction in drawn]

    def slope(self, p, line_of):
        """dy/dt at x + ε·p along the line that line_of makes there."""
        beside = self.point.beside(p, self.method.near)
        return np.asarray(self.method.slope(line_of(beside), 0.0, self.method.near / 8))

    def gradient(self, p, elements, dy):
        return np.array([np.sum(dy * self.slope(p, lambda at, e=e: at.element(*e))) for e in elements])

    def varies(self, element, steepest):
        """Whether the slope of an element is not the same everywhere around."""
        slopes = [self.slope(p, lambda at: at.element(*element)) for p in self.pool]
        return np.ptp(slopes, axis=0).max(initial=0) > TOLERANCE * steepest

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
        y = self.point.evaluate(self.point.arrays)
        noise = np.abs(self.dy * self.method.rounding(y, self.method.near / 8)).sum()
        for _ in range(CORNERS):
            s = nearest_average(corners, g)
            v = g - s
            length = np.linalg.norm(v)
            slack = max(TOLERANCE, self.method.tolerance) * max(np.abs(g).max(), np.abs(corners).max()) + noise
            if not length > slack:
                break
            named = [self.embedded(elements, w) for w in (v, -v, v * upwards, -v * upwards) if w.any()]
            known = (corners @ v).max()
            for points in (self.pool + named, self.some(64)):
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
