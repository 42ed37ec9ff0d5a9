"""What an experiment found: its numbers, its verdict, and the files in which they are kept."""

import base64
import json
import math
import os
import platform
import shlex
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path

import numpy as np

from minires.lab.statistics import verdict_of
from minires.lab.training import Training
from minires.plots import plot_panels
from minires.plots.files import finished
from minires.storage import atomic_write

SMALL = "A small run can show the same direction as the paper, not the same number."

CAPTION = "*Lines and bars are means over the seeds, where no seed is named. A band holds all seeds; a dot is one.*"


class Report:
    """The result of an experiment. report.verdict, .comparisons, .results, .table, .figure(), .save(folder)."""

    def __init__(self, experiment, size, settings, results, seconds):
        self.experiment = experiment
        self.size = size
        self.settings = settings
        self.results = results
        self.seconds = seconds
        self.comparisons = experiment.compare(settings, results)
        self.table = experiment.table(settings, results)

    @property
    def verdict(self):
        """held, refuted or undecided."""
        return verdict_of(self.comparisons)

    @property
    def seeds(self):
        """How often everything was measured."""
        return len(self.comparisons[0].differences)

    @property
    def sentence(self):
        """The verdict as a sentence."""
        seeds = self.seeds
        meaning = {"held": "The claim held", "refuted": "The claim did not hold", "undecided": "It cannot be told"}[
            self.verdict
        ]
        over = (
            f"over {seeds} seeds, by paired 95 % t intervals" if seeds > 1 else "with one seed, which shows no spread"
        )
        return f"{meaning} on {self.settings.dataset} at size {self.size}, {over}." + (
            "" if self.size == "full" else f" {SMALL}"
        )

    def figure(self, path=None):
        """The paper's figure with these numbers, as a matplotlib Figure. path: a file for it."""
        return plot_panels(self.experiment.panels(self.settings, self.results), path)

    def as_dict(self):
        """All that DIR/NAME.json holds. A number that is not finite is written as text, because JSON has none."""
        return _finite(
            {
                "experiment": self.experiment.name,
                "claim": self.experiment.claim,
                "source": self.experiment.source,
                "verdict": self.verdict,
                "sentence": self.sentence,
                "comparisons": [comparison.as_dict() for comparison in self.comparisons],
                "size": self.size,
                "settings": asdict(self.settings),
                "table": {"columns": list(self.table.columns), "rows": [list(row) for row in self.table.rows]},
                "results": self.results.as_dict(),
                "seconds": round(self.seconds, 1),
                "versions": versions(),
            }
        )

    def markdown(self, figure=""):
        """The report as Markdown. figure: the address of the image, if there is one."""
        experiment = self.experiment
        parts = [
            f"# {experiment.name}: {self.verdict}",
            f"**Claim.** {experiment.claim}",
            f"**Source.** {experiment.source}.",
            f"**What would refute it.** {experiment.refuted_by[0].upper()}{experiment.refuted_by[1:]}.",
            f"**Verdict: {self.verdict}.** {self.sentence}",
            "\n".join(f"- {comparison}" for comparison in self.comparisons),
            f"![{experiment.claim}]({figure})\n\n{CAPTION}" if figure else "",
            self.table.markdown(),
            f"**Method.** {experiment.method}",
            f"**How to repeat it.** {self.how}",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    @property
    def how(self):
        """How this was measured, and how to measure it again."""
        given = {name: value for name, value in asdict(self.settings).items() if value not in ("", ())}
        if given.get("weights"):  # nothing was trained, and the files say how many seeds there are
            without = {f.name for f in fields(Training) if f.name not in ("dataset", "data")}
            given = {name: value for name, value in given.items() if name not in without}
        settings = ", ".join(f"{name} {value}" for name, value in given.items())
        seeds = f" {self.seeds} networks of each kind from files." if given.get("weights") else ""
        made = ", ".join(f"{name} {value}" for name, value in versions().items())
        return (
            f"`{self.command}` measures it again.\n\n"
            f"Settings: {settings}.{seeds} {self.seconds:.0f} s of one core; {made}."
        )

    @property
    def command(self):
        """The command that measures this again, with every setting that differs from that of the size."""
        words = ["python", "-m", "minires.lab", self.experiment.name, "--size", self.size]
        usual = asdict(self.experiment.settings(self.size))
        for name, value in asdict(self.settings).items():
            flag = name.replace("_", "-")
            if value == usual[name]:
                continue
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                values = value if isinstance(value, tuple) else (value,)
                words += [f"--{flag}", *map(str, values)]
        return shlex.join(words)

    def save(self, folder):
        """Write DIR/NAME.json, .md, .png and .svg. -> their paths"""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / self.experiment.name
        content = json.dumps(self.as_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        paths = [base.with_suffix(ending) for ending in (".json", ".md", ".png", ".svg")]
        atomic_write(paths[0], content.encode())
        atomic_write(paths[1], self.markdown(f"{base.name}.png").encode())
        figure = self.figure()  # once, because drawing takes longer than writing
        for path in paths[2:]:
            finished(figure, os.fspath(path))
        return paths

    def __str__(self):
        return "\n".join([f"{self.experiment.name}: {self.sentence}", *(f"  {part}" for part in self.comparisons)])

    __repr__ = __str__

    def _repr_markdown_(self):
        image, _ = self.figure()._repr_png_()
        return self.markdown(f"data:image/png;base64,{base64.b64encode(image).decode()}")


def versions():
    """What the numbers were computed with."""
    return {
        "minires": _minires(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _minires():
    try:
        return metadata.version("minires")
    except metadata.PackageNotFoundError:
        return "not installed"


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
