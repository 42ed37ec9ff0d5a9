"""What a check says: the verdict, the worst element of each argument, and the kinks."""

from dataclasses import asdict, dataclass, field
from typing import Any

from minires.gradcheck.checks.numeric import COMPLEX_STEP, Method


def place(index):
    """[2, 0], or "" if an array has no axes or all of it is meant."""
    return str(list(index)) if index else ""


@dataclass
class Kink:
    """An element without a derivative: the range of its slopes, and what backward gives."""

    index: tuple
    low: float
    high: float
    analytic: float
    nearest: float  # analytic if all kinks together may have that, else the nearest that they may have

    def __str__(self) -> str:
        return f"{place(self.index)}: backward gives {self.analytic:.3g} in [{self.low:.3g}, {self.high:.3g}]"


@dataclass
class Jump:
    """Where y jumps: the argument that moves, "" if several must move; an index in y, and y around it."""

    argument: str
    index: tuple
    output: tuple
    before: float
    at: float
    after: float

    def __str__(self) -> str:
        moves = f"{self.argument}{place(self.index)} moves" if self.argument else "several elements move together"
        return (
            f"y jumps when {moves}: y{place(self.output)} is {self.before:.9g} just below, {self.at:.9g} here and "
            f"{self.after:.9g} just above"
        )


@dataclass
class ArgumentResult:
    """Where one argument's gradient is farthest from the measured one. Errors are relative to the largest gradient."""

    argument: str
    error: float = 0.0
    doubt: float = 0.0  # how much of the error may come from the measurement
    scale: float = 1.0  # what both are relative to
    index: tuple = ()
    analytic: float = 0.0
    numeric: float = 0.0
    elements: int = 0  # how many were compared
    kinks: list[Kink] = field(default_factory=list)  # skipped, because there is no derivative to compare with
    float32_error: float = 0.0  # the largest one of the float32 backward, in units of its bound

    def __str__(self) -> str:
        return f"d{self.argument}{place(self.index)}"


@dataclass(repr=False)
class Report:
    """The verdict on one case. `worst` is the entry of `arguments` with the largest error, wrong ones first."""

    name: str
    by: Method = COMPLEX_STEP
    arguments: list[ArgumentResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # sentences: what is wrong besides the gradients
    jumps: list[Jump] = field(default_factory=list)  # where y itself jumps, so nothing can be proved
    unsure: list[str] = field(default_factory=list)  # sentences: why nothing is proved here, right or wrong
    notes: list[str] = field(default_factory=list)  # sentences: good to know, and not wrong
    counted: str = "elements"  # what is compared; "directions" for a module: each moves one element or many
    hint: str = ""  # the known mistake that gives the same gradient

    @property
    def method(self) -> str:
        return self.by.name

    @property
    def worst(self) -> Any:
        return max(self.arguments, key=lambda w: (not self.agrees(w), w.error), default=None)

    @property
    def kinks(self) -> int:
        """How many elements were skipped because they are at a kink."""
        return sum(len(w.kinks) for w in self.arguments)

    @property
    def elements(self) -> int:
        """How many elements were compared or skipped."""
        return sum(w.elements + len(w.kinks) for w in self.arguments) + sum(j.argument != "" for j in self.jumps)

    def agrees(self, worst: ArgumentResult) -> bool:
        """Whether an entry of `arguments` stays within the method's tolerance."""
        return worst.error - worst.doubt <= self.by.tolerance

    @property
    def status(self) -> str:
        """One of "ok", "FAILED", "JUMP" and "UNSURE".

        JUMP: y jumps at the inputs, so there is no gradient to check. UNSURE: measuring cannot tell right from wrong.
        """
        if self.problems or self.wrong:
            return "FAILED"
        return "JUMP" if self.jumps else "UNSURE" if self.unsure else "ok"

    @property
    def passed(self) -> bool:
        return self.status == "ok"

    @property
    def jumped(self) -> str:
        """A sentence about the jumps, "" if there are none."""
        if not self.jumps:
            return ""
        more = f" ({len(self.jumps)} of {self.elements} {self.counted} are such)" if len(self.jumps) > 1 else ""
        return f"{self.jumps[0]}{more}: there is no derivative here, so nothing is proved; check at other inputs"

    def say_if_empty(self):
        """Nothing is proved if nothing was compared: make it UNSURE, if it is not worse."""
        if not (self.problems or self.unsure or self.elements):
            self.unsure.append(
                "nothing was compared, because the arrays are empty: give some with elements"
                if self.arguments
                else "nothing was compared: there is nothing to differentiate"
            )
        return self

    @property
    def wrong(self) -> list[str]:
        """The names of the arguments whose gradients are wrong."""
        return [w.argument for w in self.arguments if not self.agrees(w)]

    def __str__(self) -> str:
        """One line."""
        said = list(self.problems)
        w = self.worst
        if w is None:
            said += [] if said or self.unsure else ["nothing to differentiate"]
        elif self.wrong:
            said.append(
                f"{self.method}, worst error {w.error:.1e} at {w}: {w} is {w.analytic:.9g} by backward, "
                f"{w.numeric:.9g} measured"
            )
        elif not said:
            said.append(f"{self.method}, worst error {w.error:.1e} at {w}")
        if self.kinks:
            first = next(w for w in self.arguments if w.kinks)
            said.append(
                f"{self.kinks} of {self.elements} {self.counted} skipped at a kink, d{first.argument}{first.kinks[0]}"
            )
        said += [sentence for sentence in (self.jumped, *self.unsure, *self.notes, self.hint) if sentence]
        return f"{self.status:6} {self.name}  {'; '.join(said)}"

    __repr__ = __str__  # as a notebook shows it

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "passed": self.passed,
            "status": self.status,
            "method": self.method,
            "problems": self.problems,
            "unsure": self.unsure,
            "notes": self.notes,
            "hint": self.hint,
            "wrong": self.wrong,
            "elements": self.elements,
            "kinks": self.kinks,
            "jumps": [asdict(j) for j in self.jumps],
            "arguments": [asdict(w) for w in self.arguments],
        }


class Reports(list[Report]):
    """A list of Report, shown with a line for each."""

    def __str__(self) -> str:
        return "\n".join([*map(str, self), f"{sum(r.passed for r in self)} of {len(self)} cases passed"])

    __repr__ = __str__
