"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.degradation import Degradation
from minires.lab.experiments.landscape import Landscape

EXPERIMENTS = {experiment.name: experiment for experiment in (Degradation(), Landscape())}
