"""Measuring the gradient of a TestedFunction element by element, and comparing backward's with it."""

from dataclasses import dataclass

import numpy as np

from minires.gradcheck.checks import numeric
from minires.gradcheck.checks.comparison import compare, floors_of, judge
from minires.gradcheck.checks.jumps import jumps_of, upwards
from minires.gradcheck.checks.kinks import Axis, kinks_of
from minires.gradcheck.checks.numeric import COMPLEX_STEP, FOUR_POINT, FOUR_POINT_SINGLE
from minires.gradcheck.checks.point import Point, max_abs
from minires.gradcheck.checks.report import Kink, place

MIN_EXPONENT = -970  # a complex step changes y by 2^-970 or more; else some of its 53 bits are below 2^-1022
BESIDE = 2.0**-7  # is_analytic is asked this far from the inputs, because at 0 |x| would seem analytic


def measure(tested, report, upstream, dxs, y, seed):
    """Choose the method and fill the report. dxs: the gradients by backward.

    -> for each argument Σ|∂L/∂y·∂y/∂x|, the size of the terms that are summed
    """
    point = Point(tested.evaluate, tested.arrays, tested.wanted)
    along = point.random_direction(np.random.default_rng([seed, 2]))
    lost = [i for i in point.wanted if _underflows(point, i, dxs[i], y)]
    if lost:
        name = tested.names[lost[0]]
        report.unsure.append(
            f"d{name} is {max_abs(dxs[lost[0]]):.1e} at most: what a step of {name} changes is lost "
            "below the smallest floats; scale the inputs up, or check at larger ones"
        )
        return []
    point.fit_units(along)
    analytic = all(
        numeric.is_analytic(point.moved({i: v}, BESIDE).line({i: v}), point.input_rounding(i)) for i, v in along.items()
    )
    methods = [FOUR_POINT_SINGLE] if y.dtype == np.float32 else [COMPLEX_STEP, FOUR_POINT] if analytic else [FOUR_POINT]
    return first_that_works(
        methods, report, lambda: _Measurement(tested, point, report, upstream, dxs, seed).fill_report(along)
    )


def _underflows(point, i, dx, y):
    """Whether a complex step along arrays[i] changes y by too little for floats to hold it."""
    if not np.any(dx) or max_abs(y) >= 1e-20:
        return False
    return np.max(np.log2(np.abs(dx)) + np.log2(point.units[i] * numeric.STEP_COMPLEX)) < MIN_EXPONENT


def first_that_works(methods, report, measure):
    """measure() by the first method, or by the next if y turns out to take no complex numbers near the inputs."""
    report.by, *others = methods
    try:
        return measure()
    except numeric.NotAnalyticError:
        report.arguments.clear()
        return first_that_works(others, report, measure)


@dataclass
class _Slopes:
    """What was measured of one argument. slope and steepest are per unit of the Point, the others per unit of x."""

    measured: np.ndarray  # ∂L/∂x
    unsure: np.ndarray  # its error
    terms: np.ndarray  # Σ|∂L/∂y·∂y/∂x|
    slope: np.ndarray  # dy/dt along a random direction, if the effects of the elements add up
    steepest: float = 0.0  # the largest |∂y/∂t|
    steepest_by_x: float = 0.0  # the largest |∂y/∂x|
    size: float = 0.0  # the largest |y| that depends on the argument; the largest of all if none does


class _Measurement:
    """Measures by report.by at a point, and compares with dxs, the gradients by backward."""

    def __init__(self, tested, point, report, upstream, dxs, seed):
        self.tested, self.point, self.report = tested, point, report
        self.upstream, self.dxs, self.seed = upstream, dxs, seed
        self.method = report.by

    def fill_report(self, along):
        """along: {argument: a random direction} -> the terms of each argument."""
        point = self.point
        elements = {(i, j): point.axis(i, j) for i in point.wanted for j in np.ndindex(point.units[i].shape)}
        lines = [{i: v} for i, v in along.items()] + [along] * (len(along) > 1)
        skipped = self.find_jumps([*lines, upwards(along)], elements)
        slopes = {i: self.slopes(i, v, skipped) for i, v in along.items()}
        kinks = self.kinks({e: axis for e, axis in elements.items() if e not in skipped}, slopes, lines)
        for i, found in slopes.items():
            self.report.arguments.append(self.verdict(i, found, kinks[i], [j for k, j in skipped if k == i]))
        if any(k.nearest != k.analytic and k.low <= k.analytic <= k.high for found in kinks.values() for k in found):
            self.report.notes.append(
                "at the kink each element alone may have its gradient, but not all elements together: "
                "it is no average of the gradients nearby (measured: the nearest average)"
            )
        return [found.terms for found in slopes.values()]

    def find_jumps(self, lines, elements):
        """Report where y jumps or changes too fast -> these elements, a set of (argument, index)."""
        names, arrays = self.tested.names, self.tested.arrays
        places = {(i, j): (names[i], j) for i, j in elements}
        self.report.jumps, jumping = jumps_of(self.point, self.method, lines, elements, places)
        coarse = [e for e, axis in elements.items() if e not in jumping and self.is_too_coarse(e, axis)]
        if coarse:
            i, j = coarse[0]
            more = f" ({len(coarse)} of {len(elements)} elements are such)" if len(coarse) > 1 else ""
            self.report.unsure.append(
                f"y changes too fast where {names[i]}{place(j)} is {arrays[i][j]:.6g}{more}: steps that floats resolve "
                "there span several waves or jumps; scale the inputs down, or check at smaller ones"
            )
        return {*jumping, *coarse}

    def is_too_coarse(self, element, axis):
        """Whether floats are too far apart to measure along an element. Where y does not change they never are."""
        if element not in self.point.coarse:
            return False
        return bool(np.any(self.method.slope(self.point.line(axis), 0.0, self.method.radius)))

    def slopes(self, i, direction, skipped):
        """The _Slopes of an argument; 0 for its skipped elements."""
        point = self.point
        size = np.abs(point.evaluate(point.arrays))
        shape = point.units[i].shape
        found = _Slopes(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(self.upstream.shape))
        for j in np.ndindex(shape):
            if (i, j) in skipped:
                continue
            unit = float(point.units[i][j])
            column, error = self.method.derivative(point.line(point.axis(i, j)), point.step_growth(i, j))
            terms = self.upstream * column
            found.measured[j] = terms.sum() / unit
            found.terms[j] = np.abs(terms).sum() / unit
            found.unsure[j] = np.abs(self.upstream * error).sum() / unit
            found.slope = found.slope + direction[j] * column
            found.steepest = max(found.steepest, float(np.abs(column).max(initial=0)))
            found.steepest_by_x = max(found.steepest_by_x, max_abs(column) / unit)
            found.size = max(found.size, max_abs(np.where(column, size, 0.0)))
        found.size = found.size or max_abs(size)
        return found

    def kinks(self, elements, slopes, lines):
        """{argument: [Kink]} of the elements without a derivative."""
        axes = {}
        for (i, j), axis in elements.items():
            unit = self.point.units[i][j]
            given = float(self.dxs[i][j] * unit)
            axes[i, j] = Axis(axis, given, float(slopes[i].measured[j] * unit), slopes[i].steepest)
        sums = [(along, sum(slopes[i].slope for i in along), max(slopes[i].steepest for i in along)) for along in lines]
        kinks = {i: [] for i in self.point.wanted}
        for (i, j), found in kinks_of(self.point, self.method, self.upstream, axes, sums, self.seed).items():
            unit = float(self.point.units[i][j])
            ends = found.low / unit, found.high / unit
            kinks[i].append(Kink(j, *ends, float(self.dxs[i][j]), found.nearest / unit))
        return kinks

    def verdict(self, i, found, kinks, jumping):
        """The ArgumentResult of one argument. What stays unsure is added to the report."""
        report, name = self.report, self.tested.names[i]
        natural, floor = floors_of(self.upstream, found.size, self.point.largest_unit[i], found.steepest_by_x)

        def compared(allowed):
            return compare(name, self.method, self.dxs[i], found.measured, found.unsure, floor, kinks, allowed, jumping)

        unsure = found.unsure.copy()
        for k in kinks:
            unsure[k.index] = 0.0
        worst = judge(report, compared, unsure, natural if floor < natural else 0.0, floor, lambda: self.noise(i))
        if report.agrees(worst):
            return worst
        rounded = compared(self.point.slope_rounding(i, self.method.u) * np.abs(found.measured))
        if not report.agrees(rounded):
            return worst
        report.unsure.append(
            f"rounding of {name}{place(rounded.index)} may change what is measured by {rounded.doubt:.1e} of the "
            f"gradient, and it differs by {rounded.error:.1e}: y changes too fast; scale the inputs down, or check at "
            "smaller ones"
        )
        return rounded

    def noise(self, i):
        """How much rounding may change ∂L/∂x, as measured and by backward: 16 times the change very close to x."""
        point = self.point
        measured = np.zeros(point.units[i].shape)
        for j in np.ndindex(measured.shape):
            noise = self.method.noise(point.line(point.axis(i, j)))
            measured[j] = np.abs(self.upstream * noise).sum() / point.units[i][j]
        rng = np.random.default_rng(4)
        given = []
        for _ in range(3):
            close = point.moved(point.random_direction(rng), self.method.radius / 1000)
            _, backward = self.tested.forward(close.arrays)
            given.append(self.tested.gradients(backward, self.upstream.copy())[i])
        return 16 * (measured + np.ptp(np.array(given, float), axis=0))
