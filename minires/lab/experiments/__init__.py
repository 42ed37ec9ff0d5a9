"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.degradation import Degradation

EXPERIMENTS = {experiment.name: experiment for experiment in (Degradation(),)}
