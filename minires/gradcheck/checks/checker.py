"""Holding a backward against measured derivatives: of a function, and of an op on its cases."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minires.arrays import device_of, is_array, to_device
from minires.errors import OptionError
from minires.gradcheck.cases import Case, cases_of
from minires.gradcheck.checks.contract import breaches, malformed, repeatable, same, strict_breaches
from minires.gradcheck.checks.measurement import measure
from minires.gradcheck.checks.report import Report, Reports, place
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

AGAIN = 1e-9  # y may differ by this part when computed again: a GPU adds in another order each time
SINGLE = 64  # rounding units that a float32 backward may be off, see _check_float32


def check(
    function: Callable[..., Any],
    *arrays: Any,
    seed: int = 0,
    label: str | None = None,
    view: bool = False,
    **static: Any,
) -> Report:
    """Hold function(*arrays, **static) -> (y, backward) against measured derivatives, under a random upstream dy.

    Float arrays are differentiated, in float64; others are passed on. An element of a gradient may be wrong by
    tolerance·S. S is the largest element of its array, or this floor if that is larger:
    1e-3·max|dy|·min(Y/X, max(slope, 1)). Y is the largest y that depends on x, X the largest x, slope the steepest one.
    The complex step measures where the function is analytic, with tolerance 1e-12. Elsewhere 4-point differences do,
    with tolerance 1e-8 or their own error if that is larger, and never beyond 1.1e-7. For a function that computes in
    float32 the tolerance is 1e-3. If rounding hides more, up to tolerance·1e-3·max|dy|·Y/X is allowed. A note says how
    much, if it is more than 1e-5 of S.

    At a kink there is no derivative: the gradient must be one of the subgradients, and the report counts these
    elements. A report passes only if something was proved. Its status is "JUMP" where y itself jumps. It is "UNSURE"
    where rounding may hide a quarter of the gradient, and where nothing was compared.

    backward must also return a gradient of the right shape and dtype for each array. It must return the same one when
    called twice, and zero for a dy of zeros. It must not change its inputs and must not return their memory. It must
    take arrays that are not contiguous. view=True allows y to share memory with the inputs.

    If an array is on a GPU, the function gets all of them there, and its results are measured on the host. -> Report
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

    convention(dy), if given: the gradients that minires chooses at ties. strict: it is wrong to differ from them, or to
    have a float32 backward beyond its bound. Otherwise a gradient that differs from the convention is only noted.
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
    nothing = not_finite(y, {tested.names[i]: kept[i] for i in tested.wanted})
    if nothing:
        report.unsure.append(nothing)
        return
    unsteady = repeatable(tested, backward, upstream, dxs)
    report.problems += unsteady or breaches(tested, y, backward, upstream, dxs, view=view)
    if strict and not report.problems:
        report.problems += strict_breaches(tested, upstream, kept)
    if not np.array_equal(sent, upstream):
        report.problems.insert(0, "backward changes the gradient dy that it is given")
    changed = _changed(tested, before)
    report.problems[:0] = changed
    if changed or unsteady:  # then each call gives other gradients, and there is none to compare
        return
    terms = measure(tested, report, upstream, kept, y, seed)
    if strict and not report.wrong:
        report.problems += _check_float32(tested, report, upstream, terms)
    if convention is not None:
        found = _check_convention(tested, convention, upstream, kept, y)
        (report.problems if strict else report.notes).extend(found)


def not_finite(y, gradients):
    """A sentence if y is not finite, else "". gradients: {argument: by backward}.

    An infinity counts only if a gradient is not finite either, because −inf in a mask is a constant.
    """
    bad = np.isnan(y)
    if not all(np.isfinite(dx).all() for dx in gradients.values()):
        bad |= np.isinf(y)
    if not bad.any():
        return ""
    at = tuple(int(k) for k in np.argwhere(bad)[0])
    more = f" ({int(bad.sum())} of {bad.size} elements are such)" if bad.sum() > 1 else ""
    return (
        f"y{place(at)} is {'NaN' if np.isnan(y[at]) else f'{y[at]:g}'} at these inputs{more}: there is no "
        "derivative to compare with; check at inputs where y is finite"
    )


def _check_convention(tested, convention, upstream, dxs, y):
    """Sentences about gradients at a tie that are not those of convention(dy)."""
    dxs = [dxs[i] for i in tested.wanted]
    try:
        wanted = convention(upstream)
    except (IndexError, ValueError):
        wanted = ()
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    if list(map(np.shape, wanted)) != list(map(np.shape, dxs)):
        return [f"y has shape {y.shape}, which is not the op's: its gradients at a tie have no convention"]
    found = []
    for i, dx, right in zip(tested.wanted, dxs, wanted):
        if not np.allclose(dx, right, rtol=0, atol=1e-12):
            at = tuple(map(int, np.unravel_index(np.argmax(np.abs(dx - right)), right.shape)))
            name = f"d{tested.names[i]}{list(at)}"
            found.append(f"at a tie {name} is {dx[at]:.6g}, by convention {right[at]:.6g}")
    return found


def _changed(tested, before):
    return [
        f"the input array {name} was changed"
        for name, x, old in zip(tested.names, tested.arrays, before)
        if not np.array_equal(x, old, equal_nan=x.dtype.kind == "f")
    ][:1]


def upstream_for(shape, seed):
    """The random ∂L/∂y of a check, rounded to float32, so that a float32 backward can be given the same.

    Its random stream is not that of the inputs: otherwise it would equal them, and batch norm's dx would be zero.
    """
    return np.asarray(np.random.default_rng([seed, 1]).standard_normal(shape), np.float32).astype(float)


def _check_float32(tested, report, upstream, terms):
    """Sentences about the backward in float32: its dtypes, and errors beyond SINGLE·u·max(Σ|∂L/∂y·∂y/∂x|, |∂L/∂y|).

    u = 2⁻²⁴ is the rounding of one step, relative to the sum Σ of the terms. It is relative to ∂L/∂y itself where a
    slope is a small difference of values near 1, as tanh's 1 − y² is.
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
        worst.float32_error = float(np.abs(single[1 + i] - double[1 + i]).max(initial=0)) / bound
        if not worst.float32_error <= SINGLE:
            problems.append(f"in float32 d{worst.argument} is {worst.float32_error:.3g} rounding units off")
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

    samples: how many times the cases are drawn. strict: float32 and the conventions at ties count as well; by default
    for the registered function only. device: where the function computes, "cuda" for CuPy.
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
