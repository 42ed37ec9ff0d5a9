"""What is wrong with a dropout, whose mask is random: y must be x·mask/(1 − p), and dx dy times the same mask.

A mask is to be drawn anew in each call. Where the submission takes a seed or generator, its masks may be the same for
the same seed, but not for all seeds.
"""

import numpy as np

TOLERANCE = 1e-6  # of each element; 1/(1 − p) may be rounded to float32
DEVIATIONS = 6  # how many standard deviations the part of kept elements may be off
ENOUGH = 30  # elements, of which two masks are never equal by chance
HELD_TO = "its mask is random: y is held to x times 0 or 1/(1 − p), dx to dy times the same"


def mistake(record, p):
    """(a sentence, or "" where all is right; whether dx is what is wrong)"""
    x = record.case.arrays[0]
    if not record.ys:
        return "a backward of dropout alone cannot be graded: it needs its forward's mask", False
    scales = {1 / (1 - p)} | ({1 / p} if p else set())  # some call p what is kept
    for y in record.ys:
        if y.shape != x.shape:
            return f"y has shape {y.shape}, that of dropout is {x.shape}", False
        kept = y != 0
        scale = next((s for s in scales if np.allclose(y, kept * x * s, rtol=TOLERANCE, atol=0)), None)
        if scale is None:
            return "y is not x times 0 or 1/(1 − p)", False
        part = 1 / scale
        if abs(kept.mean() - part) > DEVIATIONS * np.sqrt(max(part * (1 - part), 1e-12) / x.size) + 1e-9:
            return f"{kept.mean():.0%} of the elements are kept, of p = {p:g}", False
    for kind, given in record.given.items():
        mask = record.pairs[kind] / x
        if given.get("x") is None or not np.allclose(given["x"], record.dys[kind] * mask, rtol=TOLERANCE, atol=0):
            return "dx is not dy times the mask of its own forward, which is y/x", True
    return "", False


def repeats(records, takes_seed):
    """The records whose mask is the same in all calls, and a sentence that says so; ([], "") if there are none."""
    drawn = [r for r in records if r.ys and _has_mask(r) and all(y.shape == r.ys[0].shape for y in r.ys)]
    if takes_seed:
        seeded = [r for r in drawn if r.case.static.get("rng") is not None and r.case.label.startswith("seed ")]
        masks = [r.ys[0] != 0 for r in seeded]
        same = len(masks) > 1 and all(np.array_equal(masks[0], mask) for mask in masks)
        return (seeded, "its mask is the same for different seeds: draw it from the seed given") if same else ([], "")
    fixed = [r for r in drawn if len(r.ys) > 1 and all(np.array_equal(r.ys[0] != 0, y != 0) for y in r.ys)]
    return fixed, "its mask is the same in each call: draw it anew each time, and set no seed inside" if fixed else ""


def _has_mask(record):
    p = record.case.static.get("p", 0.5)
    return 0 < p < 1 and record.case.static.get("training", True) and record.case.arrays[0].size > ENOUGH
