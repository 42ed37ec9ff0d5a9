"""Where a function is differentiated, and how far each of its inputs is moved there.

Each element moves in a unit of its own, the power of two at or below |x|. So a step of 1e-6 is relative to x: it is not
lost in the rounding of 1e12, and not too long for 1e-12. Four-point steps are powers of two as well (numeric.py), so
x ± h is seldom rounded.
An element that is 0 moves in the largest unit of its array. An array of zeros moves in the largest unit of all arrays.

A relative step can be too long. sin has waves of length 6 for every x, and floor has steps of length 1; at x = 1e8 a
relative step spans many of them. There an element moves in a unit that fits the function (Point.fit_units). y is taken
at 33 points within a width W around x, for widths up to the longest step. If y is smooth on the scale of W, its fourth
differences are below 1e-6 of its range. One kink or jump makes up to five larger ones. The unit comes from the largest
W up to which no width shows more than five. Widths below 2⁻¹⁰ are not tried, because rounding makes steps in y there:
for instance (x + 1e9) − 1e9 has steps of 2⁻²³.

Errors. Rounding moves each y by u·(|y| + |x·dy/dx|), and a fourth difference by 16 times as much. 8 times this bound is
allowed. So jumps of 1 are seen up to x = 1e11; beyond, this test cannot tell floor from x. The new unit is W, or 2⁻¹³
of the old unit if that is larger. In such a unit the rounding of x changes a slope over h/8 by less than 1e-5 of it,
with h = 1e-6 units. But kinks are looked for within 4h, which must not be longer than W. Where it would be, as for sin
from 1e10 on, the unit is W/4e-6, and floats are too far apart to follow the function. Such elements are called coarse.
"""

import numpy as np

RADIUS = 1e-6  # differences look for kinks and jumps within this distance, in units
WIDEST = 4 * RADIUS  # and never farther away than this
LONGEST = 2.0**-9  # the first step of four points
NARROWEST = 2.0**-10
TINY = 2.0**-900  # no unit is smaller: h = 1e-20 of it is still a normal float


class Point:
    """The arrays of one call. Those in `wanted` move.

    units: {i: the unit of each element}; largest_unit: {i: the largest of them}. one_unit: all elements of an array
    move in its largest unit. smooth_widths: {(i, j): W} of the elements whose unit was fitted to the function; coarse:
    those of them for which floats are too far apart.
    """

    def __init__(self, evaluate, arrays, wanted, one_unit=False):
        self.evaluate, self.arrays, self.wanted = evaluate, arrays, wanted
        largest = {i: max_abs(arrays[i]) for i in wanted}
        of_all = max(largest.values(), default=0.0) or 1.0
        self.largest_unit = {i: float(power_of_two(largest[i] or of_all)) for i in wanted}
        self.units = {
            i: np.where((np.abs(arrays[i]) >= TINY) & (not one_unit), power_of_two(arrays[i]), self.largest_unit[i])
            for i in wanted
        }
        self.smooth_widths = {}
        self.coarse = set()

    def fit_units(self, along):
        """Fit the units to the function where they are too long. along: {i: a direction}."""
        for i, direction in along.items():
            unit = self.largest_unit[i]
            if WIDEST * unit <= NARROWEST:
                continue
            widths = self._widths(unit)
            if _count_smooth(self.line({i: direction}), widths / unit) < len(widths):
                for j in np.ndindex(self.units[i].shape):
                    self._fit_unit(i, j)

    @staticmethod
    def _widths(unit):
        """The widths that are tried, the narrowest first."""
        widths = LONGEST * unit * 8.0 ** -np.arange(40.0)
        return widths[widths > NARROWEST][::-1]

    def _fit_unit(self, i, j):
        unit = float(self.units[i][j])
        widths = self._widths(unit)
        count = _count_smooth(self.line(self.axis(i, j)), widths / unit)
        if count in (0, len(widths)):
            return
        width = float(widths[count - 1])
        self.smooth_widths[i, j] = width
        self.units[i][j] = power_of_two(min(max(width, 2.0**-13 * unit), width / WIDEST))
        if self.units[i][j] < 2.0**-13 * unit and self.units[i][j] < width / WIDEST * 2:
            self.coarse.add((i, j))

    def input_rounding(self, i):
        """How far rounding may move an element of arrays[i], in units."""
        return float(np.max(np.spacing(np.abs(self.arrays[i])) / self.units[i], initial=0.0))

    def slope_rounding(self, i, u):
        """What part of a difference's slope along each element the rounding of x may change; 0 if its unit is not
        fitted.

        Rounding of x moves y by 4u·|x·dy/dx| at each end of a step. A step is about 2⁻¹⁰ of the smooth width.
        """
        part = np.zeros(self.units[i].shape)
        for (of, j), width in self.smooth_widths.items():
            if of == i:
                part[j] = 8 * u * abs(self.arrays[i][j]) / (width / 1024)
        return part

    def step_growth(self, i, j):
        """The factor by which the first step along an element may grow or must shrink.

        It may grow to the step of the array's largest element, or of 1. A fitted unit must shrink it to the width.
        """
        return self.smooth_widths.get((i, j), max(self.largest_unit[i], 1.0)) / float(self.units[i][j])

    def line(self, along):
        """t -> y with arrays[i] moved by t·along[i] units, for each i in along."""
        steps = {i: direction * self.units[i] for i, direction in along.items()}

        def y(t):
            at = self._arrays_like(t)
            for i, step in steps.items():
                at[i] = at[i].copy(order="K")
                at[i] += t * step
            return np.asarray(self.evaluate(at))

        return y

    def axis(self, i, j):
        """The direction that moves element j of arrays[i] alone, by one unit."""
        direction = np.zeros(self.units[i].shape)
        direction[j] = 1.0
        return {i: direction}

    def _arrays_like(self, t):
        """The arrays; all floats are complex if t is, because `real += complex` is an error."""
        return [a.astype(complex) if isinstance(t, complex) and a.dtype.kind == "f" else a for a in self.arrays]

    def moved(self, along, distance):
        """The point `distance` away along a direction, with the same units."""
        other = object.__new__(Point)
        other.__dict__.update(self.__dict__, arrays=list(self.arrays))
        for i, direction in along.items():
            other.arrays[i] = other.arrays[i].copy(order="K")
            other.arrays[i] += distance * (direction * self.units[i])
        return other

    def random_direction(self, rng):
        """{i: normally distributed values in the shape of arrays[i]}."""
        return {i: np.asarray(rng.standard_normal(self.arrays[i].shape)) for i in self.wanted}


def _count_smooth(line, widths):
    """How many of the widths y is smooth on, beginning with the narrowest.

    A wide one alone may mislead, because its points may meet the same phase of several waves.
    """
    return next((k for k, width in enumerate(widths) if has_many_kinks(line, width)), len(widths))


def has_many_kinks(line, width):
    """Whether y has more than one kink or jump, or waves, for t from −width to width."""
    points = width * 0.927 * np.arange(-16, 17) / 16  # no power of two, because floor would equal x at all of them
    with np.errstate(all="ignore"):
        y = np.array([np.asarray(line(float(t))).real.astype(float) for t in points])
        size = np.ptp(y, axis=0)
        rounding = 8 * 16 * 2.0**-53 * (np.abs(y).max(axis=0) + 2 * size / width)
        return bool(((np.abs(np.diff(y, 4, axis=0)) > 1e-6 * size + rounding).sum(axis=0) > 5).any())


def power_of_two(x):
    """The power of two at or below |x|, and at least TINY; 1 if x is infinite or NaN."""
    exponent = np.frexp(np.where(np.isfinite(x), np.abs(x), 1.0))[1] - 1
    return np.maximum(np.ldexp(1.0, exponent), TINY)


def max_abs(x):
    """The largest finite |x|, or 0 if there is none."""
    return float(np.abs(x).max(where=np.isfinite(x), initial=0.0))
