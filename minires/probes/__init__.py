"""Measuring a network: gradients at each block and path by path, responses, lesions, the loss surface, and costs."""

from minires.observe import listen
from minires.probes.costs import Cost, costs, multiply_adds
from minires.probes.gradients import gradient_norms
from minires.probes.hessian import extreme_eigenvalues, hessian_product, power_iteration
from minires.probes.landscape import LossSurface
from minires.probes.lengths import PathGradients, mean_length, shares_of_paths
from minires.probes.lesions import Lesions, kendall_tau
from minires.probes.paths import BlockGradient, branch_by_jvp, residual_paths
from minires.probes.responses import response_stds
from minires.probes.smoothness import Smoothness, along_gradient

__all__ = [
    "BlockGradient",
    "Cost",
    "Lesions",
    "LossSurface",
    "PathGradients",
    "Smoothness",
    "along_gradient",
    "branch_by_jvp",
    "costs",
    "extreme_eigenvalues",
    "gradient_norms",
    "hessian_product",
    "kendall_tau",
    "listen",
    "mean_length",
    "multiply_adds",
    "power_iteration",
    "residual_paths",
    "response_stds",
    "shares_of_paths",
]
