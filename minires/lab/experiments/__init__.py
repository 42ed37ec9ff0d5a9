"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.batchnorm import BatchNorm
from minires.lab.experiments.degradation import Degradation
from minires.lab.experiments.shortcuts import Shortcuts
from minires.lab.experiments.stochastic_depth import StochasticDepth

EXPERIMENTS = {
    experiment.name: experiment for experiment in (Degradation(), Shortcuts(), BatchNorm(), StochasticDepth())
}
