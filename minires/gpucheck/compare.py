"""Every op on the GPU in float32 against NumPy in float64, with each setting, and twice: a race gives two results."""

import numpy as np

from minires.gpucheck.settings import switched
from minires.gradcheck.cases import cases_of
from minires.gradcheck.checks.tested_function import on_device
from minires.op import registry

ALLOWED = {False: 2e-5, True: 4e-3}  # relative to the largest element; TF32 rounds factors to 2⁻¹¹ = 5e-4


def compare(name, switches):
    """The worst error of an op's y and gradients, relative to the largest element, and whether two runs agree."""
    worst, same = 0.0, True
    for case in cases_of(name):
        exact = outputs(name, case, np.float64, "cpu")
        with switched(**switches):
            first, second = (outputs(name, case, np.float32, "cuda") for _ in range(2))
        for a, b, right in zip(first, second, exact):
            same &= a.tobytes() == b.tobytes()
            scale = np.abs(right).max(initial=1e-30)
            worst = max(worst, float(np.abs(a - right).max(initial=0) / scale))
            if a.shape != right.shape or np.isnan(a).any() != np.isnan(right).any():
                worst = float("inf")
    return worst, same


def outputs(name, case, dtype, device):
    """y and the gradients of a case, on the host: the same float32 values in either type."""

    def rounded(value):
        is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(np.float32).astype(dtype) if is_float else value

    y, backward = on_device(registry[name].raw, device)(
        *map(rounded, case.arrays), **{key: rounded(value) for key, value in case.static.items()}
    )
    dxs = backward(rounded(np.random.default_rng(3).standard_normal(y.shape)))
    return [np.asarray(a) for a in (y, *(dxs if isinstance(dxs, tuple) else (dxs,))) if a is not None]
