"""What a backward owes its caller besides the right numbers.

It returns a gradient of the right shape and dtype for every argument, the same when called again; it leaves its inputs
and dy alone and hands out no piece of them; it takes arrays that lie in memory in any way, read-only ones too; from
a zero dy it makes zero, and from a dy 2²⁰ times as large or as small a gradient that is just so.
"""

import numpy as np

from minires.gradcheck.checks.point import greatest
from minires.gradcheck.checks.tested_function import CannotCheckError

ORDINARY = 1e250  # 2²⁰ times what is greater may be infinite


def breaches(tested, y, backward, dy, dxs, *, view=False):
    """Sentences about everything that is wrong, most telling first; dxs = backward(dy) was called once already."""
    problems = _aliases(tested, y, dxs, view)
    problems += _zero(tested, backward, dy) or _linear(tested, backward, dy, tested.gradients(backward, dy.copy()))
    for layout, given in LAYOUTS.items():
        problems += _layout(tested, dy, layout, given)
    return problems


def repeatable(tested, backward, dy, dxs):
    """Sentences about gradients that are others when backward is called again; dxs = backward(dy) was called once."""
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
            problems.append(f"y shares memory with {name}: whoever changes one changes the other; return a copy")
        problems += [
            f"d{tested.names[i]} shares memory with {name}: return a copy"
            for i in tested.wanted
            if np.may_share_memory(np.asarray(dxs[i]), x)
        ]
    return problems


def _zero(tested, backward, dy):
    for i, dx in enumerate(tested.gradients(backward, np.zeros_like(dy), " for a dy of zeros")):
        if i in tested.wanted and not np.all(np.asarray(dx) == 0):
            return [f"from a dy of zeros backward makes a d{tested.names[i]} that is not zero"]
    return []


def _linear(tested, backward, dy, dxs):
    """Powers of two scale without rounding, so what differs is a threshold, a clip or a norm of dy."""
    for power in (20, -20):
        factor = 2.0**power
        times = f"2^{abs(power)} times as {'large' if power > 0 else 'small'}"
        scaled = tested.gradients(backward, np.asarray(dy * dy.dtype.type(factor)), f" for a dy {times}")
        for i in tested.wanted:
            dx = np.asarray(dxs[i])
            back = np.asarray(scaled[i]) / factor
            largest = max(greatest(dx), greatest(dy))
            if largest < ORDINARY and not np.allclose(
                back, dx, rtol=0, atol=64 * np.finfo(back.dtype).eps * largest, equal_nan=True
            ):
                return [
                    f"your backward is not linear in dy: from a dy {times} it makes a d{tested.names[i]} that is "
                    "not; leave out what clips it, rounds it to 0 or divides by a norm of it"
                ]
    return []


def strided(a):
    """The same numbers, with a gap after each and from back to front in memory."""
    if not a.ndim:
        return a
    gaps = np.empty((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::-2]
    gaps[...] = a
    return gaps


def repeated(a):
    """The first slice of a for all of them, as np.broadcast_to makes it: read-only, with a stride of 0."""
    return np.broadcast_to(a[:1] if a.ndim else a, a.shape)


LAYOUTS = {strided: "arrays that are not contiguous in memory", repeated: "read-only arrays from np.broadcast_to"}


def _layout(tested, dy, layout, given):
    """The same numbers, once lying so and once contiguous, must give the same."""
    results = []
    floats = {i: layout(tested.arrays[i]) for i in tested.wanted}
    for copied in (True, False):  # copies first: if they raise, it is the numbers and not the memory
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
    """Whether two arrays are equal, NaNs too, but for tolerance·max(1, the greatest |a|)."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return False
    a = np.asarray(a)
    b = np.asarray(b)
    scale = max(1.0, float(np.nanmax(np.abs(a), initial=0))) if tolerance else 0
    return np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True)
