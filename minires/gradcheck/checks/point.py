"""Where a function is differentiated, and how far each of its inputs is moved there.

Each element moves in a unit of its own, the power of two at or below |x|. So a step of 1e-6 is a relative one, neither
lost in the rounding of 1e12 nor a leap for 1e-12. By powers of two, x ± h is seldom rounded.
An element that is 0 moves in the unit of the greatest of its array; an array of zeros in that of the greatest of all.
"""

import numpy as np

TINY = 2.0**-900  # no unit is smaller: h = 1e-20 of it is still a normal number


class Point:
    """The arrays of one call, of which those in `wanted` move.

    units: {i: the unit of each element}; reach: {i: the greatest of them}. alike: all elements of an array move in
    the unit of its greatest.
    """

    def __init__(self, evaluate, arrays, wanted, alike=False):
        self.evaluate, self.arrays, self.wanted = evaluate, arrays, wanted
        largest = {i: greatest(arrays[i]) for i in wanted}
        of_all = max(largest.values(), default=0.0) or 1.0
        self.reach = {i: float(power_of_two(largest[i] or of_all)) for i in wanted}
        self.units = {i: np.where((np.abs(arrays[i]) >= TINY) & (not alike), power_of_two(arrays[i]), self.reach[i])
                      for i in wanted}

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


def power_of_two(x):
    """The power of two at or below |x|, and no less than TINY; 1 where x is infinite or NaN."""
    exponent = np.frexp(np.where(np.isfinite(x), np.abs(x), 1.0))[1] - 1
    return np.maximum(np.ldexp(1.0, exponent), TINY)


def greatest(x):
    """The greatest finite |x|, 0 if there is none."""
    return float(np.abs(x).max(where=np.isfinite(x), initial=0.0))
