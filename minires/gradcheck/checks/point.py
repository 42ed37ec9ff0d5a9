"""Where a function is differentiated, and how far each of its inputs is moved there.

Each element moves in a unit of its own, the power of two at or below |x|. So a step of 1e-6 is a relative one, neither
lost in the rounding of 1e12 nor a leap for 1e-12. By powers of two, x ± h is seldom rounded.
An element that is 0 moves in the unit of the greatest of its array; an array of zeros in that of the greatest of all.

sin has waves of a length of 6 whatever x is, and floor has steps of 1. At 1e8 a relative step spans many of them. There
an element moves in the function's own unit (Point.fit). y is taken at 33 points of a width W around x, W
being at most the longest of all steps. What is smooth on the scale of W has fourth differences below 1e-6 of the range
of y. One kink or jump makes up to five that are larger. The greatest W that shows no more, as all below it do, is the
function's. Widths below 2⁻¹⁰ are not tried. There stairs begin that the rounding of a constant in y makes, such as the
1e9 in (x + 1e9) − 1e9.

Errors. Rounding moves each y by u(|y| + |x·dy/dx|), a fourth difference by 16 times that, and 8 times as much is
allowed. So jumps of 1 are seen up to 1e11; beyond, floor is x to this test. The new unit is W, or 2⁻¹³ of the old one
if that is more: there the rounding of x takes less than 1e-5 of a slope over h/8, h being 1e-6 units. If h is then too
long for W, as it is for sin from 1e10 on, floats lie too far apart to follow the function (`coarse`).
"""

import numpy as np

NEAR = 1e-6  # how near kinks and jumps are looked for by differences, in units
WIDEST = 4 * NEAR  # they are not looked at farther away than this
LONGEST = 2.0**-9  # the steps of four points begin here
NARROWEST = 2.0**-10
TINY = 2.0**-900  # no unit is smaller: h = 1e-20 of it is still a normal number


class Point:
    """The arrays of one call, of which those in `wanted` move.

    units: {i: the unit of each element}; reach: {i: the greatest of them}. alike: all elements of an array move in
    the unit of its greatest. fitted: {(i, j): W} of the elements that move in a unit of the function's; coarse: those
    of them for which floats lie too far apart.
    """

    def __init__(self, evaluate, arrays, wanted, alike=False):
        self.evaluate, self.arrays, self.wanted = evaluate, arrays, wanted
        largest = {i: greatest(arrays[i]) for i in wanted}
        of_all = max(largest.values(), default=0.0) or 1.0
        self.reach = {i: float(power_of_two(largest[i] or of_all)) for i in wanted}
        self.units = {
            i: np.where((np.abs(arrays[i]) >= TINY) & (not alike), power_of_two(arrays[i]), self.reach[i])
            for i in wanted
        }
        self.fitted = {}
        self.coarse = set()

    def fit(self, along):
        """Give each element the function's own unit where its own is too long; along: {i: a direction}."""
        for i, direction in along.items():
            if WIDEST * self.reach[i] <= NARROWEST:
                continue
            widths = self._widths(self.reach[i])
            if _followed(self.line({i: direction}), widths / self.reach[i]) < len(widths):
                for j in np.ndindex(self.units[i].shape):
                    self._fit(i, j)

    @staticmethod
    def _widths(unit):
        """The widths that are tried, the narrowest first."""
        widths = LONGEST * unit * 8.0 ** -np.arange(40.0)
        return widths[widths > NARROWEST][::-1]

    def _fit(self, i, j):
        unit = float(self.units[i][j])
        line = self.line(self.axis(i, j))
        widths = self._widths(unit)
        count = _followed(line, widths / unit)
        if count in (0, len(widths)):
            return
        found = float(widths[count - 1])
        self.fitted[i, j] = found
        self.units[i][j] = power_of_two(min(max(found, 2.0**-13 * unit), found / WIDEST))
        if self.units[i][j] < 2.0**-13 * unit and self.units[i][j] < found / WIDEST * 2:
            self.coarse.add((i, j))

    def blur(self, i):
        """How far rounding may move an element of arrays[i], in units."""
        return float(np.max(np.spacing(np.abs(self.arrays[i])) / self.units[i], initial=0.0))

    def lost(self, i, u):
        """What part of the slope along each element the rounding of x may take from differences in a fitted unit.

        It moves y by 4u·|x·dy/dx| at each end of a step. Steps are about 2⁻¹⁰ of what the function is smooth on.
        """
        part = np.zeros(self.units[i].shape)
        for (of, j), width in self.fitted.items():
            if of == i:
                part[j] = 8 * u * abs(self.arrays[i][j]) / (width / 1024)
        return part

    def room(self, i, j):
        """How far the first step along an element may grow, as a factor: to what all of the array would take, or 1; or
        shrink, to what the function's own W takes."""
        return self.fitted.get((i, j), max(self.reach[i], 1.0)) / float(self.units[i][j])

    def line(self, along):
        """t -> y with arrays[i] moved by t·along[i] units, for each i in along."""
        steps = {i: direction * self.units[i] for i, direction in along.items()}

        def y(t):
            at = self._numbers_like(t)
            for i, step in steps.items():
                at[i] = at[i].copy(order="K")
                at[i] += t * step
            return np.asarray(self.evaluate(at))

        return y

    def axis(self, i, j):
        """The direction along which element j of arrays[i] alone moves, by a unit."""
        direction = np.zeros(self.units[i].shape)
        direction[j] = 1.0
        return {i: direction}

    def _numbers_like(self, t):
        """The arrays; all floats are complex where t is, because `real += complex` is an error."""
        return [a.astype(complex) if isinstance(t, complex) and a.dtype.kind == "f" else a for a in self.arrays]

    def beside(self, along, distance):
        """The point `distance` away along a direction, which keeps this one's units."""
        other = object.__new__(Point)
        other.__dict__.update(self.__dict__, arrays=list(self.arrays))
        for i, direction in along.items():
            other.arrays[i] = other.arrays[i].copy(order="K")
            other.arrays[i] += distance * (direction * self.units[i])
        return other

    def random_direction(self, rng):
        """{i: normally distributed numbers of the shape of arrays[i]}"""
        return {i: np.asarray(rng.standard_normal(self.arrays[i].shape)) for i in self.wanted}


def _followed(line, widths):
    """How many of the widths, the narrowest first, y is smooth on. A wide one alone may mislead: its points can lie so
    that each meets the same place of another wave."""
    return next((k for k, width in enumerate(widths) if crowded(line, width)), len(widths))


def crowded(line, width):
    """Whether y has more than one kink or jump, or waves, for t from −width to width."""
    points = width * 0.927 * np.arange(-16, 17) / 16  # by no power of two: floor would be x at all of them
    with np.errstate(all="ignore"):
        y = np.array([np.asarray(line(float(t))).real.astype(float) for t in points])
        size = np.ptp(y, axis=0)
        rounding = 8 * 16 * 2.0**-53 * (np.abs(y).max(axis=0) + 2 * size / width)
        return bool(((np.abs(np.diff(y, 4, axis=0)) > 1e-6 * size + rounding).sum(axis=0) > 5).any())


def power_of_two(x):
    """The power of two at or below |x|, and no less than TINY; 1 where x is infinite or NaN."""
    exponent = np.frexp(np.where(np.isfinite(x), np.abs(x), 1.0))[1] - 1
    return np.maximum(np.ldexp(1.0, exponent), TINY)


def greatest(x):
    """The greatest finite |x|, 0 if there is none."""
    return float(np.abs(x).max(where=np.isfinite(x), initial=0.0))
