"""The catalogue of planted bugs: one that gives the same gradients, or the same gradient of one argument."""

import copy
import re
from dataclasses import replace

import numpy as np

from minires.gradcheck.bugs import Call, catalogue
from minires.gradcheck.grading.hints.wrong import Wrong, same
from minires.gradcheck.grading.standard import argument_names

SINGULAR = {"are those": "is that", "are": "is", "use": "uses", "treat": "treats", "ignore": "ignores", "keep": "keeps"}
PLURAL = re.compile(f"^your gradients ({'|'.join(SINGULAR)})")


def of_gradient(wrong, all_given):
    """([hint of a bug that gives all gradients], [hint of one that gives this gradient, but not the others])."""
    of_one = []
    if wrong.op.startswith("batch_norm") and wrong.case.arrays[0].ndim in (2, 3):
        wrong = _as_images(wrong)
    for bug in catalogue:
        if bug.op != wrong.op:
            continue
        static = copy.deepcopy(wrong.case.static)
        try:
            given = bug.gradients(Call(bug.op, [a.copy() for a in wrong.case.arrays], static, wrong.dy.copy()))
        except Exception:  # a bug that does not apply here explains nothing
            continue
        given = given if isinstance(given, tuple) else (given,)
        found = dict(zip(argument_names(wrong.standard, wrong.case), given))
        mine = found.get(wrong.name)
        if not same(mine, wrong.given) or same(mine, wrong.right):
            continue
        if all(_same_numbers(found.get(name), g) for name, g in all_given.items() if name != wrong.name):
            return [bug.hint], []
        of_one = of_one or [PLURAL.sub(lambda said: f"your d{wrong.name} {SINGULAR[said[1]]}", bug.hint)]
    return [], of_one


def _same_numbers(found, given):
    """Whether two gradients are the same but for axes of length 1, which those of images have."""
    return found is not None and given is not None and same(np.squeeze(found), np.squeeze(given))


def _as_images(wrong):
    """The same of a case of (N,C) or (N,C,L), as one of (N,C,L,1)."""
    x, *rest = wrong.case.arrays

    def image(a):
        return a.reshape(*a.shape, *[1] * (4 - a.ndim))

    given = image(wrong.given) if wrong.given.shape == x.shape else wrong.given
    return Wrong(wrong.standard, replace(wrong.case, arrays=(image(x), *rest)), given, wrong.name, image(wrong.dy))
