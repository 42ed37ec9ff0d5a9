"""Mistakes of any array: its axes in another order, a sum that is missing, its sign, a setting, one factor."""

import itertools

import numpy as np

from minires.errors import MiniresError
from minires.gradcheck.grading.flags import OF_FLAGS, switched_off
from minires.gradcheck.grading.hints.wrong import same

NO_FACTOR = 1e-3  # a factor so close to 1 is no mistake of its own
MOST_AXES = 4  # of an array whose axes may be in another order
# What the axes of an op's arrays are called; of others they are numbers.
LETTERS = {
    ("conv2d", "x"): "N,C,H,W",
    ("conv2d", "weight"): "O,C,KH,KW",
    ("conv2d", "y"): "N,O,OH,OW",
    ("linear", "x"): "N,inputs",
    ("linear", "weight"): "outputs,inputs",
    ("linear", "y"): "N,outputs",
    ("batch_norm", "x"): "N,C,H,W",
    ("batch_norm", "y"): "N,C,H,W",
    ("max_pool2d", "x"): "N,C,H,W",
    ("max_pool2d", "y"): "N,C,OH,OW",
    ("avg_pool2d", "x"): "N,C,H,W",
    ("avg_pool2d", "y"): "N,C,OH,OW",
}


def of_y(wrong):
    """Hints for a y that is wrong, its shape or its numbers."""
    y, right = wrong.given, wrong.right
    found = _order(wrong, "y") or _settings(wrong) or _flag(wrong) or _of_shape(wrong)
    return found or (_y_factor(y, right) if y.shape == right.shape else [])


def of_gradient(wrong):
    """Hints for a gradient that is wrong, its shape or its numbers."""
    what = f"d{wrong.name}"
    return _order(wrong, what) or _summed(wrong, what) or _factor(wrong) or _of_one_sample(wrong)


def _order(wrong, what):
    """Numbers that all are there, in another order."""
    given, right = wrong.given, wrong.right
    if given.ndim != right.ndim or not 2 <= right.ndim <= MOST_AXES:
        return []
    for order in itertools.permutations(range(right.ndim)):
        if list(order) != sorted(order) and same(given, right.transpose(order)) and np.any(right):
            axes = _letters(wrong)
            if not axes:
                return [f"your {what} is transposed"]
            theirs = ",".join(axes[k] for k in order)
            return [f"your {what} has its axes in the order ({theirs}): ({','.join(axes)}) is wanted"]
    if given.shape != right.shape or right.ndim != 4:
        return []
    if same(given, right.transpose(0, 2, 3, 1).reshape(right.shape)):
        return [
            f"your {what} has its numbers in the order (N,H,W,C), flattened row by row: transpose it to (N,C,H,W), do "
            "not reshape"
        ]
    N, C, H, W = right.shape
    if same(given, right.reshape(N, H, W, C).transpose(0, 3, 1, 2)):
        return [f"your {what} is taken for (N,H,W,C) by reshape: its numbers lie in the order (N,C,H,W)"]
    return []


def _letters(wrong):
    """What the axes are called; of a matrix without such names that needs no names, nothing."""
    known = LETTERS.get((wrong.op, wrong.name), "").split(",")
    if len(known) == wrong.right.ndim:
        return known
    return [f"axis {k}" for k in range(wrong.right.ndim)] if wrong.right.ndim > 2 else []


def _summed(wrong, what):
    """A gradient with more axes than its argument has, which are still to be summed over, or have the length 1."""
    given, right = wrong.given, wrong.right
    if given.ndim <= right.ndim or not np.any(right):
        return []
    for axes in itertools.combinations(range(given.ndim), given.ndim - right.ndim):
        if same(given.sum(axes), right):
            if all(given.shape[a] == 1 for a in axes):
                return [f"your {what} has shape {given.shape}, with axes of length 1: sum without keepdims"]
            numbers = " and ".join(map(str, axes))
            return [f"your {what} has shape {given.shape}: sum it over axis {numbers} too"]
    return []


def _settings(wrong):
    """A setting that is handed over, where y is that of the op's default."""
    for setting, given in wrong.case.static.items():
        default = wrong.standard.settings.get(setting)
        simple = all(type(value) in (bool, int, float, str) for value in (given, default))
        if not simple or given == default:
            continue
        try:
            without = wrong.y_of(**{setting: default})
        except MiniresError:  # it needs what the case does not have
            continue
        if same(wrong.given, without):
            return [f"your y is that of {setting} = {default}, whatever {setting} is given: take what is handed over"]
    return []


def _flag(wrong):
    """What a flag switches off, used all the same: the numbers that were handed over for it are in y."""
    standard, arrays = wrong.standard, wrong.case.arrays
    neutral = OF_FLAGS.get(standard.name, {})
    for place, argument in enumerate(standard.arguments if standard.is_op else ()):
        if place < len(arrays):
            off = argument in neutral and np.array_equal(arrays[place], neutral[argument](arrays[place]))
        else:
            off = place == len(arrays) and argument in standard.optional
        if not off:
            continue
        numbers = switched_off(standard, argument, wrong.case)
        if same(wrong.given, wrong.y_of(*arrays[:place], numbers, *arrays[place + 1 :])):
            return [f"your y has the {argument} in it although its flag is False: leave it out where the flag says so"]
    return []


def _of_shape(wrong):
    """What the shape of y alone tells."""
    y, right = wrong.given, wrong.right
    if y.shape == right.shape:
        return []
    if y.ndim == right.ndim == 4 and sorted(y.shape) == sorted(right.shape):
        return ["your y has its axes in another order: (N,C,H,W) is wanted"]
    if right.ndim == 0 and y.size > 1:
        return ["your loss is one for each sample: their mean is wanted"]
    if y.size == right.size and y.ndim != right.ndim:
        return ["your y has other axes of length 1, or flattened ones: keepdims, reshape"]
    less = tuple(b - a for a, b in zip(y.shape, right.shape))
    windows = y.ndim == right.ndim == 4 and "stride" in wrong.standard.settings
    if windows and less == (0, 0, 1, 1) and same(y, right[:, :, :-1, :-1]):
        return ["mind the + 1: OH = (H + 2·padding − KH)//stride + 1"]
    return []


def _y_factor(y, right):
    if not np.any(right) or not np.isfinite(y).all():
        return []
    factor = float(np.sum(y * right) / np.sum(right * right))
    said = f"{factor:.6g}"
    if abs(factor - 1) < NO_FACTOR or said == "0" or np.count_nonzero(right) < 2 or not same(y, factor * right):
        return []
    return ["your y has the wrong sign" if said == "-1" else f"your y is right but for a factor ({said} in this case)"]


def _factor(wrong):
    """One factor everywhere."""
    dx, right, name = wrong.given, wrong.right, wrong.name
    if right.shape != dx.shape or not np.any(right) or not np.isfinite(dx).all():
        return []
    factor = float(np.sum(dx * right) / np.sum(right * right))
    if not same(dx, factor * right):
        return [f"your d{name} is zero"] if not dx.any() else []
    if abs(factor) < 1e-9:
        return [f"your d{name} is zero"]
    if abs(factor + 1) < 1e-6:
        return [f"your d{name} has the wrong sign"]
    count = _counted(factor, wrong.case) if wrong.is_of_loss or not wrong.is_first else ""
    if count:
        return [f"your d{name} is {count}"]
    if abs(factor - 1) < NO_FACTOR or np.count_nonzero(right) < 2:  # one number is another by some factor
        return []
    return [f"your d{name} is right but for a factor ({factor:.6g} in this case)"]


def _of_one_sample(wrong):
    """A gradient to which one sample alone contributes, where it is the sum over all."""
    dy = wrong.dy
    if wrong.is_first or dy.ndim == 0 or len(dy) < 2 or len(dy) != len(wrong.case.arrays[0]):
        return []
    for place, word in ((0, "first"), (-1, "last")):
        part = np.zeros_like(dy)
        part[place] = dy[place]
        if same(wrong.given, wrong.gradients(dy=part)[wrong.name]) and np.any(wrong.given):
            return [f"your d{wrong.name} is that of the {word} sample alone: add those of all samples"]
    return []


def _counted(factor, case):
    """A factor that is a number of elements, in words, or ""."""
    x = case.arrays[0]
    counts = {"the number of samples": len(x) if x.ndim else 1, "the number of elements": x.size}
    for what, count in counts.items():
        if count > 1 and abs(factor * count - 1) < 1e-6:
            return f"divided by {what}, {count}: a sum is wanted, not a mean"
        if count > 1 and abs(factor / count - 1) < 1e-6:
            return f"not divided by {what}, {count}: a mean is wanted, not a sum"
    return ""
