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
    blank(value, what)
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
        return f"{'an' if value.type[:1] in 'aeiou' else 'a'} {value.type}"
    if isinstance(value, (tuple, list)):
        kinds = [kind_of(v).removeprefix("an ").removeprefix("a ") for v in value[:SAID]]
        return f"({', '.join(kinds + ['…'] * (len(value) > SAID))})"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return "None" if value is None else f"a {type(value).__name__}"


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


def read_gradients(standard, answer, order, wanted):
    """{argument: array or None}. Raises NotDoneError where nothing is given, WrongError for what is no gradient."""
    blank(answer, "the backward")
    if isinstance(answer, dict):
        found = {}
        for key, value in answer.items():
            argument = names.gradient_of(standard, key)
            if argument is not None:
                found[argument] = value
        if not answer:
            raise WrongError(f"the backward gives an empty dict, no gradient for {', '.join(wanted)}")
        if not found:
            called = ", ".join(printable(key, 40) for key in list(answer)[:SAID])
            raise FormError(f"its gradients are called {called}; call them dx, dw, db, or return a tuple")
        return {name: _gradient(found.get(name), name) for name in wanted}
    values = list(answer) if isinstance(answer, (tuple, list)) else [answer]
    if len(values) > 1 and isinstance(values[-1], dict):
        merged = read_gradients(standard, values.pop(), order, wanted)
        first = dict(zip([a for a in order if a in wanted], values))
        return merged | {name: _gradient(g, name) for name, g in first.items()}
    if isinstance(answer, list) and values and all(isinstance(v, (int, float)) for v in values):
        values = [np.asarray(answer)]
    known = [a for a in order if a in wanted] + [a for a in wanted if a not in order]
    if len(values) > len(known):
        full = list(order) + [a for a in standard.arguments if a not in order]
        known = full if len(values) <= len(full) else known
    if any(v is not None for v in values[len(known) :]):
        raise WrongError(
            f"the backward returns {len(values)} gradients for {len(known)} arguments ({', '.join(known)})"
        )
    found = dict(zip(known, values))
    return {name: _gradient(found.get(name), name) for name in wanted}


def _gradient(value, name):
    return None if value is None else number(value, f"the gradient for {name}")


def is_number(value):
    return isinstance(value, (int, float)) or (isinstance(value, np.ndarray) and value.ndim == 0)
