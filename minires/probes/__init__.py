"""Measuring a network while it works: gradients at each block, the loss surface, and the cost of each op."""

from minires.observe import listen
from minires.probes.costs import Cost, costs
from minires.probes.gradients import gradient_norms
from minires.probes.hessian import extreme_eigenvalues, hessian_product, power_iteration
from minires.probes.landscape import LossSurface
from minires.probes.paths import BlockGradient, branch_by_jvp, residual_paths

__all__ = [
    "BlockGradient",
    "Cost",
    "LossSurface",
    "branch_by_jvp",
    "costs",
    "extreme_eigenvalues",
    "gradient_norms",
    "hessian_product",
    "listen",
    "power_iteration",
    "residual_paths",
]
