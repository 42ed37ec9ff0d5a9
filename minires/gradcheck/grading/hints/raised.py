"""What an exception of a submission tells about its mistake."""

import re

from minires.gradcheck.grading.hints import windows

ASSIGNED = re.compile(r"could not broadcast input array from shape \(([\d, ]*)\) into shape \(([\d, ]*)\)")


def of_raised(standard, case, error):
    """Hints for a RaisedError."""
    shapes = ASSIGNED.search(error.message)
    if shapes is None:
        return []
    source, wanted = (tuple(int(n) for n in text.replace(" ", "").split(",") if n) for text in shapes.groups())
    hint = windows.of_raised(standard, case, source, wanted)
    return [hint] * bool(hint)
