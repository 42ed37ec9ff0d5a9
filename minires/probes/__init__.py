"""Measuring a network while it works: gradients at each block, and the cost of each op."""

from minires.observe import listen
from minires.probes.costs import Cost, costs
from minires.probes.gradients import gradient_norms
from minires.probes.paths import BlockGradient, branch_by_jvp, residual_paths
from minires.probes.smoothness import Smoothness, along_gradient

__all__ = [
    "BlockGradient",
    "Cost",
    "Smoothness",
    "along_gradient",
    "branch_by_jvp",
    "costs",
    "gradient_norms",
    "listen",
    "residual_paths",
]
