"""Whether a batch norm updates its running statistics: running ← (1 − m)·running + m·batch.

Either usual convention is right. m is the momentum (PyTorch), or 1 − momentum (CS231n, Keras). The batch's variance is
the unbiased one (PyTorch) or the biased one. Where a submission takes no momentum, m is what fits its running mean.
"""

import numpy as np

from minires.gradcheck.grading.plan import too_large

SAME = 1e-5  # of the largest element; float32 inside is enough here


NEVER = (
    "it takes a momentum, but in training its forward leaves {names} as before: change the arrays themselves, or put "
    "the new ones where the old ones came from"
)


def mistakes(case, running, momentum, returned=()):
    """Sentences about {name: (before the forward, after it)}. momentum: what the submission was given, or None.

    A momentum is for nothing else, so who takes it says that statistics are updated. returned: arrays that the forward
    returns beside y and a cache, among which the new ones may be.
    """
    spoilt = [
        f"{name} after the forward is {_kind(new)}: it should be an array of shape {np.shape(old)}, a float for each "
        "channel"
        for name, (old, new) in sorted(running.items())
        if _is_statistic(case, old) and not _is_statistic(case, new)
    ]
    if spoilt:
        return spoilt
    pairs = {name: pair for name, pair in running.items() if _are_statistics(case, *pair)}
    changed = [name for name, pair in pairs.items() if _differ(*pair)]
    if not case.static.get("training"):
        return [f"in evaluation its forward changes {name}" for name in changed if pairs[name][0] is not None]
    if not changed:
        old = {} if momentum is None else {name: pair for name, pair in pairs.items() if pair[0] is not None}
        never = [name for name in sorted(old) if not _is_among(returned, name, old[name][0], case, momentum)]
        return [NEVER.format(names=" and ".join(never))] if never else []
    said = [f"in training it updates {changed[0]}, but not {name}" for name in pairs if name not in changed]
    weights = [] if momentum is None else [momentum, 1 - momentum]
    fitting = []  # of the mean, and of the variance
    for name in sorted(changed):
        old, new = pairs[name]
        fits, wrong = _fitting(name, _before(name, old, new), np.ravel(new), _batch(name, case), weights)
        said += [wrong] * bool(wrong)
        fitting.append(fits)
    if not said and len(fitting) == 2 and not any(abs(a - b) < SAME for a in fitting[0] for b in fitting[1]):
        mean, variance = (fits[0] for fits in fitting)
        return [
            f"running_mean and running_var are averaged with different weights: the batch's mean counts {mean:g}, its "
            f"variance {variance:g}"
        ]
    return said


def _is_among(arrays, name, old, case, momentum):
    """Whether some of the arrays is the new running statistic."""
    candidates = [np.ravel(a) for a in arrays if _is_statistic(case, a)]
    batches = _batch(name, case)
    weights = [momentum, 1 - momentum]
    return any(not _fitting(name, _before(name, old, new), new, batches, weights)[1] for new in candidates)


def are_updated(case, running):
    """Whether there is anything to check."""
    pairs = [pair for pair in running.values() if _are_statistics(case, *pair)]
    return bool(case.static.get("training")) and any(_differ(*pair) for pair in pairs)


def _are_statistics(case, old, new):
    """Whether these are arrays with a number for each channel; old may be None."""
    return all(_is_statistic(case, a) for a in ([new] if old is None else [old, new]))


def _is_statistic(case, a):
    return isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size == case.arrays[0].shape[1]


def _kind(new):
    """What is no statistic, in words."""
    if not isinstance(new, np.ndarray):
        return "None" if new is None else "no array"
    kinds = {"i": "whole numbers", "u": "whole numbers", "b": "booleans", "c": "complex numbers"}
    of = f" of {kinds[new.dtype.kind]}" if new.dtype.kind in kinds else ""
    return f"an array{of} of shape {new.shape}"


def _differ(old, new):
    return old is None or not np.array_equal(np.ravel(old), np.ravel(new))


def _before(name, old, new):
    """What an average may have begun with: what was there, or else zeros, or ones for the variance."""
    if old is not None:
        return [np.ravel(old)]
    return [np.zeros(new.size), np.ones(new.size)][: 1 + (name == "running_var")]


def _batch(name, case):
    """The batch's own statistics, each (C,): the mean, or the variance over m − 1 and over m."""
    x = case.arrays[0]
    axes = (0, *range(2, x.ndim))
    count = x.size // x.shape[1]
    return [x.mean(axes)] if name == "running_mean" else [x.var(axes) * count / (count - 1), x.var(axes)]


def _fitting(name, befores, new, batches, weights):
    """(the weights m that fit, a sentence if none does). weights: those that may be; [] for any from 0 to 1."""
    fitting = []
    for old in befores:
        for batch in batches:
            slope = batch - old
            free = [float(slope @ (new - old) / (slope @ slope))] if slope.any() else []
            for m in weights or free:
                largest = max(np.abs(old).max(), np.abs(batch).max())
                if 0 < m < 1 and np.abs(old + m * slope - new).max() <= SAME * largest:
                    fitting.append(m)
    if fitting:
        return fitting, ""
    if not weights:
        return [], f"{name} after the forward is no average of the old one and the batch's"
    m = weights[0]
    right = (1 - m) * befores[0] + m * batches[0]
    at = int(np.argmax(np.abs(right - new)))
    return weights, (
        f"{name} after the forward is wrong: with a momentum of {m:g} {name}[{at}] is {new[at]:.6g}, it should be "
        f"{right[at]:.6g}, or {m * befores[0][at] + (1 - m) * batches[0][at]:.6g} with the weights exchanged"
    )


def kept(value, case):
    """A running statistic to be kept until the verdict; what is far too large for one, or no array, is none."""
    if isinstance(value, np.ndarray):
        return np.broadcast_to(np.nan, value.shape) if too_large(value, case.arrays[0]) else value
    return None if value is None else np.nan
