"""Error against step size: why the complex step needs no tuning, and differences have a best step."""

import numpy as np

from minires.gradcheck.cases import cases_of
from minires.gradcheck.checks.checker import known_op, upstream_for
from minires.gradcheck.checks.numeric import complex_step, four_point, two_point
from minires.gradcheck.checks.tested_function import TestedFunction
from minires.op import registry

STEPS = 10.0 ** np.arange(-20, 0.01, 0.25)
METHODS = {"complex step": lambda line, h: complex_step(line, h=h), "2-point": two_point, "4-point": four_point}


def errors_by_step(op, seed=0):
    """{method: relative error of ∂L/∂t at each of STEPS}. All arguments of the op's first case move along a random v.

    The reference is ⟨∂L/∂x, v⟩ by the op's backward. Raises OptionError for an unknown op.
    """
    case = next(case for case in cases_of(known_op(op), seed) if all(a.size for a in case.arrays))
    tested = TestedFunction(registry[op].raw, case.arrays, case.static)
    y, backward = tested.forward(tested.arrays)
    upstream = upstream_for(y.shape, seed)
    rng = np.random.default_rng([seed, 6])
    dxs = tested.gradients(backward, upstream)
    # all at once, because along such a v a function is curved even if it is linear in each argument
    v = {i: rng.standard_normal(tested.arrays[i].shape) for i in tested.wanted}
    exact = sum(np.sum(dxs[i] * v[i]) for i in v)

    def moved(t):
        arrays = [a + t * v[i] if i in v else a for i, a in enumerate(tested.arrays)]
        return np.asarray(tested.evaluate(arrays))

    with np.errstate(all="ignore"):
        return {
            name: np.array([abs(np.sum(upstream * method(moved, h)) - exact) / abs(exact) for h in STEPS])
            for name, method in METHODS.items()
        }
