"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.degradation import Degradation
from minires.lab.experiments.gradients import Gradients
from minires.lab.experiments.initialization import Initialization
from minires.lab.experiments.responses import Responses

EXPERIMENTS = {
    experiment.name: experiment for experiment in (Degradation(), Gradients(), Initialization(), Responses())
}
