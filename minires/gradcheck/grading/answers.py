"""Reading what a submission gives back: y, gradients in any of their forms, and blanks."""

import numpy as np

from minires.gradcheck.grading import names
from minires.gradcheck.grading.errors import FormError, NotDoneError, WrongError, printable
from minires.gradcheck.grading.face import Handle

LARGEST = 2**24  # numbers in a list of lists and arrays
SAID = 10  # parts of an answer that a sentence names


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
        value = value if joined is None else joined
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise WrongError(f"{what} is {kind_of(value)}, no array")
    return value


def _joined(value):
    """The array of a list of numbers and arrays, or None where it is none, or far too large."""
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
    try:
        return np.asarray(value) if count <= LARGEST else None  # all become what the widest of them is
    except ValueError:
        return None


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
    values = list(answer) if isinstance(answer, (tuple, list)) else [answer]
    if len(values) > 1 and isinstance(values[-1], dict):
        merged = read_gradients(standard, values.pop(), order, shapes, own)
        first = dict(zip([a for a in order if a in wanted], values))
        return merged | {name: _gradient(g, name, shapes) for name, g in first.items()}
    if isinstance(answer, list) and values and all(isinstance(v, (int, float)) for v in values):
        values = [np.asarray(answer)]
    values = [v for value in values for v in (value if _holds_arrays(value) else [value])]  # dx, (dw, db)
    known = [a for a in order if a in wanted] + [a for a in wanted if a not in order]
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


def _fit(values, arguments, shapes):
    """Whether gradients have the shapes of these arguments."""
    return all(np.shape(value) == shapes.get(name) for value, name in zip(values, arguments))


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


def _holds_arrays(value):
    return isinstance(value, (tuple, list)) and any(isinstance(v, np.ndarray) for v in value)


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
