"""Learning rates as pure functions of the step, so a checkpoint need not save them.

Each function here returns lr(step) -> float; step 0 is the first update. Arguments as in torch.optim.lr_scheduler.
A schedule raises OptionError for a step that is no whole number of at least 0.
"""

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

from minires.errors import OptionError
from minires.settings import in_range, whole

Schedule: TypeAlias = Callable[[int], float]  # step -> lr
MOST_STEPS = 1 << 53  # beyond it a float cannot represent every step


def _steps(name, value, least=1):
    """value as a number of steps. Raises OptionError."""
    value = whole(name, value, least)
    if value > MOST_STEPS:
        raise OptionError(f"{name} must be a whole number of at most 2⁵³, got one of {value.bit_length()} bits")
    return value


def _schedule(rate):
    """The function rate, with its step checked."""
    return lambda step: rate(_steps("step", step, 0))


def constant(lr: float) -> Schedule:
    """lr(step) = lr."""
    lr = in_range("lr", lr, 0)
    return _schedule(lambda step: lr)


def multistep(lr: float, milestones: Iterable[int], gamma: float = 0.1) -> Schedule:
    """lr·gammaᵏ after k of the milestones (steps)  [He et al. 2015, §4.2: /10 at 32k and 48k]."""
    lr = in_range("lr", lr, 0)
    gamma = in_range("gamma", gamma, 0)
    try:
        given = None if isinstance(milestones, (str, bytes, dict)) else list(milestones)
    except TypeError:
        given = None
    if given is None:
        raise OptionError(f"milestones must be a list of whole numbers, got {milestones!r}")
    milestones = tuple(_steps("milestones", milestone, 0) for milestone in given)

    def rate(step):
        return lr * gamma ** sum(step >= milestone for milestone in milestones)

    try:
        last = rate(MOST_STEPS)
    except OverflowError:
        last = math.inf
    if last == math.inf:
        raise OptionError(
            f"lr·gammaᵏ must be a finite number: with lr={lr:g} and gamma={gamma:g} it grows beyond all "
            f"floats within {len(milestones)} milestones; gamma is usually below 1"
        )
    return _schedule(rate)


def cosine(lr: float, T_max: int, eta_min: float = 0.0) -> Schedule:
    """eta_min + (lr − eta_min)·½(1 + cos(π·step/T_max)), eta_min from T_max on  [Loshchilov & Hutter 2017, eq. 5]."""
    lr = in_range("lr", lr, 0)
    eta_min = in_range("eta_min", eta_min, 0)
    T_max = _steps("T_max", T_max)
    return _schedule(lambda step: eta_min + (lr - eta_min) * ((1 + math.cos(math.pi * min(step, T_max) / T_max)) / 2))


def linear_warmup(schedule: Schedule, steps: int, start_factor: float = 1 / 3) -> Schedule:
    """schedule(step) times a factor that rises linearly from start_factor to 1 in the first `steps` steps.

    As torch's LinearLR chained with another scheduler, which also counts from step 0  [Goyal et al. 2017, §2.2].
    """
    if not callable(schedule):
        raise OptionError(f"schedule must be a function of the step, got {schedule!r}; constant(lr) makes one")
    steps = _steps("steps", steps)
    start_factor = in_range("start_factor", start_factor, 0, 1)

    def rate(step):
        lr = in_range("what schedule(step) returns", schedule(step), 0)
        return lr * (start_factor + (1 - start_factor) * min(step / steps, 1.0))

    return _schedule(rate)


def one_cycle(
    max_lr: float, total_steps: int, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> Schedule:
    """From max_lr/div_factor up to max_lr and down to max_lr/div_factor/final_div_factor, along cosines.

    The maximum is at step pct_start·total_steps − 1, the end at total_steps − 1, as in torch's OneCycleLR.
    [Smith & Topin 2018.]
    """
    max_lr = in_range("max_lr", max_lr, 0)
    pct_start = in_range("pct_start", pct_start, 0, 1)
    total_steps = _steps("total_steps", total_steps)
    initial_lr = max_lr / in_range("div_factor", div_factor, 1)
    min_lr = initial_lr / in_range("final_div_factor", final_div_factor, 1)
    top, last = pct_start * total_steps - 1, total_steps - 1

    def cosine_from(a, b, fraction):
        return b + (a - b) / 2 * (1 + math.cos(math.pi * fraction))

    def rate(step):
        step = min(step, last)
        if step <= top:
            return cosine_from(initial_lr, max_lr, step / top if top else 1.0)
        return cosine_from(max_lr, min_lr, (step - top) / (last - top))

    return _schedule(rate)
