"""Holding a backward against measured derivatives: of a function, and of an op on its cases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minires.arrays import device_of, is_array, to_device
from minires.errors import OptionError
from minires.gradcheck.cases import Case, cases_of
from minires.gradcheck.checks import numeric
from minires.gradcheck.checks.contract import breaches, malformed, repeatable, same
from minires.gradcheck.checks.jumps import jumps_of, upwards
from minires.gradcheck.checks.kinks import Axis, kinks_of
from minires.gradcheck.checks.numeric import COMPLEX_STEP, FOUR_POINT, FOUR_POINT_SINGLE
from minires.gradcheck.checks.point import TINY, Point, greatest
from minires.gradcheck.checks.report import ArgumentResult, Kink, Report, Reports, place
from minires.gradcheck.checks.tested_function import (
    DRAWS,
    CannotCheckError,
    TestedFunction,
    kind_of,
    nothing_to_differentiate,
    on_device,
)
from minires.nn import Module
from minires.op import registry
from minires.settings import did_you_mean

FLOOR = 1e-3  # see floors_of
SAID = 1e-5  # a note says so where the measurement leaves a gradient unsure by more than this part of it
UNPROVED = 0.25  # nor is anything proved where it leaves more than this part unsure, see judged
FAINT = -970  # a complex step makes a change of 2^-970 or more, or else some of its 53 digits are below 2^-1022
AGAIN = 1e-9  # y may differ so much when computed again, by the order of sums on a GPU
BESIDE = 2.0**-7  # how far from the inputs a function is asked whether it is analytic: |x| would seem to be at 0
SINGLE = 64  # rounding units that a float32 backward may be off, see _single


def check(
    function: Callable[..., Any],
    *arrays: Any,
    seed: int = 0,
    label: str | None = None,
    view: bool = False,
    **static: Any,
) -> Report:
    """Hold function(*arrays, **static) -> (y, backward) against measured derivatives, under a random upstream.

    Float arrays are differentiated (in float64), others are passed on. An element's gradient may be wrong by
    tolerance·S. S is the greatest gradient of its array, or the floor where that is greater: 1e-3·max|dy|·min(Y/X,
    max(slope, 1)), of the greatest y that depends on x, the greatest x, and the steepest slope. Where the function is
    analytic the complex step measures, to 1e-12; else 4-point differences, to 1e-8 or to their own error where it is
    greater, never beyond 1.1e-7 (1e-3 for a function that computes in float32). Where rounding hides more, up to
    tolerance·1e-3·max|dy|·Y/X is allowed; a note says how much if it is over 1e-5 of S.

    At a kink, where there is no derivative, the gradient must be one of the subgradients; the report counts these
    places. Where y itself jumps, nothing can be proved: the report does not pass, and its status is "JUMP". Neither
    does it where a quarter of the gradient is lost in rounding, or where nothing was compared: there it is "UNSURE".

    Besides, backward must return a gradient of the right shape and dtype for each, the same when called twice, zero for
    a dy of zeros; it may not change its inputs nor hand out their memory (view=True allows y to share it), and must
    take arrays that are not contiguous. -> Report

    Where an array lies on a GPU, the function gets all of them there, and what it gives is measured on the host.
    """
    if isinstance(function, Module):
        raise OptionError(f"check: {type(function).__name__} is a module; use check_module, with the same inputs")
    if not callable(function):
        raise OptionError(f"check: the function comes first, then its arrays; got {kind_of(function)}")
    places = {device_of(a) for a in arrays if is_array(a)} - {"cpu"}
    function = getattr(function, "raw", function)
    if places:
        function = on_device(function, places.pop())
        arrays = tuple([to_device(a, "cpu") if is_array(a) else a for a in arrays])
    return check_tested(TestedFunction(function, arrays, static), label, seed=seed, view=view).say_if_empty()


def check_tested(tested, label=None, *, seed=0, view=False, strict=False, convention=None):
    """check() of a TestedFunction.

    strict: hold the float32 backward to its bound too, and the gradient at ties to convention(dy), if given; else a
    gradient that differs from convention(dy) is noted only.
    """
    report = Report(label or getattr(tested.raw, "__name__", "function"))
    try:
        with np.errstate(all="ignore"):
            _check_tested(tested, report, seed, view, strict, convention)
    except CannotCheckError as error:
        report.problems.append(str(error))
    return report


def _check_tested(tested, report, seed, view, strict, convention):
    if not tested.wanted:
        raise CannotCheckError(nothing_to_differentiate(tested.names, tested.arrays))
    before = [a.copy() for a in tested.arrays]
    y, backward = tested.forward(tested.arrays)
    report.problems += _changed(tested, before)
    if report.problems:
        return
    if not same(y, tested.forward(before)[0], AGAIN):
        raise CannotCheckError(DRAWS)
    before = [a.copy() for a in tested.arrays]
    upstream = upstream_for(y.shape, seed)
    sent = upstream.copy()
    dxs = tested.gradients(backward, sent)
    report.problems += malformed(tested, dxs, y)
    if report.problems:
        return
    kept = [None if dx is None else np.array(dx) for dx in dxs]
    lost = not_finite(y, {tested.names[i]: kept[i] for i in tested.wanted})
    if lost:
        report.unsure.append(lost)
        return
    unsteady = repeatable(tested, backward, upstream, dxs)
    report.problems += unsteady or breaches(tested, y, backward, upstream, dxs, view=view)
    if not np.array_equal(sent, upstream):
        report.problems.insert(0, "backward changes the gradient dy that it is given")
    changed = _changed(tested, before)
    report.problems[:0] = changed
    if changed or unsteady:  # whose numbers differ with each call has none to compare
        return
    terms = _measure(tested, report, upstream, kept, y, seed)
    if strict and not report.wrong:
        report.problems += _single(tested, report, upstream, terms)
    if convention is not None:
        wanted = _by_convention(convention, upstream, [kept[i] for i in tested.wanted])
        if wanted is None:
            (report.problems if strict else report.notes).append(
                f"y has shape {y.shape}, which is not the op's: its gradients at a tie have no convention"
            )
        for i, dx in zip(tested.wanted, wanted or ()):
            if not np.allclose(kept[i], dx, rtol=0, atol=1e-12):
                at = tuple(map(int, np.unravel_index(np.argmax(np.abs(kept[i] - dx)), dx.shape)))
                say = report.problems if strict else report.notes
                say.append(f"at a tie d{tested.names[i]}{list(at)} is {kept[i][at]:.6g}, by convention {dx[at]:.6g}")


def not_finite(y, gradients):
    """The sentence about an output without a number, "" if there is none; gradients: {argument: by backward}.

    An infinity counts where backward makes none of finite numbers of it: −inf in a mask is a constant.
    """
    lost = np.isnan(y)
    if not all(np.isfinite(dx).all() for dx in gradients.values()):
        lost |= np.isinf(y)
    if not lost.any():
        return ""
    at = tuple(int(k) for k in np.argwhere(lost)[0])
    more = f" ({int(lost.sum())} of {lost.size} elements are such)" if lost.sum() > 1 else ""
    return (
        f"y{place(at)} is {'NaN' if np.isnan(y[at]) else f'{y[at]:g}'} at these inputs{more}: there is no "
        "derivative to compare with; check at inputs where y is finite"
    )


def _by_convention(convention, upstream, dxs):
    """The gradients that the convention asks for, or None where it is one for a y of another shape."""
    try:
        wanted = convention(upstream)
    except (IndexError, ValueError):
        return None
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    return wanted if list(map(np.shape, wanted)) == list(map(np.shape, dxs)) else None


def _changed(tested, before):
    return [
        f"the input array {name} was changed"
        for name, x, old in zip(tested.names, tested.arrays, before)
        if not np.array_equal(x, old, equal_nan=x.dtype.kind == "f")
    ][:1]


def upstream_for(shape, seed):
    """The random ∂L/∂y of a check, rounded to float32, so that a float32 backward can be given the same.

    It has a stream of its own: drawn from the inputs' seed it would equal them, and batch norm's gradient would vanish.
    """
    return np.asarray(np.random.default_rng([seed, 1]).standard_normal(shape), np.float32).astype(float)


def _measure(tested, report, upstream, dxs, y, seed):
    """Choose the method, fill the report -> for each argument Σ|∂L/∂y·∂y/∂x|, the size of what is added up."""
    rng = np.random.default_rng([seed, 2])
    point = Point(tested.evaluate, tested.arrays, tested.wanted)
    along = point.random_direction(rng)
    faint = [
        i
        for i in point.wanted
        if np.any(dxs[i])
        and greatest(y) < 1e-20
        and np.max(np.log2(np.abs(dxs[i])) + np.log2(point.units[i] * numeric.STEP_COMPLEX)) < FAINT
    ]
    if faint:
        name = tested.names[faint[0]]
        report.unsure.append(
            f"d{name} is {greatest(dxs[faint[0]]):.1e} at most: what a step of {name} changes is lost "
            "below the smallest floats; scale the inputs up, or check at larger ones"
        )
        return []
    point.fit(along)
    analytic = all(
        numeric.is_analytic(point.beside({i: v}, BESIDE).line({i: v}), point.blur(i)) for i, v in along.items()
    )
    methods = [FOUR_POINT_SINGLE] if y.dtype == np.float32 else [COMPLEX_STEP, FOUR_POINT] if analytic else [FOUR_POINT]
    return first_that_works(methods, report, lambda: _measure_at(point, along, tested, report, upstream, dxs, seed))


def first_that_works(methods, report, measure):
    """measure() by the first method, or by the next if y turns out to take no complex numbers near the inputs."""
    report.by, *others = methods
    try:
        return measure()
    except numeric.NotAnalyticError:
        report.arguments.clear()
        return first_that_works(others, report, measure)


def _measure_at(point, along, tested, report, upstream, dxs, seed):
    """Fill the report, measuring by report.by; along: {argument: a random direction}."""
    together = [{i: v} for i, v in along.items()] + [along] * (len(along) > 1)
    elements = {(i, j): point.axis(i, j) for i in point.wanted for j in np.ndindex(point.units[i].shape)}
    report.jumps, jumping = jumps_of(
        point, report.by, [*together, upwards(along)], elements, {(i, j): (tested.names[i], j) for i, j in elements}
    )
    coarse = [e for e, line in elements.items() if e not in jumping and _too_coarse(point, report.by, e, line)]
    if coarse:
        i, j = coarse[0]
        more = f" ({len(coarse)} of {len(elements)} elements are such)" if len(coarse) > 1 else ""
        report.unsure.append(
            f"y changes too fast where {tested.names[i]}{place(j)} is {tested.arrays[i][j]:.6g}"
            f"{more}: steps that floats resolve there span several waves or jumps; scale the inputs "
            "down, or check at smaller ones"
        )
    jumping |= set(coarse)  # neither are these compared
    slopes = {i: _slopes(point, report.by, i, upstream, v, jumping) for i, v in along.items()}
    kinks = _kinks(
        point, report.by, upstream, dxs, slopes, {e: v for e, v in elements.items() if e not in jumping}, together, seed
    )
    for i, found in slopes.items():
        natural, floor = floors_of(upstream, found.size, point.reach[i], found.steepest_alone)

        def against(excuse, i=i, found=found, floor=floor):
            return compare(
                tested.names[i],
                report.by,
                dxs[i],
                found.measured,
                found.unsure,
                floor,
                kinks[i],
                excuse,
                [j for k, j in jumping if k == i],
            )

        unsure = found.unsure.copy()
        for k in kinks[i]:
            unsure[k.index] = 0.0
        worst = judged(
            report,
            against,
            unsure,
            natural if floor < natural else 0.0,
            floor,
            lambda i=i: _noise(tested, point, report.by, i, upstream),
        )
        excused = against(point.lost(i, report.by.u) * np.abs(found.measured))
        if not report.agrees(worst) and report.agrees(excused):
            report.unsure.append(
                f"rounding of {worst.argument}{place(excused.index)} may take {excused.doubt:.1e} of "
                f"the gradient from what is measured, and it differs by {excused.error:.1e}: y "
                "changes too fast; scale the inputs down, or check at smaller ones"
            )
            worst = excused
        report.arguments.append(worst)
    if any(k.nearest != k.analytic and k.low <= k.analytic <= k.high for found in kinks.values() for k in found):
        report.notes.append(
            "at the kink each element alone may have its gradient, but not all elements together: "
            "it is no average of the gradients nearby (measured: the nearest that is)"
        )
    return [found.terms for found in slopes.values()]


def _too_coarse(point, method, element, along):
    """Whether floats lie too far apart to measure along an element; where y stays as it is they never do."""
    return element in point.coarse and bool(np.any(method.slope(point.line(along), 0.0, method.near)))


def _kinks(point, method, upstream, dxs, slopes, elements, together, seed):
    """{argument: [Kink]} of the elements without a derivative."""
    axes = {
        (i, j): Axis(
            along,
            float(dxs[i][j] * point.units[i][j]),
            float(slopes[i].measured[j] * point.units[i][j]),
            slopes[i].steepest,
        )
        for (i, j), along in elements.items()
    }
    lines = [(along, sum(slopes[i].slope for i in along), max(slopes[i].steepest for i in along)) for along in together]
    kinks = {i: [] for i in point.wanted}
    for (i, j), bend in kinks_of(point, method, upstream, axes, lines, seed).items():
        unit = float(point.units[i][j])
        kinks[i].append(Kink(j, bend.low / unit, bend.high / unit, float(dxs[i][j]), bend.nearest / unit))
    return kinks


@dataclass
class Slopes:
    """What was measured of one argument: ∂L/∂x, its error, Σ|∂L/∂y·∂y/∂x|; and in the units of the Point ..."""

    measured: np.ndarray
    unsure: np.ndarray
    terms: np.ndarray
    slope: np.ndarray  # dy/dt along a random direction, if the effects of the elements add up
    steepest: float  # the greatest |∂y/∂x|
    steepest_alone: float = 0.0  # the same, with x not in units of the Point
    size: float = 0.0  # the greatest |y| that depends on the argument, of all if none does


def _slopes(point, method, i, upstream, along, jumping):
    """The Slopes of an argument; 0 for its elements at a jump."""
    size = np.abs(point.evaluate(point.arrays))
    shape = point.units[i].shape
    found = Slopes(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(upstream.shape), 0.0)
    for j in np.ndindex(shape):
        if (i, j) in jumping:
            continue
        unit = float(point.units[i][j])
        column, error = method.derivative(point.line(point.axis(i, j)), point.room(i, j))
        terms = upstream * column
        found.measured[j] = terms.sum() / unit
        found.terms[j] = np.abs(terms).sum() / unit
        found.unsure[j] = np.abs(upstream * error).sum() / unit
        found.slope = found.slope + along[j] * column
        found.steepest = max(found.steepest, float(np.abs(column).max(initial=0)))
        found.steepest_alone = max(found.steepest_alone, greatest(column) / unit)
        found.size = max(found.size, greatest(np.where(column, size, 0.0)))
    found.size = found.size or greatest(size)
    return found


def _noise(tested, point, method, i, upstream):
    """How much rounding may change ∂L/∂x, as measured and by backward: 16 times what it does at points just beside."""
    measured = np.zeros(point.units[i].shape)
    for j in np.ndindex(measured.shape):
        measured[j] = np.abs(upstream * method.noise(point.line(point.axis(i, j)))).sum() / point.units[i][j]
    rng = np.random.default_rng(4)
    given = []
    for _ in range(3):
        _, backward = tested.forward(point.beside(point.random_direction(rng), method.near / 1000).arrays)
        given.append(tested.gradients(backward, upstream.copy())[i])
    return 16 * (measured + np.ptp(np.array(given, float), axis=0))


def judged(report, against, unsure, natural, floor, noise):
    """against(0.0), an ArgumentResult, if that agrees; else rounding may be to blame, for `natural` at most.

    against(excuse) -> ArgumentResult; unsure: the measured derivatives' own errors; noise() -> what else rounding does.

    Errors. Let D be what is left unsure, g the gradient by backward, m the measured one, t the true one. Then m is
    within D of t, and a g within D of m passes: |g − t| may be 2D. A g of 2t is |g|/2 away from t, one of t/2 is |g|
    away, one of 0 or −t more. So D < |g|/4 is needed to tell the least of these, and where D is more than that part of
    the greatest gradient the report is UNSURE. A gradient of less than the floor is held to be 0. There D has to be
    less than that part of what the floor is taken from, the steepest slope, so that none as large as that is lost.
    With no natural size nothing is excused, and a wrong gradient fails, whatever D is.
    """
    worst = against(0.0)
    most = report.by.tolerance * natural
    if natural and not report.agrees(worst) and report.agrees(against(most)):
        worst = against(np.fmin(unsure + noise(), most))
    hidden = max(worst.doubt * worst.scale, float(np.max(unsure, initial=0.0)))
    size = worst.scale if worst.scale > floor else floor / FLOOR
    if report.agrees(worst) and natural and min(hidden, most) > UNPROVED * size:
        report.unsure.append(
            f"rounding leaves d{worst.argument} unsure by {hidden:.1e}, and the greatest is "
            f"{size:.1e}: a wrong one would not be seen; scale the inputs, so that y is not so "
            f"much larger than what {worst.argument} adds to it, or check at other ones"
        )
    elif report.agrees(worst) and hidden > max(SAID, 10 * report.by.tolerance) * worst.scale:
        report.notes.append(f"rounding leaves d{worst.argument} unsure by {hidden:.1e}: a smaller error is not seen")
    return worst


def floors_of(dy, y, x, steepest, one=1.0):
    """(natural, used): the sizes under which gradients are compared in absolute terms.

    The natural one is FLOOR of what one has if y, of the outputs that depend on x, changes by |y| where x changes by
    |x|. There rounding rules: tanh's 1 − y² is 0 for large x, give or take u. A tiny x or a large constant in y make
    it larger than any gradient. So what is used is no more than FLOOR of the steepest slope, or of a slope of 1.
    """
    dy = float(np.abs(dy).max(initial=0))
    natural = FLOOR * y / x
    return tuple(max(dy * max(size, TINY), TINY) for size in (natural, min(natural, FLOOR * max(steepest, one))))


def compare(argument, method, analytic, measured, unsure, floor, kinks=(), excuse=0.0, jumping=()):
    """The greatest difference, relative to the greatest gradient or `floor`; a NaN on either side counts as infinite.

    unsure: the measured derivatives' own errors; they excuse differences up to the method's doubt, and those that they
    do not excuse come first. At a kink the difference is that from the nearest gradient which may stand there.
    excuse: what rounding may have changed, where that was looked at; it counts in full. jumping: the places that are
    not compared, because y jumps there. -> ArgumentResult
    """
    worst = ArgumentResult(argument, elements=analytic.size - len(kinks) - len(jumping), kinks=list(kinks))
    if not analytic.size:
        return worst
    measured = measured.copy()
    for k in kinks:
        measured[k.index] = k.nearest
    for j in jumping:
        measured[j] = analytic[j]
    difference = np.abs(analytic - measured)
    difference = np.where(np.isnan(difference), np.inf, difference)
    scale = max(float(np.nanmax(np.abs(analytic), initial=0)), float(np.nanmax(np.abs(measured), initial=0)), floor)
    doubt = np.maximum(np.fmin(unsure, method.doubt * scale), excuse)
    wrong = difference > method.tolerance * scale + doubt
    at = np.argmax(np.where(wrong, difference, 0) if wrong.any() else difference)
    at = tuple(int(k) for k in np.unravel_index(at, difference.shape))
    worst.error = float(difference[at] / scale)
    worst.doubt = float(doubt[at] / scale)
    worst.index = at
    worst.analytic = float(analytic[at])
    worst.numeric = float(measured[at])
    worst.scale = float(scale)
    return worst


def _single(tested, report, upstream, terms):
    """Sentences about the backward in float32: dtypes, and an error beyond SINGLE·u·max(Σ|∂L/∂y·∂y/∂x|, |∂L/∂y|).

    u = 2⁻²⁴ rounds each step once, relative to what is added up, Σ; and where a slope such as tanh's 1 − y² is a small
    difference of numbers near 1, to ∂L/∂y itself.
    """

    def run(dtype):
        def cast(a):
            return a.astype(np.float32).astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

        other = TestedFunction(tested.raw, tested.arrays, {key: cast(value) for key, value in tested.static.items()})
        y, backward = other.forward([cast(a) for a in tested.arrays])
        return [y, *other.gradients(backward, cast(upstream))]

    single = run(np.float32)
    double = run(np.float64)
    problems = [
        f"in float32 {name} is {np.asarray(a).dtype}"
        for name, a in zip(["y", *(f"d{name}" for name in tested.names)], single)
        if a is not None and np.asarray(a).dtype != np.float32
    ]
    for worst, i, sizes in zip(report.arguments, tested.wanted, terms):
        bound = 2.0**-24 * max(float(sizes.max(initial=1e-300)), float(np.abs(upstream).max(initial=0)))
        worst.single = float(np.abs(single[1 + i] - double[1 + i]).max(initial=0)) / bound
        if not worst.single <= SINGLE:
            problems.append(f"in float32 d{worst.argument} is {worst.single:.3g} rounding units off")
    return problems


def check_op(
    name: str,
    function: Callable[..., Any] | None = None,
    *,
    seed: int = 0,
    samples: int = 1,
    strict: bool | None = None,
    device: str = "cpu",
) -> Reports:
    """Run an op's cases against the registered function, or against `function` of the same form. -> Reports, a list

    samples: how many times the cases are drawn; strict: hold float32 and the conventions at ties to account as well
    (by default for the registered function only); device: where the function computes ("cuda" for CuPy).
    """
    strict = function is None if strict is None else strict
    return Reports(
        check_case(name, case, function, seed=seed, strict=strict, device=device)
        for case in cases_of(known_op(name), seed, samples)
    )


def known_op(name):
    """The name of an op, if it is one. Raises OptionError with the nearest ones if not."""
    if not isinstance(name, str):
        raise OptionError(
            f"give the name of an op, {getattr(name, '__name__', 'relu')!r}, not the function itself; a "
            "function of your own goes to check"
        )
    if name not in registry:
        hint = did_you_mean(name, registry, f"there are {', '.join(sorted(registry))}")
        raise OptionError(f"there is no op {name!r}; {hint}")
    return name


def check_case(
    name: str,
    case: Case,
    function: Callable[..., Any] | None = None,
    *,
    seed: int = 0,
    strict: bool = True,
    device: str = "cpu",
) -> Report:
    """One case of an op. -> Report"""
    function = function or registry[name].raw
    tested = TestedFunction(function if device == "cpu" else on_device(function, device), case.arrays, case.static)
    return check_tested(
        tested, f"{name} ({case.label})", seed=seed, view=registry[name].view, strict=strict, convention=case.convention
    )
