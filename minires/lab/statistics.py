"""From repeated measurements to a verdict: paired differences, their 95 % interval, and what follows for a claim.

Two arms of an experiment with the same seed share their data, their order and, as far as they can, their weights. So
their difference is compared seed by seed. With n differences of mean d and standard deviation s the interval is
d ± t·s/√n, where t is the 97.5 % quantile of Student's distribution with n − 1 degrees of freedom.

Equal differences give s = 0, and an interval of one point. But s = 0 is no certainty. Either the measurement does not
depend on the seed, so that it was made only once, or its numbers are coarser than their spread. So equal differences
decide nothing. They are called equal if they differ by rounding alone.

Some numbers are coarse by nature, such as a step of a grid. Their s says little even where it is not 0, and only the
sign is left. If an arm is as often above as below, n differences on one side have the probability 2⁻ⁿ⁺¹: 6 % for five,
3 % for six. So fewer than six differences of coarse numbers decide nothing, and from six on equal ones decide, too.
"""

import math
from dataclasses import dataclass

import numpy as np

HELD, REFUTED, UNDECIDED = "held", "refuted", "undecided"
ENOUGH_SIGNS = 6  # the fewest n with 2⁻ⁿ⁺¹ < 5 %; see above
ROUNDING = 1e-9  # differences are equal if they differ by this part of the largest one

# 97.5 % quantiles of Student's t, for 1 to 30 degrees of freedom, from the usual table; above 30 the last is a bound
T_975 = (
    (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
    + (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
    + (2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
)


def interval(values):
    """(mean, low, high) of the 95 % interval for the mean of a few values.

    It is infinite for one value, and where a value is not finite.
    """
    values = np.asarray(values, float)
    mean = float(values.mean())
    if len(values) < 2 or not math.isfinite(mean):
        return mean, -math.inf, math.inf
    t = T_975[min(len(values) - 1, len(T_975)) - 1]
    half = t * float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


@dataclass(frozen=True)
class Comparison:
    """A part of a claim: `what` is said to exceed `margin`. differences: one for each seed.

    It is held if the whole interval lies above the margin, refuted if the whole interval lies below, and undecided
    otherwise. A value that is not finite leaves it undecided. So do equal differences. coarse: whether the numbers can
    take few values only. Then fewer than six differences leave it undecided, but six equal ones decide. reason: why
    these networks cannot be compared, if they cannot; then it is undecided, too.
    """

    what: str
    differences: tuple[float, ...]
    unit: str = ""
    margin: float = 0.0
    coarse: bool = False
    reason: str = ""

    @property
    def interval(self):
        return interval(self.differences)

    @property
    def outcome(self):
        mean, low, high = self.interval
        if not math.isfinite(mean) or self.undecidable:
            return UNDECIDED
        if low > self.margin:
            return HELD
        return REFUTED if high < self.margin else UNDECIDED

    @property
    def all_equal(self):
        """Whether several differences differ by rounding alone, so that their spread is not known."""
        if len(self.differences) < 2 or not np.isfinite(self.differences).all():
            return False
        smallest = min(self.differences)
        largest = max(self.differences)
        return largest - smallest <= ROUNDING * max(abs(smallest), abs(largest))

    @property
    def undecidable(self):
        """Why no verdict can follow from these differences, whatever their mean; empty if one can."""
        if self.reason:
            return self.reason
        if self.coarse and len(self.differences) < ENOUGH_SIGNS:
            return f"coarse numbers decide from {ENOUGH_SIGNS} seeds on"
        return "" if self.coarse or not self.all_equal else "no seed differs from another"

    def as_dict(self):
        mean, low, high = self.interval
        return {
            "what": self.what,
            "unit": self.unit,
            "margin": self.margin,
            "coarse": self.coarse,
            "differences": list(self.differences),
            "mean": mean,
            "low": low,
            "high": high,
            "outcome": self.outcome,
        }

    def __str__(self):
        mean, low, high = self.interval
        reason = f" ({self.undecidable})" if self.reason or (self.undecidable and len(self.differences) > 1) else ""
        if not math.isfinite(mean):
            return f"{self.what}: not every seed gave a finite number: {self.outcome}{reason}"
        unit = f" {self.unit}" if self.unit else ""
        above = f", claimed above {self.margin:g}" if self.margin else ""
        spread = "all equal" if self.all_equal else f"{low:.3g}, {high:.3g}"
        return f"{self.what}: {mean:+.3g}{unit} [{spread}]{above}: {self.outcome}{reason}"


def verdict_of(comparisons):
    """held if all parts of the claim are held, refuted if any is refuted, undecided otherwise."""
    outcomes = {comparison.outcome for comparison in comparisons}
    if REFUTED in outcomes:
        return REFUTED
    return HELD if outcomes == {HELD} else UNDECIDED
