"""GELU, and its slope  [Hendrycks & Gimpel 2016, eq. 2]: y = x·Φ(x), Φ the distribution of a standard normal variable.

dy/dx = Φ(x) + x·φ(x)           by the product rule, with the density φ = Φ', φ(x) = exp(−x²/2)/√(2π)
"""

import math

from minires.arrays import array_module
from minires.kernels.erf import erfc


def gelu(x):
    """y = x·Φ(x) and dy/dx, of x's shape."""
    xp = array_module(x)
    cdf = erfc(x * -math.sqrt(0.5)) / 2
    density = xp.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return x * cdf, cdf + x * density
