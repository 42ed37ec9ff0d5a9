"""Learning rates as pure functions of the step: nothing to save, nothing to restore.

Each returns lr(step) -> float, step = 0 being the first update. Arguments as in torch.optim.lr_scheduler.
"""

import math
from collections.abc import Iterable

from minires.errors import OptionError
from minires.settings import in_range, whole


def constant(lr):
    """lr(step) = lr."""
    lr = in_range("lr", lr, 0)
    return lambda step: lr


def multistep(lr, milestones, gamma=0.1):
    """lr·gammaᵏ after k of the milestones (steps)  [He et al. 2015, §4.2: /10 at 32k and 48k]."""
    lr, gamma = in_range("lr", lr, 0), in_range("gamma", gamma, 0)
    if not isinstance(milestones, Iterable):
        raise OptionError(f"milestones must be a list of whole numbers, got {milestones!r}")
    milestones = tuple(whole("milestones", milestone, 0) for milestone in milestones)
    return lambda step: lr * gamma ** sum(step >= milestone for milestone in milestones)


def cosine(lr, T_max, eta_min=0.0):
    """eta_min + (lr − eta_min)·½(1 + cos(π·step/T_max)), eta_min from T_max on  [Loshchilov & Hutter 2017, eq. 5]."""
    lr, eta_min = in_range("lr", lr, 0), in_range("eta_min", eta_min, 0)
    T_max = whole("T_max", T_max)
    return lambda step: eta_min + (lr - eta_min) * (1 + math.cos(math.pi * min(step, T_max) / T_max)) / 2


def linear_warmup(schedule, steps, start_factor=1 / 3):
    """schedule(step), over the first `steps` times a factor that rises linearly from start_factor to 1.

    [Goyal et al. 2017, §2.2.] As torch's LinearLR chained with another scheduler: that one counts from the first step.
    """
    if not callable(schedule):
        raise OptionError(f"schedule must be a function of the step, got {schedule!r}; constant(lr) makes one")
    steps = whole("steps", steps)
    start_factor = in_range("start_factor", start_factor, 0, 1)
    return lambda step: schedule(step) * (start_factor + (1 - start_factor) * min(step / steps, 1.0))


def one_cycle(max_lr, total_steps, pct_start=0.3, div_factor=25.0, final_div_factor=1e4):
    """From max_lr/div_factor up to max_lr and down to max_lr/div_factor/final_div_factor, along cosines.

    The top is at step pct_start·total_steps − 1, the end at total_steps − 1  [Smith & Topin 2018; torch's OneCycleLR].
    """
    max_lr, pct_start = in_range("max_lr", max_lr, 0), in_range("pct_start", pct_start, 0, 1)
    total_steps = whole("total_steps", total_steps)
    low = max_lr / in_range("div_factor", div_factor, 1)
    end = low / in_range("final_div_factor", final_div_factor, 1)
    top, last = pct_start * total_steps - 1, total_steps - 1

    def between(a, b, part):
        return b + (a - b) / 2 * (1 + math.cos(math.pi * part))

    def lr(step):
        step = min(step, last)
        if step <= top:
            return between(low, max_lr, step / top if top else 1.0)
        return between(max_lr, end, (step - top) / (last - top))
    return lr
