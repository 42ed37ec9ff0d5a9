"""What an exception of a submission tells about its mistake."""

import re

from minires.gradcheck.grading.hints import windows
from minires.gradcheck.grading.standard import OTHER_BATCH

ASSIGNED = re.compile(r"could not broadcast input array from shape \(([\d, ]*)\) into shape \(([\d, ]*)\)")
RESHAPED = re.compile(r"cannot reshape array of size (\d+) into shape \(([\d, ]*)\)")


def of_raised(standard, case, error):
    """Hints for a RaisedError."""
    if case.label == OTHER_BATCH:
        return [f"here {standard.arguments[0]} has one sample more: take the number of samples from its shape"]
    if reshaped := RESHAPED.search(error.message):
        hint = windows.of_reshaped(standard, case, int(reshaped[1]), _shape(reshaped[2]))
        return [hint] * bool(hint)
    shapes = ASSIGNED.search(error.message)
    if shapes is None:
        return []
    hint = windows.of_raised(standard, case, *map(_shape, shapes.groups()))
    return [hint] * bool(hint)


def _shape(text):
    return tuple(int(n) for n in text.replace(" ", "").split(",") if n)
