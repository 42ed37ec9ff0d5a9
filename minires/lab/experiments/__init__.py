"""The experiments, a file each: claim, source, method, and what would refute it."""

from minires.lab.experiments.degradation import Degradation
from minires.lab.experiments.effective_depth import EffectiveDepth
from minires.lab.experiments.ensembles import Ensembles
from minires.lab.experiments.lesion import Lesion
from minires.lab.experiments.paths import Paths

EXPERIMENTS = {
    experiment.name: experiment for experiment in (Degradation(), Paths(), Lesion(), Ensembles(), EffectiveDepth())
}
