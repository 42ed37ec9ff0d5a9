"""A hint in the submission's own layout, and with its own names of the arrays.

Hints speak of the op as it is here: linear has weights (O,I), and its dweight is dyᵀ·x. In another layout of the same
mistake the same sentence would say the opposite of what helps.
"""

import re

import numpy as np

from minires.gradcheck.grading.layouts import SAME

OF_DX = "your dx is dy·weightᵀ: y = x·weightᵀ, so dx = dy·weight"
OF_DWEIGHT = "your dweight is xᵀ·dy: weight has shape (outputs, inputs), so dweight = dyᵀ·x"
# (whether a column is a sample, whether weights are (I,O)): what the two hints of linear are there
OF_LINEAR = {
    (False, True): {
        OF_DX: "your dx is dy·weight: y = x·weight, so dx = dy·weightᵀ",
        OF_DWEIGHT: "your dweight is dyᵀ·x: weight has shape (inputs, outputs), so dweight = xᵀ·dy",
    },
    (True, False): {
        OF_DX: "your dx is weight·dy: y = weight·x, so dx = weightᵀ·dy",
        OF_DWEIGHT: "your dweight is x·dyᵀ: weight has shape (outputs, inputs), so dweight = dy·xᵀ",
    },
    (True, True): {
        OF_DX: "your dx is weightᵀ·dy: y = weightᵀ·x, so dx = weight·dy",
        OF_DWEIGHT: "your dweight is dy·xᵀ: weight has shape (inputs, outputs), so dweight = x·dyᵀ",
    },
}
BARE = ("weight", "bias", "logits")  # names that stand for nothing else in a sentence
OF_SEVERAL = re.compile(r"your (d\S+) is ((?:not )?divided by .*|right but for a factor .*)")


def joined(hints):
    """The hints, with one for all gradients of which the same is said."""
    said = {}  # {what is said: the gradients, or None for a hint that stays as it is}
    for hint in hints:
        found = OF_SEVERAL.fullmatch(hint)
        if found:
            said.setdefault(found[2], []).append(found[1])
        else:
            said[hint] = None
    return [_of_all(rest, gradients) if gradients else rest for rest, gradients in said.items()]


def _of_all(said, gradients):
    *most, last = dict.fromkeys(gradients)
    return f"your {', '.join(most)} and {last} are {said}" if most else f"your {last} is {said}"


def in_own_words(hint, plan):
    """The hint as the author of a submission can use it; "" where it says nothing in this layout."""
    words = plan.layout.words
    if plan.standard.name == "linear":
        hint = OF_LINEAR.get(("column" in words, "weights (I,O)" in words), {}).get(hint, hint)
    if "reduction" in plan.standard.settings:
        hint = hint.replace("your y ", "your loss ")
    if "channels last" in words:
        if "(N,H,W,C)" in hint or "[c,o]" in hint:
            return ""
        shape = re.search(r"weights (\(.*?\))", words)
        hint = hint.replace("(O,C/groups,KH,KW)", shape[1] if shape else "(O,C/groups,KH,KW)")
    moved = {f"d{name}" for name, change in plan.layout.changes.items() if change.order}
    moved |= {"y"} if plan.layout.output.order else set()
    if (ordered := re.match(r"your (\w+) has its axes in ", hint)) and ordered[1] in moved:  # letters are the op's
        hint = f"your {ordered[1]} has its axes in another order"
    if any(f"{name} has shape (" in hint and "keepdims" in hint for name in plan.layout.changes):
        return ""
    for argument, own in plan.own_names().items():
        if argument.isidentifier() and own != argument:
            prefix = "d?" if argument in BARE else "d"
            hint = re.sub(rf"(?<![A-Za-z0-9_])({prefix}){argument}(?![A-Za-z0-9_])", rf"\g<1>{own}", hint)
    return hint


def own_place(layout, name, at, shape):
    """Where an element of the op's array lies in the submission's."""
    change = layout.output if name == "y" else layout.changes.get(name, SAME)
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    places = np.argwhere(change.there(numbers) == numbers[at])
    return tuple(map(int, places[0])) if len(places) else at


def own_shape(layout, name, shape):
    """The shape of an array with reordered axes, as the submission has it."""
    order = layout.changes[name].order if name in layout.changes else ()
    return tuple(shape[k] for k in order) if order and len(order) == len(shape) else tuple(shape)
