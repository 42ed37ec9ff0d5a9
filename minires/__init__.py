"""minires: ResNet from the gradient up, on NumPy or CuPy."""

from minires import ops
from minires.graph import no_grad
from minires.op import op
from minires.tensor import Tensor

__version__ = "0.1.0"
__all__ = ["Tensor", "__version__", "no_grad", "op", "ops"]
