"""Looking into a network while it works."""

from minires.observe import listen
from minires.probes.costs import Cost, costs
from minires.probes.gradients import gradient_norms
from minires.probes.paths import Path, branch_by_jvp, residual_paths

__all__ = ["Cost", "Path", "branch_by_jvp", "costs", "gradient_norms", "listen", "residual_paths"]
