"""Reading what a submission gives back: y, gradients in any of their forms, and blanks."""

import numpy as np

from minires.gradcheck.grading import names
from minires.gradcheck.grading.errors import FormError, NotDoneError, WrongError, printable
from minires.gradcheck.grading.face import Handle

LARGEST = 2**24  # numbers in a list of lists and arrays
SAID = 10  # parts of an answer that a sentence names
RAGGED = "{what} is a list whose rows have different lengths, which is no array: return an array, as np.zeros(x.shape)"


def blank(value, what):
    """Raise NotDoneError for what a blank gives."""
    if value is None or value is Ellipsis or value is NotImplemented:
        raise NotDoneError(f"{what} gives {'...' if value is Ellipsis else value}")
    inside = list(value.values()) if isinstance(value, dict) else value
    if isinstance(inside, (tuple, list)) and inside and all(v is None or v is Ellipsis for v in inside):
        raise NotDoneError(f"{what} gives {', '.join('None' if v is None else '...' for v in inside)}")


def number(value, what):
    """An array of numbers."""
    blank(value, "the forward" if what == "y" else what)
    if isinstance(value, (bool, int, float, complex)):
        value = np.asarray(float(value) if not isinstance(value, complex) else value)
    if isinstance(value, (list, tuple)):
        joined = _joined(value)
        if joined is None and _is_ragged(value):
            raise FormError(RAGGED.format(what=what))
        value = value if joined is None else joined
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise WrongError(f"{what} is {kind_of(value)}, no array")
    return value


def _joined(value):
    """The array of a list of numbers and arrays, or None where it is none, or far too large."""
    count = _count(value)
    try:
        return np.asarray(value) if count is not None and count <= LARGEST else None  # of the widest type of them
    except ValueError:
        return None


def _count(value):
    """How many numbers are in a list of numbers and arrays; None where anything else is in it."""
    inside = [value]
    count = 0
    while inside:
        one = inside.pop()
        if isinstance(one, (list, tuple)):
            inside += one
        elif isinstance(one, (bool, int, float, complex)) or (
            isinstance(one, np.ndarray) and one.dtype.kind in "biufc"
        ):
            count += np.size(one)
        else:
            return None
    return count


def _is_ragged(value):
    """Whether a list holds numbers only, but not those of one array."""
    count = _count(value)
    return count is not None and count <= LARGEST and _joined(value) is None


def kind_of(value):
    """A value in words."""
    if isinstance(value, Handle):
        return _a(value.type)
    if isinstance(value, (tuple, list)):
        kinds = [kind_of(v).removeprefix("an ").removeprefix("a ") for v in value[:SAID]]
        return f"({', '.join(kinds + ['…'] * (len(value) > SAID))})"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return "None" if value is None else _a(type(value).__name__)


def _a(name):
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def unread(value, name):
    if isinstance(value, (np.ndarray, int, float)):
        return (
            f"{name} gives one array and no way back: return (y, backward), or name both functions, "
            f"FILE:{name},{name}_backward"
        )
    return (
        f"{name} gives {kind_of(value)}; return (y, backward), backward a function of dy, or name both functions, "
        f"FILE:FORWARD,BACKWARD"
    )


def read_gradients(standard, answer, order, shapes, own):
    """{argument: array or None} of what a backward gave. Raises NotDoneError for a blank, WrongError for no gradient.

    order: the arguments in the submission's order; shapes: {argument: shape} of those with a gradient; own: {argument:
    what the submission calls it}.
    """
    blank(answer, "the backward")
    wanted = list(shapes)
    if isinstance(answer, dict):
        return {name: _gradient(g, name, shapes) for name, g in _named(standard, answer, wanted, own).items()}
    known = [a for a in order if a in wanted] + [a for a in wanted if a not in order]
    values = _whole(answer, known, shapes) if isinstance(answer, (tuple, list)) else [answer]
    if len(values) > 1 and isinstance(values[-1], dict):
        merged = read_gradients(standard, values.pop(), order, shapes, own)
        first = dict(zip([a for a in order if a in wanted], values))
        return merged | {name: _gradient(g, name, shapes) for name, g in first.items()}
    values = _parts(values, known, shapes)
    if len(values) > len(known):
        full = list(order) + [a for a in standard.arguments if a not in order]
        known = full if len(values) <= len(full) else known
    if any(v is not None for v in values[len(known) :]):
        raise WrongError(
            f"the backward returns {len(values)} gradients for {len(known)} arguments ({', '.join(known)})"
        )
    missing = len(known) - len(values)
    if missing > 0 and not _fit(values, known, shapes) and _fit(values, known[missing:], shapes):
        known = known[missing:]  # of the weights alone, without that of x
    found = dict(zip(known, values))
    return {name: _gradient(found.get(name), name, shapes) for name in wanted}


def _whole(answer, known, shapes):
    """The gradients of a list or tuple: its parts, or one array that is written as a list of its rows."""
    one = _joined(answer)
    if (
        one is None
        and len(known) == 1
        and len(answer) > 1
        and _is_ragged(answer)
        and not _fit(answer[:1], known, shapes)
    ):
        raise FormError(RAGGED.format(what=f"the gradient for {known[0]}"))
    if one is None or not one.ndim or not known:
        return list(answer)
    if not one.size:
        is_one = len(known) == 1 and one.shape == (0,) and not np.prod(shapes[known[0]])
        return [list(answer)] if is_one else list(answer)
    numbers = isinstance(answer, list) and one.ndim == 1 and not any(isinstance(v, np.ndarray) for v in answer)
    rows = one.shape == shapes[known[0]] and not (len(known) > 1 and _fit(answer, known, shapes))
    too_many = len(known) == 1 and len(answer) > 1
    return [one] if numbers or rows or too_many else list(answer)


def _parts(values, known, shapes):
    """The gradients, with those in a tuple among them, as in dx, (dw, db); lists of numbers become arrays."""
    found = []
    for value in values:
        is_list = isinstance(value, (list, tuple))
        one = _joined(value) if is_list else None
        left = known[len(found) :]
        one_each = one is not None and not _fits_better(value, one, left, shapes)
        several = is_list and _holds_several(value) and not one_each
        found += value if several else [value if one is None or not one.size else one]
    return found


def _fits_better(value, one, left, shapes):
    """Whether the parts of a list are gradients, and not the list as one array. left: arguments without one so far."""
    differs = one.shape != shapes.get(left[0] if left else None)
    return differs and len(value) <= len(left) and _fit(value, left, shapes)


def _fit(values, arguments, shapes):
    """Whether gradients have the shapes of these arguments."""
    return all(_shape(value) == shapes.get(name) for value, name in zip(values, arguments))


def _shape(value):
    """The shape of an array, or of a list of numbers; None of a list that is no array."""
    if not isinstance(value, (list, tuple)):
        return np.shape(value)
    one = _joined(value)
    return None if one is None else one.shape


def _named(standard, answer, wanted, own):
    """{argument: value} of a dict of gradients."""
    if not answer:
        raise WrongError(f"the backward gives an empty dict, no gradient for {', '.join(wanted)}")
    arguments = {key: names.gradient_of(standard, key, own=own) for key in answer}
    found = {argument: answer[key] for key, argument in arguments.items() if argument in wanted}
    unknown = any(a is None and isinstance(answer[key], (np.ndarray, list)) for key, a in arguments.items())
    missing = any(found.get(name) is None for name in wanted)
    if not any(arguments.values()) or (unknown and missing):
        called = ", ".join(printable(key, 40) for key in list(answer)[:SAID])
        raise FormError(
            f"its gradients are called {called}; call them dx, dw, db, or d and the name of the parameter, "
            "or return a tuple"
        )
    return {name: found.get(name) for name in wanted}


def _holds_several(value):
    """Whether a tuple or list is one of gradients: of arrays, or a tuple of lists."""
    kinds = (np.ndarray, list) if isinstance(value, tuple) else np.ndarray
    return isinstance(value, (tuple, list)) and any(isinstance(v, kinds) for v in value)


def _gradient(value, name, shapes):
    if value is None:
        return None
    array = number(value, f"the gradient for {name}")
    if isinstance(value, list) and array.size == 0 == np.prod(shapes[name]):  # a list of nothing has no other axes
        return np.zeros(shapes[name])
    return array


def is_number(value):
    """Whether it is one number, also where it has axes of length 1."""
    return isinstance(value, (int, float)) or (isinstance(value, np.ndarray) and value.size == 1)
