"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.batchnorm import BatchNorm
from minires.lab.experiments.degradation import Degradation
from minires.lab.experiments.effective_depth import EffectiveDepth
from minires.lab.experiments.ensembles import Ensembles
from minires.lab.experiments.gradients import Gradients
from minires.lab.experiments.initialization import Initialization
from minires.lab.experiments.landscape import Landscape
from minires.lab.experiments.lesion import Lesion
from minires.lab.experiments.paths import Paths
from minires.lab.experiments.responses import Responses
from minires.lab.experiments.shortcuts import Shortcuts
from minires.lab.experiments.stochastic_depth import StochasticDepth
from minires.lab.experiments.successors import Successors

ALL = (
    Degradation,
    Gradients,
    Responses,
    Paths,
    Lesion,
    Ensembles,
    EffectiveDepth,
    Shortcuts,
    Initialization,
    BatchNorm,
    StochasticDepth,
    Landscape,
    Successors,
)
EXPERIMENTS = {kind.name: kind() for kind in ALL}
