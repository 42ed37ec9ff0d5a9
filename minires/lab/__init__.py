"""The claims of the papers as experiments: `python -m minires.lab degradation`, or lab.degradation() in Python.

>>> report = lab.degradation(depths=(8, 14), epochs=2)
>>> report.verdict
>>> report.figure()
"""

from typing import TYPE_CHECKING

from minires.lab.experiment import Common, Experiment, Results, Table, Trial, find
from minires.lab.experiments import EXPERIMENTS
from minires.lab.place import Place, StoppedError
from minires.lab.report import Report
from minires.lab.statistics import Comparison, interval, verdict_of

globals().update({name.replace("-", "_"): experiment for name, experiment in EXPERIMENTS.items()})

if TYPE_CHECKING:

    def __getattr__(name: str) -> Experiment: ...  # of the experiments


__all__ = [
    "EXPERIMENTS",
    "Common",
    "Comparison",
    "Experiment",
    "Place",
    "Report",
    "Results",
    "StoppedError",
    "Table",
    "Trial",
    "find",
    "interval",
    "verdict_of",
]
