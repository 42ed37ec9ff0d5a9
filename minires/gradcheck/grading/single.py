"""Numbers that were computed in float32, and how large such errors may be."""

import copy

import numpy as np

from minires.gradcheck.grading.standard import COMPUTING, argument_names

APART = 1e4  # how many times as large as the next smaller one an element is that is of another kind
ORDINARY = 1e-3  # the inputs are about 1; what is smaller may be all rounding


def is_single(a):
    """Whether an array is float32, or has been one: no element needs more than 24 bits, and some need more than 11."""
    if a.dtype in (np.float32, np.float16):
        return True
    if a.dtype != np.float64 or not a.size or not np.isfinite(a).all() or size(a) > 3e38:
        return False
    few = a.astype(np.float16 if size(a) < 6e4 else np.float32)
    many = a.astype(np.float32)
    return bool(np.array_equal(a, many) and not np.array_equal(a, few.astype(float)))


def errors_in_single(standard, record):
    """{each argument: the largest error of the op in float32, for the first dy; "y": the error of each element}"""

    def cast(a):
        return a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

    case = record.case
    names = argument_names(standard, case)
    with COMPUTING, np.errstate(all="ignore"):
        try:
            static = {key: cast(value) for key, value in copy.deepcopy(case.static).items()}
            y, backward = standard.raw(*map(cast, case.arrays), **static)
            dxs = backward(cast(record.dys["first"]))
            dxs = dxs if isinstance(dxs, (tuple, list)) else (dxs,)
            right = record.backward(record.dys["first"])
        except Exception:  # an op or a reference that refuses float32 has no error there
            return {}
    with np.errstate(invalid="ignore", over="ignore"):
        errors = {"y": np.asarray(y, float) - record.right}
    for name, g, r in zip(names, dxs, right):
        if g is not None and r is not None:
            errors[name] = size(np.asarray(g, float) - r)
    return errors


def set_apart(right):
    """Which elements are so far larger than all others that they are of another kind. The others are of ordinary size.

    A tolerance of the largest element would else accept anything beside a −1e9 that masks the future.
    """
    with np.errstate(invalid="ignore"):
        found = np.abs(right)
    found = np.where(np.isfinite(found), found, 0)
    ordered = np.sort(found[found >= ORDINARY])
    gaps = np.flatnonzero(ordered[1:] > APART * ordered[:-1])
    return found > ordered[gaps[0]] if gaps.size else np.zeros(right.shape, bool)


def size(a):
    return float(np.abs(a).max(initial=0, where=np.isfinite(a)))


def same(a, b):
    """Whether two calls gave the same, but for the last bits."""
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=0, atol=1e-9 * max(size(a), 1e-300), equal_nan=True))
