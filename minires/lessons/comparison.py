"""Whether two answers are the same, and which number is the first that is not.

Both sides compute in float64, on sums of at most 10⁴ terms: TOLERANCE is that of the grader (grading/verdict.py). An
answer whose numbers all fit float32 was computed in that. A sum of n terms is then off by n·2⁻²⁴ of the largest at
most. That is half of SINGLE for 10³ terms, more than any exercise here has.
"""

import numpy as np

from minires.gradcheck.grading.answers import kind_of, number
from minires.gradcheck.grading.errors import FormError, NotDoneError, WrongError
from minires.gradcheck.grading.verdict import is_single
from minires.lessons.text import has, is_

TOLERANCE = 1e-7  # of the largest element
SINGLE = 1e-4
NO_NUMBERS = (FormError, NotDoneError, WrongError)  # of what cannot be read as an array of numbers


def difference(value, right, names, exact=False):
    """What is wrong with a value, in a sentence, or "". names: of the results, one or several."""
    if len(names) == 1:
        return _of_one(value, right, names[0], exact)
    if not isinstance(value, (tuple, list)) or len(value) != len(names):
        found = f"{len(value)} results" if isinstance(value, (tuple, list)) else kind_of(value)
        return f"it gives {found}, and {len(names)} results are asked for: {', '.join(names)}"
    return next(filter(None, (_of_one(v, r, n, exact) for v, r, n in zip(value, right, names))), "")


def array(value):
    """A value as an array of numbers, or None where it is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list) and any(type(v) is int and abs(v) >= 2**63 for v in value):
        value = [float(v) if type(v) is int else v for v in value]  # NumPy's integers have 64 bits
    try:
        return number(value, "it")
    except NO_NUMBERS:
        return None


def close(a, b):
    """Whether two values are arrays of numbers of one shape and, but for rounding, the same numbers."""
    a = array(a)
    b = array(b)
    if a is None or b is None or a.shape != b.shape:
        return False
    return not np.any(_wrong(a, b))


def _of_one(value, right, name, exact):
    if exact:
        return _of_whole(value, right, name)
    try:
        a = number(value, name)
    except NO_NUMBERS as error:
        return str(error)
    b = np.asarray(right)
    if a.shape != b.shape:
        return f"{name} {has(name)} shape {a.shape}, and {b.shape} is right"
    wrong = _wrong(a, b)
    if not np.any(wrong):
        return ""
    at = tuple(map(int, np.argwhere(wrong)[0]))
    place = f"[{', '.join(map(str, at))}]" if at else ""
    return f"{name}{place} is {_said(a[at])}, and {_said(b[at])} is right"


def _wrong(a, b):
    """Which numbers of an array are wrong."""
    tolerance = SINGLE if is_single(a) else TOLERANCE
    finite = np.isfinite(b)  # all of a right answer; a mistake may give NaN where an answer gives it, too
    with np.errstate(all="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return ~(same | (np.abs(a - b) <= tolerance * np.abs(b).max(initial=0, where=finite)))


def whole(value):
    """A list of numbers as Python has them, or None: in an array of floats large whole numbers are no longer exact."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return None
    numbers = [v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for v in value]
    return numbers if all(isinstance(v, (int, float)) for v in numbers) else None


def _of_whole(value, right, name):
    numbers = whole(value)
    if numbers is None:
        return f"{name} {is_(name)} {kind_of(value)}, and a list of whole numbers is asked for"
    if len(numbers) != len(right):
        return f"{name} {has(name)} length {len(numbers)}, and {len(right)} is right"
    wrong = [k for k, (a, b) in enumerate(zip(numbers, right)) if a != b]
    if not wrong:
        return ""
    return f"{name}[{wrong[0]}] is {numbers[wrong[0]]}, and {right[wrong[0]]} is right"


def _said(value):
    return f"{value:.6g}" if np.asarray(value).dtype.kind != "b" else str(bool(value))
