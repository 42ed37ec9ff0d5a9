"""Mistakes of softmax and of losses."""

import numpy as np

EXPONENTIALS = ("softmax", "log_softmax", "logsumexp", "cross_entropy")
OVERFLOW = "exp overflows: subtract each row's maximum before, exp(x − max), which leaves the result as it is"
WHOLE = "your y is that of the whole array: each row has a sum of its own, write axis=-1, keepdims=True"
WORDS = {"mean": "the mean", "sum": "the sum"}


def ys(wrong):
    """(y, hint) of each mistake of a forward."""
    if "reduction" in wrong.standard.settings:
        yield from _reduced(wrong)
    if wrong.op in EXPONENTIALS and wrong.case.arrays[0].size:
        yield from (_losses if wrong.op == "cross_entropy" else _scores)(wrong)


def of_y(wrong):
    """The hint for numbers that are none."""
    return [OVERFLOW] if wrong.op in EXPONENTIALS and not np.isfinite(wrong.given).all() else []


def _reduced(wrong):
    """mean against sum."""
    mine = wrong.case.static.get("reduction", "mean")
    for other in WORDS.keys() - {mine}:
        if mine in WORDS:
            hint = f"your loss is {WORDS[other]} over the samples, where {WORDS[mine]} is wanted"
            yield wrong.y_of(reduction=other), hint
    x = wrong.case.arrays[0]
    if wrong.op == "mse_loss":
        yield wrong.right / 2, "your loss has a factor ½, which mse_loss has not"
    if wrong.op in ("cross_entropy", "nll_loss") and wrong.right.ndim == 0 and x.ndim and x.size > len(x):
        hint = "your loss is a mean over samples and classes: it is one over the samples"
        yield wrong.right * len(x) / x.size, hint
    if mine in WORDS:
        yield wrong.y_of(reduction="none"), "your loss is one for each sample: their mean is wanted"
    yield -wrong.right, "your loss has the wrong sign" + ": it is −log p" * (wrong.op == "cross_entropy")


def _scores(wrong):
    """softmax and its like, along the other axis or all axes."""
    x = wrong.case.arrays[0]
    dim = wrong.case.static.get("dim", -1)
    if x.ndim > 1 and wrong.op != "logsumexp":
        e = np.exp(x - x.max())
        yield e / e.sum() if wrong.op == "softmax" else np.log(e / e.sum()), WHOLE
    if x.ndim == 2 and (along := {0: "column", 1: "row", -1: "row"}.get(dim)):
        hint = f"your y is taken along the other axis: each {along} has a sum of its own"
        yield wrong.y_of(dim=0 if dim in (1, -1) else 1), hint


def _losses(wrong):
    x, target, *_ = wrong.case.arrays
    for base, factor in (("log2", np.log(2)), ("log10", np.log(10))):
        yield wrong.right / factor, f"your logarithm is {base}: the natural one is meant, np.log"
    if x.ndim == 2:
        shifted = (target - 1) % x.shape[1] if target.dtype.kind in "iu" else None
        if shifted is not None:
            yield wrong.y_of(x, shifted), "your classes are counted from 1: they are 0 … K − 1"
    if _is_plain(wrong):
        reduce = np.mean if wrong.case.static.get("reduction", "mean") == "mean" else np.sum
        for sums, hint in _wrong_sums():
            p = _softmax(x, sums)
            yield reduce(-np.log(p[np.arange(len(x)), target])), hint


def _wrong_sums():
    """The axes over which a softmax may sum by mistake."""
    yield 0, "your softmax is over the samples, axis 0: take it over the classes, axis 1"
    yield None, "your softmax divides by the sum of the whole array: each sample has its own, axis=1, keepdims=True"


def _softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _is_plain(wrong):
    """Whether a cross entropy has classes, no weights and one number as its loss."""
    x, target = wrong.case.arrays[:2]
    settings = wrong.case.static
    is_number = not settings.keys() - {"reduction"} and settings.get("reduction") != "none"
    return x.ndim == 2 and target.dtype.kind in "iu" and is_number


def gradients(wrong):
    """(dx, hint) of each mistake of a backward that is not in the catalogue."""
    if wrong.op != "cross_entropy" or not wrong.is_first or wrong.dy.ndim or not _is_plain(wrong):
        return
    x, target = wrong.case.arrays
    if wrong.case.static.get("reduction", "mean") == "mean" and len(x) != x.shape[1]:
        hint = "your dx is divided by the number of classes: divide it by the number of samples"
        yield wrong.right * len(x) / x.shape[1], hint
    part = wrong.dy / (len(x) if wrong.case.static.get("reduction", "mean") == "mean" else 1)
    hot = np.eye(x.shape[1])[target]
    yield wrong.right + 2 * hot * part, "your dx adds 1 at the right class: subtract it, p − 1"
    yield wrong.right + hot * part, "your dx is p: subtract 1 at the right class"
    for sums, hint in _wrong_sums():
        yield (_softmax(x, sums) - hot) * part, hint
