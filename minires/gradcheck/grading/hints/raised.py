"""What an exception of a submission tells about its mistake."""

import re

from minires.gradcheck.grading.hints import windows
from minires.gradcheck.grading.standard import OTHER_BATCH

ASSIGNED = re.compile(r"could not broadcast input array from shape \(([\d, ]*)\) into shape \(([\d, ]*)\)")


def of_raised(standard, case, error):
    """Hints for a RaisedError."""
    if case.label == OTHER_BATCH:
        return [f"here {standard.arguments[0]} has one sample more: take the number of samples from its shape"]
    shapes = ASSIGNED.search(error.message)
    if shapes is None:
        return []
    source, wanted = (tuple(int(n) for n in text.replace(" ", "").split(",") if n) for text in shapes.groups())
    hint = windows.of_raised(standard, case, source, wanted)
    return [hint] * bool(hint)
