"""Mistakes of a residual block or a net that is held to a teacher's own function."""

from minires.gradcheck.grading.hints import masks
from minires.gradcheck.grading.hints.wrong import same

BRANCH = "your d{name} is that of the branch alone: add what the shortcut passes on, the 1 in 1 + F′"
SHORTCUT = "your d{name} is what the shortcut passes on alone: add the gradient through the branch, F′ in 1 + F′"
MASK = (
    "your gradients miss the mask of a ReLU: where the forward has h = relu(a), the backward multiplies by (a > 0) "
    "before it goes on to a"
)


def ys(wrong):
    """None: what a teacher's function computes is not known."""
    return ()


def gradients(wrong):
    """(gradient, hint) of what may be missing: a part of y = x + F(x), or the mask of a ReLU."""
    if wrong.standard.is_op:
        return
    y, _ = wrong.standard.right(wrong.case)
    if wrong.is_first and wrong.dy.shape == wrong.case.arrays[0].shape == wrong.right.shape:
        for passed in (wrong.dy, wrong.dy * (y > 0)):  # what the shortcut passes on
            if not same(wrong.right, passed):
                yield wrong.right - passed, BRANCH.format(name=wrong.name)
                yield passed, SHORTCUT.format(name=wrong.name)
    if wrong.standard.remake is not None:
        at = wrong.standard.arguments.index(wrong.name)
        reference, remake = wrong.standard.written, wrong.standard.remake
        for found in masks.without(reference, remake, wrong.case.arrays, wrong.dy, y):
            found = found if isinstance(found, (tuple, list)) else (found,)
            yield found[at], MASK
