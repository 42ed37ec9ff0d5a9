"""Looking into a network while it works."""

from minires.probes.gradients import gradient_norms
from minires.probes.paths import Path, branch_by_jvp, residual_paths

__all__ = ["Path", "branch_by_jvp", "gradient_norms", "residual_paths"]
