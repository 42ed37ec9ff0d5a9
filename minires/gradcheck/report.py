"""What a check says: the verdict, the worst place of each argument, the kinks that were met."""

from dataclasses import asdict, dataclass, field

from minires.gradcheck.numeric import COMPLEX_STEP, Method


@dataclass
class Kink:
    """An element without a derivative: the range of its slopes, and what backward gives there."""

    index: tuple
    low: float
    high: float
    analytic: float
    nearest: float  # analytic where all kinks together may have it so, else the nearest that they may have

    def __str__(self):
        return f"{list(self.index)}: backward gives {self.analytic:.3g} in [{self.low:.3g}, {self.high:.3g}]"


@dataclass
class Worst:
    """Where one argument's gradient is farthest from the measured one; errors are relative to the greatest gradient."""

    argument: str
    error: float = 0.0
    doubt: float = 0.0  # how much of the error the measurement may be to blame for
    scale: float = 1.0  # what both are relative to
    index: tuple = ()
    analytic: float = 0.0
    numeric: float = 0.0
    elements: int = 0  # how many were compared
    kinks: list = field(default_factory=list)  # those skipped, for there is no derivative to compare with
    single: float = 0.0  # greatest error of the float32 backward, in units of its bound

    def __str__(self):
        return f"d{self.argument}{list(self.index)}"


@dataclass(repr=False)
class Report:
    """The verdict on one case. `worst` is the entry of `arguments` with the greatest error, wrong ones first."""

    name: str
    by: Method = COMPLEX_STEP
    arguments: list = field(default_factory=list)
    problems: list = field(default_factory=list)  # sentences: what is wrong besides the numbers
    notes: list = field(default_factory=list)  # sentences: what is worth knowing and not wrong
    hint: str = ""  # the known mistake that gives just these numbers

    @property
    def method(self):
        return self.by.name

    @property
    def worst(self):
        return max(self.arguments, key=lambda w: (not self.agrees(w), w.error), default=None)

    @property
    def kinks(self):
        """How many elements were skipped because they lie at a kink."""
        return sum(len(w.kinks) for w in self.arguments)

    @property
    def elements(self):
        """How many elements were compared or skipped."""
        return sum(w.elements + len(w.kinks) for w in self.arguments)

    def agrees(self, worst):
        """Whether an entry of `arguments` stays within the method's tolerance."""
        return worst.error - worst.doubt <= self.by.tolerance

    @property
    def passed(self):
        return not self.problems and all(map(self.agrees, self.arguments))

    @property
    def wrong(self):
        """The names of the arguments whose gradients are wrong."""
        return [w.argument for w in self.arguments if not self.agrees(w)]

    def __str__(self):
        """One line."""
        verdict = "ok    " if self.passed else "FAILED"
        said = list(self.problems)
        w = self.worst
        if w is None:
            said += [] if said else ["nothing to differentiate"]
        elif self.wrong:
            said.append(f"{self.method}, worst error {w.error:.1e} at {w}: {w} is {w.analytic:.9g} by backward, "
                        f"{w.numeric:.9g} measured")
        elif not said:
            said.append(f"{self.method}, worst error {w.error:.1e} at {w}")
        if self.kinks:
            first = next(w for w in self.arguments if w.kinks)
            said.append(f"{self.kinks} of {self.elements} elements skipped at a kink, "
                        f"d{first.argument}{first.kinks[0]}")
        said += self.notes
        said += [self.hint] if self.hint else []
        return f"{verdict} {self.name}  {'; '.join(said)}"

    __repr__ = __str__  # as a notebook shows it

    def as_dict(self):
        """For JSON."""
        return {"name": self.name, "passed": self.passed, "method": self.method, "problems": self.problems,
                "notes": self.notes, "hint": self.hint, "wrong": self.wrong, "elements": self.elements,
                "kinks": self.kinks, "arguments": [asdict(w) for w in self.arguments]}


class Reports(list):
    """A list of Report, shown with a line for each."""

    def __str__(self):
        return "\n".join([*map(str, self), f"{sum(r.passed for r in self)} of {len(self)} cases passed"])

    __repr__ = __str__
