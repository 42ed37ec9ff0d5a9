"""What a backward must do besides returning the right values.

It returns a gradient of the right shape and dtype for every argument, and the same one when called again. It does not
change its inputs or dy, and does not return their memory. It takes arrays of any memory layout, and read-only ones. It
returns zero for a dy of zeros, and a gradient 2²⁰ times as large or as small for such a dy.
"""

import copy
import inspect

import numpy as np

from minires.gradcheck.checks.point import max_abs
from minires.gradcheck.checks.tested_function import CannotCheckError

ROUNDING = 1e-9  # another kernel may compute the same gradient
ORDINARY = 1e250  # 2²⁰ times a larger value may be infinite


def breaches(tested, y, backward, dy, dxs, *, view=False):
    """Sentences about everything that is wrong, the most useful first. dxs = backward(dy) was called once already."""
    problems = _aliases(tested, y, dxs, view)
    problems += _zero(tested, backward, dy) or _linear(tested, backward, dy, tested.gradients(backward, dy.copy()))
    for layout, given in LAYOUTS.items():
        problems += _layout(tested, dy, layout, given)
    return problems


def repeatable(tested, backward, dy, dxs):
    """Sentences about gradients that differ when backward is called again. dxs = backward(dy) was called once."""
    again = tested.gradients(backward, dy.copy(), " when it is called a second time")
    return [
        f"backward called twice gives two different gradients for {tested.names[i]}: it draws random numbers, or "
        "keeps something between calls"
        for i in tested.wanted
        if not same(dxs[i], again[i])
    ]


def malformed(tested, dxs, y):
    """Sentences about gradients that are missing, or of another shape or dtype than their argument."""
    problems = []
    for i in tested.wanted:
        x, dx, name = tested.arrays[i], dxs[i], tested.names[i]
        if dx is None or np.asarray(dx).dtype.kind not in "fiubc":
            got = "no gradient (None)" if dx is None else f"a {type(dx).__name__}"
            setting = "" if x.ndim else f"; if it is a setting, pass it by keyword: {name}={x}"
            problems.append(f"backward gives {got} for {name} of shape {x.shape}{setting}")
        elif np.shape(dx) != x.shape:
            problems.append(f"backward gives a gradient of shape {np.shape(dx)} for {name} of shape {x.shape}")
        elif np.asarray(dx).dtype != (x.dtype if y.dtype == np.float64 else y.dtype):
            given = np.asarray(dx).dtype
            problems.append(
                f"backward gives a {given} gradient for {name} of {x.dtype}: keep the dtype"
                if y.dtype == x.dtype
                else f"y is {y.dtype} although {name} is {x.dtype}, and backward "
                f"gives a {given} gradient for {name}: compute all of it in the dtype of {name}"
            )
    return problems


def _aliases(tested, y, dxs, view):
    problems = []
    for name, x in zip(tested.names, tested.arrays):
        if not view and np.may_share_memory(y, x):
            problems.append(f"y shares memory with {name}: to change one changes the other; return a copy")
        problems += [
            f"d{tested.names[i]} shares memory with {name}: return a copy"
            for i in tested.wanted
            if np.may_share_memory(np.asarray(dxs[i]), x)
        ]
    return problems


def strict_breaches(tested, dy, dxs):
    """What an op of ours must do besides: sentences about everything that is wrong. dxs = backward(dy)."""
    return _needs(tested, dy, dxs) + _settings(tested, dy, dxs)


def _needs(tested, dy, dxs):
    """An op that is told which gradients are needed makes the same one when no other is."""
    _, backward = tested.forward(tested.arrays)
    if "needs" not in inspect.signature(backward).parameters:
        return []
    problems = []
    for i in tested.wanted:
        only = tuple(k == i for k in range(len(tested.arrays)))
        found = tested.gradients(lambda dy, only=only: backward(dy, only), dy.copy(), f" when {only} are needed")
        if not same(dxs[i], found[i], ROUNDING):
            problems.append(f"backward makes another d{tested.names[i]} when no other gradient is needed")
    return problems


def _settings(tested, dy, dxs):
    """An array that is a setting, such as running statistics, may change before backward runs."""
    settings = copy.deepcopy(tested.static)
    _, backward = tested.raw(*tested.arrays, **settings)
    for value in settings.values():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value += 1
    found = tested.gradients(backward, dy.copy(), " when a setting has changed since the forward")
    return [
        f"d{tested.names[i]} changes when a setting changes between forward and backward: keep a copy of it"
        for i in tested.wanted
        if not same(dxs[i], found[i], ROUNDING)
    ][:1]


def _zero(tested, backward, dy):
    for i, dx in enumerate(tested.gradients(backward, np.zeros_like(dy), " for a dy of zeros")):
        if i in tested.wanted and not np.all(np.asarray(dx) == 0):
            return [f"from a dy of zeros backward makes a d{tested.names[i]} that is not zero"]
    return []


def _linear(tested, backward, dy, dxs):
    """Powers of two scale without rounding, so a difference comes from a threshold, a clip or a norm of dy."""
    for power in (20, -20):
        factor = 2.0**power
        times = f"2^{abs(power)} times as {'large' if power > 0 else 'small'}"
        scaled = tested.gradients(backward, np.asarray(dy * dy.dtype.type(factor)), f" for a dy {times}")
        for i in tested.wanted:
            dx = np.asarray(dxs[i])
            back = np.asarray(scaled[i]) / factor
            largest = max(max_abs(dx), max_abs(dy))
            if largest < ORDINARY and not np.allclose(
                back, dx, rtol=0, atol=64 * np.finfo(back.dtype).eps * largest, equal_nan=True
            ):
                return [
                    f"your backward is not linear in dy: for a dy {times}, d{tested.names[i]} is not "
                    "so; do not clip dy, round it to 0 or divide it by its norm"
                ]
    return []


def strided(a):
    """The same values, with a gap after each one and in reverse order in memory."""
    if not a.ndim:
        return a
    gaps = np.empty((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::-2]
    gaps[...] = a
    return gaps


def repeated(a):
    """The first slice of a in place of all, as np.broadcast_to makes it: read-only, with a stride of 0."""
    return np.broadcast_to(a[:1] if a.ndim else a, a.shape)


LAYOUTS = {strided: "arrays that are not contiguous in memory", repeated: "read-only arrays from np.broadcast_to"}


def _layout(tested, dy, layout, given):
    """The same values must give the same gradients in this memory layout and contiguous."""
    results = []
    floats = {i: layout(tested.arrays[i]) for i in tested.wanted}
    for copied in (True, False):  # copies first: if they raise, the cause is the values and not the layout
        arrays = [floats.get(i, a) for i, a in enumerate(tested.arrays)]
        upstream = layout(dy)
        if copied:
            arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in arrays]
            upstream = upstream.copy()
        try:
            _, backward = tested.forward(arrays)
            results.append(tested.gradients(backward, upstream))
        except CannotCheckError as error:
            return [] if copied else [f"given {given}, {error}"]
    return [
        f"given {given}, backward makes another d{tested.names[i]} than from copies of them"
        for i in tested.wanted
        if not same(results[0][i], results[1][i], 1e-12)
    ][:1]


def same(a, b, tolerance=0.0):
    """Whether two arrays are equal up to tolerance·max(1, the largest |a|). NaNs are equal."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return False
    a = np.asarray(a)
    b = np.asarray(b)
    scale = max(1.0, float(np.nanmax(np.abs(a), initial=0))) if tolerance else 0
    return np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True)
