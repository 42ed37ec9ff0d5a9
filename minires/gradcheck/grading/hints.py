"""What may have gone wrong in a backward whose gradients are not right, in a sentence for its author."""

import numpy as np

from minires.gradcheck.bugs import Call, catalogue
from minires.gradcheck.checks.checker import upstream_for
from minires.gradcheck.checks.tested_function import TestedFunction


def hint(function, like, case, report, seed):
    """What explains the wrong gradients: a bug of the catalogue that gives the same, or one factor everywhere."""
    tested = TestedFunction(function, case.arrays, case.static)
    y, backward = tested.forward(tested.arrays)
    dy = upstream_for(y.shape, seed)
    dxs = dict(zip(tested.names, tested.gradients(backward, dy.copy())))
    call = Call(like, tested.arrays, case.static, dy)
    right = dict(zip(tested.names, call.right))
    return "; ".join(
        dict.fromkeys(filter(None, (_explain(name, dxs[name], right[name], call, tested) for name in report.wrong)))
    )


def _explain(name, dx, right, call, tested):
    def same(a, b):
        return (
            a is not None
            and np.shape(a) == np.shape(b)
            and np.allclose(a, b, rtol=0, atol=1e-9 * max(1.0, float(np.abs(b).max(initial=0))))
        )

    for bug in catalogue:
        if bug.op != call.op:
            continue
        try:
            given = bug.gradients(Call(call.op, [a.copy() for a in call.arrays], call.static, call.dy.copy()))
        except Exception:  # a bug that does not apply here explains nothing
            continue
        given = dict(zip(tested.names, given if isinstance(given, tuple) else (given,)))
        if same(given.get(name), dx) and not same(given.get(name), right):
            return bug.hint
    factor = float(np.sum(dx * right) / np.sum(right * right)) if np.any(right) else 0.0
    if same(np.asarray(dx), factor * right):
        return (
            f"your d{name} is zero"
            if abs(factor) < 1e-9
            else f"your d{name} has the wrong sign"
            if abs(factor + 1) < 1e-9
            else f"your d{name} is right but for a factor ({factor:.6g} in this case)"
        )
    return ""
