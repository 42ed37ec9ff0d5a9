"""Whether a wrong answer to x with more axes is right work for matrices, which need not raise there.

In a matrix, axis 1 is the last one, is all axes of a row, and is what is left after axis 0. With more axes these are
different. What each of them gives is computed here, so an answer that none of them gives is wrong.
"""

import numpy as np

from minires.gradcheck.grading import forms
from minires.gradcheck.grading.hints import same

# Ops that many write for matrices only.
RANKED = ("layer_norm", "linear", "softmax", "log_softmax", "logsumexp")


def is_for_matrices(standard, said, record, plain):
    """Whether a case has more axes than the function is written for.

    Then y is what another meaning of axis 1 gives; or it is right, and gradients of parameters have another shape.
    """
    case = record.case
    deeper = any(a.ndim > b.ndim for a, b in zip(case.arrays, plain.arrays))  # x, or γ and β of the same x
    if standard.name not in RANKED or not deeper:
        return False
    if said.y_is_wrong:
        settings = standard.full_settings(case)
        return bool(record.ys) and any(same(record.ys[0], y) for y in _readings(standard.name, case.arrays, settings))
    parameters = set(record.given.get("first", {})) - {standard.arguments[0]}
    return bool(said.misshapen) and (len(set(said.wrong)) > 1 or parameters == set(said.misshapen))


def reason(standard, said, record, plain):
    """Why such a case is passed over."""
    deeper = forms.deeper(standard, record.case, plain)
    return deeper if said.y_is_wrong else deeper + forms.IN_BACKWARD


def _readings(op, arrays, settings):
    """The y of each meaning."""
    x, *rest = arrays
    inner = tuple(range(1, x.ndim))
    if op == "linear":
        if rest[0].shape[1] != x.shape[-1]:  # images that are to be flattened
            return
        y = x.sum(inner[:-1]) @ rest[0].T
        yield y + rest[1] if len(rest) > 1 else y
        return
    for axes in ((1,), (0,), inner, *[(-1,)] * (op == "layer_norm")):  # a norm of the last axis alone has no shape of γ
        if op == "layer_norm":
            x_hat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + settings["eps"])
            yield x_hat * (rest[0] if rest else 1) + (rest[1] if len(rest) > 1 else 0)
            continue
        largest = x.max(axes, keepdims=True)
        e = np.exp(x - largest)
        added = e.sum(axes, keepdims=True)
        if op == "softmax":
            yield e / added
        elif op == "log_softmax":
            yield x - largest - np.log(added)
        else:
            yield (largest + np.log(added)).squeeze(axes)
            yield largest + np.log(added)
