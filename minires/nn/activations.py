"""Activations and softmax as layers. Names and arguments as in torch.nn; see the ops of the same names."""

import math

from minires import ops
from minires.annotations import TensorLike
from minires.nn.checks import flag, one_of, whole
from minires.nn.module import Module
from minires.settings import in_range
from minires.tensor import Tensor


class _InPlace(Module):
    inplace = False

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = flag(inplace, "inplace", type(self).__name__)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(x, 0)"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.relu(x)


class ReLU6(_InPlace):
    """min(max(x, 0), 6)"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.relu6(x)


class LeakyReLU(_InPlace):
    """x where x > 0, else negative_slope·x"""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = in_range("LeakyReLU: negative_slope", negative_slope, -math.inf)

    def forward(self, x: TensorLike) -> Tensor:
        return ops.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        return ", ".join([f"negative_slope={self.negative_slope}", *filter(None, [super().extra_repr()])])


class SiLU(_InPlace):
    """x·σ(x)"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.silu(x)


class GELU(Module):
    """x·Φ(x)"""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = one_of(approximate, ("none", "tanh"), "approximate", "GELU")

    def forward(self, x: TensorLike) -> Tensor:
        return ops.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """1/(1 + e⁻ˣ)"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Module):
    """tanh x"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.tanh(x)


class _AlongDim(Module):
    def __init__(self, dim: int) -> None:
        self.dim = whole(dim, "dim", type(self).__name__, None)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """eˣ/Σeˣ along dim"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.softmax(x, dim=self.dim)


class LogSoftmax(_AlongDim):
    """x − ln Σeˣ along dim"""

    def forward(self, x: TensorLike) -> Tensor:
        return ops.log_softmax(x, dim=self.dim)
