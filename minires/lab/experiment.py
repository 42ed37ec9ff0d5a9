"""What an experiment is: a claim, its source, a method, and what would refute it.

An experiment is a class with five methods, in a file of its own (minires/lab/experiments):

    trials(s)             the independent pieces of work: an arm and a seed each
    measure(trial, s, place)   the numbers of one trial; the only method that takes time
    compare(s, results)   the parts of the claim, as differences that are said to be positive
    table(s, results)     the numbers as a reader of the paper expects them
    panels(s, results)    the paper's figure, as data (minires.plots.panels)

s are the settings. Which networks play which part is a setting, too: so a test can swap the arms, or put the same
network into both. The claim must then be refuted, or stay undecided.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from minires import models
from minires.errors import OptionError
from minires.settings import did_you_mean, meant
from minires.storage.schema import Integer, OneOf, Settings, Text, setting

SIZES = ("tiny", "small", "full")
SPELLINGS = {"initialisation": "initialization"}  # other spellings of an experiment's name


@dataclass(frozen=True)
class Common(Settings):
    """The settings that all experiments have."""

    dataset: str = setting("digits", Text(r"[^\0]+", "a name"), "digits, cifar10, or a folder of images")
    data: str = setting("", Text(), "a local copy of the data set", metavar="DIR")
    seeds: int = setting(5, Integer(1, 1000), "how often everything is repeated, with the seeds 0, 1, …", metavar="N")


@dataclass(frozen=True)
class Trial:
    """One independent piece of work. arm: what is compared, such as a network. cost: its work, relative to others."""

    arm: str
    seed: int
    cost: float = 1.0
    inputs: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self):
        return f"{self.arm}-seed{self.seed}"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings, and a note below."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""

    def markdown(self):
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + (f"\n\n{self.note}" if self.note else "")


class Results:
    """The numbers of all trials: results["plain20", 0] is what measure() gave for this arm and seed."""

    def __init__(self, numbers):
        self._numbers = dict(numbers)

    def __getitem__(self, key):
        return self._numbers[key]

    def seeds(self, arm):
        return sorted(seed for other, seed in self._numbers if other == arm)

    def of(self, arm, key):
        """One number of an arm, as an array over the seeds."""
        return np.array([self._numbers[arm, seed][key] for seed in self.seeds(arm)])

    def as_dict(self):
        """{arm: {seed: numbers}}, for JSON."""
        nested = {}
        for (arm, seed), numbers in self._numbers.items():
            nested.setdefault(arm, {})[str(seed)] = numbers
        return nested


class Experiment:
    """Base of all experiments. lab.NAME(**settings) runs one and returns its Report."""

    name: str
    claim: str
    source: str
    method: str
    refuted_by: str
    sizes: dict[str, Any]  # {"tiny": Settings(…), "small": …, "full": …}
    needs_data = True

    def trials(self, s):
        """A list of Trial."""
        raise NotImplementedError

    def measure(self, trial, s, place):
        """The numbers of one trial, as JSON can hold them. place: see minires.lab.place."""
        raise NotImplementedError

    def compare(self, s, results):
        """The parts of the claim: a list of Comparison."""
        raise NotImplementedError

    def table(self, s, results):
        """The numbers, with those of the paper beside them, as a Table."""
        raise NotImplementedError

    def panels(self, s, results):
        """The figure, as a list of panels (minires.plots.panels)."""
        raise NotImplementedError

    def settings(self, size="tiny", **given):
        """The settings of a size, with those that are given. Raises OptionError for an unknown one."""
        fault = OneOf(*SIZES).fault("size", size)
        if fault:
            raise OptionError(fault)
        base = self.sizes[size]
        known = [f.name for f in fields(base)]
        for name in given:
            if name not in known:
                hint = did_you_mean(name, known, f"there are {', '.join(known)}")
                raise OptionError(f"{self.name}: there is no setting {name!r}; {hint}")
        return replace(base, **given)

    def __call__(self, *, size=None, jobs=1, out=None, resume=False, **settings):
        """Run the experiment -> Report: its numbers, verdict, table and figure.

        out: a folder for files from which it can be resumed; without it nothing is kept. jobs: processes at once.
        """
        from minires.lab.running import run  # which imports this file

        return run(self, size=size, jobs=jobs, out=out, resume=resume, **settings)


def check_models(names):
    """Raise OptionError if one of these is no network that minires.models knows."""
    for name in names:
        if meant(name, models.names()) is None:
            raise OptionError(f"there is no model {name!r}; {did_you_mean(name, models.names())}")


def find(name, experiments):
    """The experiment of this name, whatever its capitals, - and _ are. Raises OptionError that suggests one."""
    known = meant(SPELLINGS.get(name, name), experiments)
    if known is None:
        hint = did_you_mean(name, experiments, f"there are {', '.join(experiments)}")
        raise OptionError(f"there is no experiment {name!r}; {hint}")
    return experiments[known]
