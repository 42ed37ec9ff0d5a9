"""The hint that names a mistake: found by computing what the mistake would give, in every case that was tried.

An exercise's own mistakes are asked first. Then those that are made everywhere: transposed, a factor, a sign, a mean
for a sum, numbers that lose their fraction, results or elements in another order.
"""

import copy
import itertools

import numpy as np

from minires.lessons.comparison import array, close, whole
from minires.lessons.text import has, is_

SAID = 6  # digits of a factor


def hint(exercise, tries):
    """The hint for these tries, of which one at least is wrong; or ""."""
    given = [one for one in tries if not one.raised]
    if all(not one.problem for one in given):
        changed = next((one.changed for one in given if one.changed), "")
        said = f"your function changes {changed}, which is not its own: work on a copy" if changed else ""
        return said or _of_one_value(exercise, tries)
    found = _of_signs(exercise, given) or _of_mistakes(exercise, given)
    if not found and exercise.has_one_answer:
        found = _general(exercise, given)
    return found or _of_first(tries)


def _of_signs(exercise, given):
    for said, shows in exercise.signs.items():
        if all(_safely(shows, one.value, *one.arguments) for one in given if one.problem):
            return said
    return ""


def _of_mistakes(exercise, given):
    """The mistake that gives the same in every case, also in those where it does no harm."""
    for said, mistake in exercise.mistakes.items():
        if all(_safely(_gives, exercise, mistake, one) for one in given):
            return said
    return ""


def _gives(exercise, mistake, one):
    return exercise.same(one.value, mistake(*copy.deepcopy(one.arguments)))


def _safely(shows, *arguments):
    """A mistake, or a look at a value of any kind, may raise; then it explains nothing."""
    with np.errstate(all="ignore"):
        try:
            return shows(*arguments)
        except Exception:
            return False


def _of_first(tries):
    if len(tries) > 2 and tries[0].passed and not any(one.passed for one in tries[1:]):
        return (
            "only the first case is right: does your function use its numbers as constants, "
            "where it should use its arguments?"
        )
    return ""


def _of_one_value(exercise, tries):
    """A number that is the same in all cases that are right, and another one in all that raise an error."""
    right = [one for one in tries if one.passed]
    raised = [one for one in tries if one.raised]
    if len(right) < 2 or not raised:
        return ""
    for k, name in enumerate(exercise.parameters):
        numbers = [one.arguments[k] for one in right]
        if type(numbers[0]) not in (int, float) or any(number != numbers[0] for number in numbers):
            continue
        if all(one.arguments[k] != numbers[0] for one in raised):
            return f"your function is right where {name} is {numbers[0]}, and fails elsewhere: where do you use {name}?"
    return ""


# ---- mistakes that are made everywhere


def _general(exercise, given):
    right = [exercise(*one.arguments) for one in given]
    names = exercise.gives
    if len(names) == 1:
        return _of_arrays(names[0], given, [one.value for one in given], right)
    values = [one.value for one in given]
    if not all(isinstance(v, (tuple, list)) and len(v) == len(names) for v in values):
        return _of_count(names, values, right)
    if found := _of_order(names, values, right):
        return found
    for i, j in itertools.combinations(range(len(names)), 2):
        if all(close(v[i], r[j]) and close(v[j], r[i]) for v, r in zip(values, right)):
            first, second = (names[k].removeprefix("the ") for k in (i, j))
            return f"your {first} and your {second} are in the wrong order: return {', '.join(names)}"
    for k, name in enumerate(names):
        mine = [v[k] for v in values]
        wanted = [r[k] for r in right]
        if not all(close(a, b) for a, b in zip(mine, wanted)):
            return _of_arrays(name, given, mine, wanted)
    return ""


def _of_count(names, values, right):
    """One result is missing, or only one is returned."""
    for k, name in enumerate(names):
        others = [[part for j, part in enumerate(r) if j != k] for r in right]
        if all(isinstance(v, (tuple, list)) and _all_close(v, r) for v, r in zip(values, others)):
            return f"{name} is missing: return {', '.join(names)}"
        if all(not isinstance(v, (tuple, list)) and _safely(close, v, r[k]) for v, r in zip(values, right)):
            return f"you return {name} alone: return {', '.join(names)}"
    return ""


def _all_close(values, right):
    return len(values) == len(right) and all(_safely(close, a, b) for a, b in zip(values, right))


def _of_order(names, values, right):
    """More than two results that all are right, each in the place of another."""

    def is_result(i, j):
        return all(_safely(close, v[i], r[j]) for v, r in zip(values, right))

    count = len(names)
    owner = [next((j for j in (i, *range(count)) if is_result(i, j)), None) for i in range(count)]
    if sorted(owner, key=str) != list(range(count)) or sum(i != j for i, j in enumerate(owner)) <= 2:
        return ""
    return f"your results are in the wrong order, {', '.join(names[j] for j in owner)}: return {', '.join(names)}"


def _of_arrays(name, given, values, right):
    """values, right: of one result, case by case."""
    name = name.removeprefix("the ")  # "your gradient", where an exercise gives "the gradient"
    if any(isinstance(n, float) and not n.is_integer() for v in values for n in whole(v) or ()) and all(
        isinstance(n, int) for r in map(whole, right) for n in ([0.5] if r is None else r)
    ):
        return f"your {name} {has(name)} fractions, and whole numbers are asked for"
    pairs = [(array(value), array(r)) for value, r in zip(values, right)]
    if any(a is None or b is None or a.dtype.kind == "c" for a, b in pairs):
        return ""
    for what, change in ORDERS.items():
        if all(_safely(_becomes, change, a, b) for a, b in pairs):
            return f"your {name} {is_(name)} right, but {what}"
    if all(a.size == b.size and close(a.ravel(), b.ravel()) for a, b in pairs):
        a, b = next((pair for pair in pairs if pair[0].shape != pair[1].shape), pairs[0])
        return f"your {name} {has(name)} the right numbers in the shape {a.shape}: {b.shape} is asked for"
    same_shape = [(one, a, b) for one, (a, b) in zip(given, pairs) if a.shape == b.shape]
    if len(same_shape) < len(pairs):
        return _of_length(name, pairs)
    if all(close(a, np.trunc(b)) or close(a, np.floor(b)) for _, a, b in same_shape):
        return (
            f"your {name} {has(name)} whole numbers only, and the fractions are lost: "
            "does an array have the dtype int, or is there a // in place of a /?"
        )
    return (
        _of_factor(name, same_shape)
        or _of_reshape(name, pairs)
        or (
            f"your {name} {has(name)} the right numbers in another order"
            if all(close(np.sort(a, axis=None), np.sort(b, axis=None)) for _, a, b in same_shape)
            else ""
        )
    )


def _of_reshape(name, pairs):
    """A reshape where axes had to be transposed first."""
    for order in itertools.permutations(range(pairs[0][1].ndim)):
        if all(a.ndim == len(order) and close(a, b.transpose(order).reshape(b.shape)) for a, b in pairs):
            return (
                f"your {name} {has(name)} the right numbers in another order: reshape does not transpose, so bring the "
                "axes into the right order first"
            )
    return ""


def _becomes(change, a, b):
    return close(change(a), b)


ORDERS = {
    "transposed: exchange its two axes": np.transpose,
    "in the reverse order: begin at the other end": lambda a: a[::-1],
    "its axes are in another order": lambda a: np.moveaxis(a, 0, -1),
    "its axes are in another order, the last one first": lambda a: np.moveaxis(a, -1, 0),
}


def _of_length(name, pairs):
    """One element too few or too many, along one axis."""
    for a, b in pairs:
        if a.ndim != b.ndim or not a.ndim:
            return ""
    if all(len(a) == len(b) - 1 and close(a, b[:-1]) for a, b in pairs):
        return f"the last is missing in your {name}"
    if all(len(a) == len(b) - 1 and close(a, b[1:]) for a, b in pairs):
        return f"the first is missing in your {name}"
    if all(len(a) == len(b) + 1 and close(a[:-1], b) for a, b in pairs):
        return f"there is one too many in your {name}: leave out the last"
    return ""


def _of_factor(name, tries):
    """One factor in all cases, or the number of elements along an axis of an argument."""
    factors = []
    for one, a, b in tries:
        if not np.any(b):
            continue
        with np.errstate(all="ignore"):
            factor = float(np.sum(a * b) / np.sum(b * b))
        if not np.isfinite(factor) or not close(a, factor * b):
            return ""
        factors.append((one, factor))
    if not factors:
        return ""
    first = factors[0][1]
    if all(abs(factor) < 1e-9 for _, factor in factors):
        return f"your {name} {is_(name)} zero"
    if all(abs(factor + 1) < 1e-6 for _, factor in factors):
        return f"your {name} {has(name)} the wrong sign"
    if len(factors) > 1 and all(abs(factor - first) < 1e-6 * abs(first) for _, factor in factors):
        return f"your {name} {is_(name)} right but for a factor, {first:.{SAID}g}"
    for sign, said in ((-1, "a mean, where a sum is asked for: do not divide by"), (1, "not divided by")):
        for what in _counts(factors[0][0]):
            counts = [_counts(one).get(what) for one, _ in factors]  # None: an argument of fewer axes in this case
            if all(n and abs(factor * n**-sign - 1) < 1e-6 for n, (_, factor) in zip(counts, factors)):
                return f"your {name} {is_(name)} {said} {what}"
    return ""


def _counts(one):
    """What a sum of this call may wrongly be divided by: {in words: number}."""
    found = {}
    for k, argument in enumerate(one.arguments):
        if isinstance(argument, np.ndarray) and argument.size:
            found[f"the number of elements of argument {k + 1}"] = argument.size
            found |= {f"the length of axis {axis} of argument {k + 1}": n for axis, n in enumerate(argument.shape)}
    return found
