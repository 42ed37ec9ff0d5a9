"""What a submission declares and no case has set: it is not marked, so it is said."""

import numpy as np

from minires.gradcheck.grading.standard import REQUIRED

ROLES = ("setting", "half", "mode", "flag")
STAYS = "not tried: {names}, because {which} unknown here, or the same in each case that could be tried"


def parameters(plan, cases):
    """The names of the parameters that had one value in all cases."""
    found = []
    slots = [slot for binding in plan.all_bindings() for slot in binding.slots]
    for slot in slots:
        if slot.role == "default":
            found.append(slot.parameter.name)
        elif slot.role in ROLES and not slot.parameter.required and cases:
            values = [plan.values(case)(slot) for case in cases]
            if all(_same(values[0], value) for value in values[1:]):
                found.append(slot.parameter.name)
    return list(dict.fromkeys(found))


def sentence(names):
    """The note on these parameters, or ""."""
    return STAYS.format(names=", ".join(names), which="each is" if names[1:] else "it is") if names else ""


def _same(a, b):
    if a is REQUIRED or b is REQUIRED or a is None or b is None:
        return a is b
    return np.shape(a) == np.shape(b) and bool(np.all(np.equal(a, b))) if not isinstance(a, str) else a == b
