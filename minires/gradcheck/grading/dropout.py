"""What is wrong with a dropout, whose mask is random: y must be x·mask/(1 − p), and dx dy times the same mask.

A mask is to be drawn anew in each call. Where the submission takes a seed or generator, its masks may be the same for
the same seed, but not for all seeds, nor without a seed.

Two random masks agree in about p² + (1 − p)² of the elements, and so do a mask and the same mask shifted. Of n elements
this part has a deviation of about √(agree·(1 − agree)/n). A pattern is farther off at some shift.
"""

import numpy as np

from minires.gradcheck.grading import names

TOLERANCE = 1e-6  # of each element; 1/(1 − p) may be rounded to float32
DEVIATIONS = 6  # how many standard deviations the part of kept elements may be off
ENOUGH = 30  # elements, of which two masks are never equal by chance
OF_SHIFTS = 8  # how many deviations the part that agrees may be off, at the worst of all shifts
SEEDED = "its mask is the same for different seeds: draw it from the seed given"
FIXED = "its mask is the same in each call: draw it anew each time, and set no seed inside"
PATTERN = "its mask has a pattern: shifted by {shift} elements it is nearly {what}; draw each element by itself"
ROWS = "its mask is the same for all samples: draw one number for each element of x, of shape x.shape"
COLUMNS = "its mask is the same for all features: draw one number for each element of x, of shape x.shape"
BOTH = "its {p} is the probability to keep an element in one case, and that to drop it in another"
DIVIDED = "it keeps an element with probability {kept}, and divides by {divided}: divide by {kept}"
CLEARLY = "it keeps an element with probability {kept}: keep it with probability {divided}"
KEEPING = "{p} is the probability to keep an element"
BACK = "dx is dy times 0 or 1: multiply it by 1/(1 − p), too, as its forward does with x"
HELD_TO = "its mask is random: y is held to x times 0 or 1/(1 − p), dx to dy times the same"


def mistake(record):
    """(a sentence, or "" where all is right; whether dx is what is wrong)"""
    x = record.case.arrays[0]
    p = record.case.static.get("p", 0.5) if record.case.static.get("training", True) else 0.0
    if not record.ys:
        return "a backward of dropout alone cannot be graded: it needs its forward's mask", False
    scales = [1 / part for part in _parts(record, p)]
    for y in record.ys:
        if y.shape != x.shape:
            return f"y has shape {y.shape}, that of dropout is {x.shape}", False
        kept = y != 0
        scale = next((s for s in scales if np.allclose(y, kept * x * s, rtol=TOLERANCE, atol=0)), None)
        if scale is None:
            return _unscaled(record, y, kept, p), False
        if repeated := _repeated(kept):
            return repeated, False
        part = 1 / scale
        if abs(kept.mean() - part) > DEVIATIONS * np.sqrt(max(part * (1 - part), 1e-12) / x.size) + 1e-9:
            return _not_kept(record, kept, p, part), False
    for kind, given in record.given.items():
        dx = given.get("x")
        if dx is not None and dx.shape != x.shape:  # else what broadcasts would be compared, an array of nothing too
            return f"the backward gives a gradient of shape {dx.shape} for x of shape {x.shape}", True
        mask = record.pairs[kind] / x
        if dx is None or not np.allclose(dx, record.dys[kind] * mask, rtol=TOLERANCE, atol=0):
            if dx is not None and np.allclose(dx, record.dys[kind] * (mask != 0), rtol=TOLERANCE, atol=0):
                return BACK, True
            return "dx is not dy times the mask of its own forward, which is y/x", True
    return "", False


def _parts(record, p):
    """The parts of the elements that may be kept: 1 − p, and p where its name may mean the probability to keep."""
    return [1 - p] if _is_clear(record) or not p else [1 - p, p]


def _is_clear(record):
    """Whether the name of p says which of the two probabilities it is."""
    return names.is_kept(record.p) or names.is_dropped(record.p)


def _words(record, part, p):
    """A part in the submission's own words: its parameter may be what is kept or what is dropped."""
    own = record.p or "p"
    given = 1 - p if names.is_kept(own) else p
    return own if abs(part - given) < abs(part - (1 - given)) else f"1 − {own}"


def _nearest(record, kept, p):
    """The part that a mask seems to be meant to keep, or 1 − p where it cannot be told."""
    part = min(_parts(record, p), key=lambda one: abs(one - kept.mean()))
    return part if abs(part - kept.mean()) < abs(1 - part - kept.mean()) else 1 - p


def _unscaled(record, y, kept, p):
    """How y differs from what a dropout gives."""
    if not p:
        return "y is not x: in evaluation, or with a p of 0, a dropout changes nothing"
    part = _nearest(record, kept, p)
    by = _words(record, part, p)
    unscaled = np.allclose(y, kept * record.case.arrays[0], rtol=TOLERANCE, atol=0)
    named = part == p or names.is_kept(record.p)  # so that it is no surprise what is called p
    why = f", because {KEEPING.format(p=record.p or 'p')}" * named
    return (
        f"y is not x times 0 or 1/{by if by.isidentifier() else f'({by})'}"
        + f": divide what is kept by {by} in training{why}" * unscaled
    )


def _not_kept(record, kept, p, part):
    """That another part of the elements is kept than y is divided by."""
    other = 1 - part
    wrong = f"{kept.mean():.0%} of the elements are kept, but {part:.0%} should be"
    if _is_near(kept, other) and not _is_near(kept, part):
        said = CLEARLY if _is_clear(record) else DIVIDED
        return f"{wrong}: " + said.format(kept=_words(record, other, p), divided=_words(record, part, p))
    return f"{wrong}: {record.p or 'p'} is {1 - p if names.is_kept(record.p) else p:g}"


def _is_near(kept, part):
    return abs(kept.mean() - part) <= DEVIATIONS * np.sqrt(max(part * (1 - part), 1e-12) / kept.size) + 1e-9


def _keeps(record):
    """Whether p is taken for the probability to keep an element; None where a record does not show it."""
    p = record.case.static.get("p", 0.5)
    if not _has_masks(record) or p == 0.5 or _is_clear(record):
        return None
    x = record.case.arrays[0]
    y = record.ys[0]
    fits = [np.allclose(y, (y != 0) * x / part, rtol=TOLERANCE, atol=0) for part in (1 - p, p)]
    return fits[1] if any(fits) else None


def convention(records):
    """What is said of p where it is the probability to keep, in words; "" where it is that to drop."""
    if any(names.is_kept(record.p) for record in records):
        return KEEPING.format(p=next(r.p for r in records if r.p))
    keeping = [kept for kept in map(_keeps, records) if kept is not None]
    return KEEPING.format(p=records[0].p or "p") if keeping and all(keeping) else ""


def _of_both(records):
    """Those in which p is another probability than in the first."""
    found = [(record, kept) for record, kept in ((r, _keeps(r)) for r in records) if kept is not None]
    return [(record, BOTH.format(p=record.p or "p")) for record, kept in found if kept != found[0][1]]


def _repeated(kept):
    """Whether all samples, or all features, are kept or dropped together, which chance does not do."""
    if kept.ndim < 2 or kept.size <= ENOUGH or min(kept.shape) < 2 or kept.all() or not kept.any():
        return ""
    if (kept == kept[:1]).all():
        return ROWS
    return COLUMNS if (kept == kept[:, :1]).all() else ""


def repeats(records, takes_seed, has_own):
    """[(record, what is wrong with its masks)]. has_own: whether it declares a seed that holds where none is given."""
    return [*_of_both(records), *_of_seeds(records, takes_seed), *_without_seeds(records, takes_seed and has_own)]


def _of_seeds(records, takes_seed):
    """Those whose mask is the same for all seeds."""
    seeded = [r for r in records if _has_masks(r) and r.case.label.startswith("seed ")] if takes_seed else []
    masks = [r.ys[0] != 0 for r in seeded if r.case.static.get("rng") is not None]
    same = len(masks) > 1 and all(np.array_equal(masks[0], mask) for mask in masks)
    return [(r, SEEDED) for r in seeded] if same else []


def _without_seeds(records, has_own):
    """Those whose masks are no new ones, or no random ones."""
    for record in records:
        if not _has_masks(record):
            continue
        masks = [y != 0 for y in record.ys]
        given = record.case.static.get("rng") is not None or has_own
        if not given and len(masks) > 1 and all(np.array_equal(masks[0], mask) for mask in masks):
            yield record, FIXED
        elif pattern := _pattern(masks, record.case.static.get("p", 0.5), given):
            yield record, pattern


def _pattern(masks, p, same):
    """What is no chance in masks; "" if they look random. same: whether one may be another, because of its seed."""
    agree = p * p + (1 - p) ** 2
    allowed = OF_SHIFTS * np.sqrt(agree * (1 - agree) / masks[0].size)
    for k, mask in enumerate(masks[:1] if same else masks):
        parts = _agreement(masks[0], mask)
        if k == 0:
            parts[0] = agree  # with itself
        shift = int(np.argmax(np.abs(parts - agree)))
        if abs(parts[shift] - agree) > allowed:
            what = "itself" if k == 0 else "the mask of another call"
            return PATTERN.format(shift=shift, what=what if parts[shift] > agree else f"the opposite of {what}")
    return ""


def _agreement(a, b):
    """The part of the elements that agree, for each shift of b in flat order."""
    signs = (np.where(mask.ravel(), 1.0, -1.0) for mask in (a, b))
    first, second = map(np.fft.rfft, signs)
    return (np.fft.irfft(first * np.conj(second), a.size) / a.size + 1) / 2


def _has_masks(record):
    p = record.case.static.get("p", 0.5)
    random = 0 < p < 1 and record.case.static.get("training", True) and record.case.arrays[0].size > ENOUGH
    return random and bool(record.ys) and all(y.shape == record.case.arrays[0].shape for y in record.ys)
