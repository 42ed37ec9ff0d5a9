"""Initialization in place. Names and arguments as in torch.nn.init; rng in place of torch's generator.

rng: a NumPy Generator or a seed; None uses the default generator (minires.manual_seed). Random numbers are drawn on the
host, so the same seed gives the same network on a CPU and on a GPU.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from minires.annotations import Rng
from minires.arrays import to_device
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels.choice import chosen
from minires.mode import no_grad
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor
from minires.torch_names import missing


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """√2 for ReLU, which halves the variance, 1 for "linear"  [He et al. 2015b].

    √(2/(1 + param²)) for a leaky ReLU; param is its slope, 0.01 unless given.
    """
    slope = in_range("calculate_gain: param", 0.01 if param is None else param, -math.inf)
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + slope * slope)),
    }
    if not isinstance(nonlinearity, str) or nonlinearity not in gains:
        raise OptionError(f"nonlinearity must be one of {', '.join(gains)}, got {nonlinearity!r}")
    return gains[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (O,I) or (O,C/groups,KH,KW)."""
    if _checked(tensor).ndim < 2:
        raise ShapeError(f"fan_in and fan_out need a weight of two or more axes, got {tensor.shape}")
    O, I, *kernel = tensor.shape
    return I * math.prod(kernel), O * math.prod(kernel)


def _std(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def _checked(tensor):
    if not isinstance(tensor, Tensor):
        raise DTypeError(
            f"init needs a Tensor or Parameter to fill, got {type(tensor).__name__}; for a layer give layer.weight"
        )
    return tensor


def _fill(tensor, draw):
    """Overwrite the tensor with the values of draw(), unless it is made inside shapes_only()."""
    if chosen() == "shapes":
        return _checked(tensor)
    with no_grad():
        return _checked(tensor).copy_(to_device(np.asarray(draw()), tensor.device))


def _standard_normal(tensor, rng):
    return np.asarray(generator(rng).standard_normal(tensor.shape, dtype=tensor.dtype))


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, rng: Rng = None
) -> Tensor:
    """N(0, gain²/fan): fan_in keeps the variance of the signal, fan_out that of the gradient [He et al. 2015b]."""
    return normal_(tensor, 0.0, _std(tensor, a, mode, nonlinearity), rng=rng)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, rng: Rng = None
) -> Tensor:
    """U(−b, b) with b = √3·gain/√fan, which has the variance of kaiming_normal_."""
    bound = math.sqrt(3) * _std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, rng=rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, *, rng: Rng = None) -> Tensor:
    """N(0, gain²·2/(fan_in + fan_out)), a compromise between signal and gradient  [Glorot & Bengio 2010]."""
    return normal_(tensor, 0.0, in_range("xavier_normal_: gain", gain, 0) * math.sqrt(2 / sum(fans(tensor))), rng=rng)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, *, rng: Rng = None) -> Tensor:
    """U(−b, b) with b = gain·√(6/(fan_in + fan_out)), which has the variance of xavier_normal_."""
    bound = in_range("xavier_uniform_: gain", gain, 0) * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, rng=rng)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, rng: Rng = None) -> Tensor:
    """N(mean, std²)."""
    mean = in_range("normal_: mean", mean, -math.inf)
    std = in_range("normal_: std", std, 0)

    def draw():
        values = _standard_normal(tensor, rng) * std
        return values + mean if mean else values

    return _fill(tensor, draw)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, *, rng: Rng = None) -> Tensor:
    """U(a, b)."""
    a = in_range("uniform_: a", a, -math.inf)
    b = in_range("uniform_: b", b, -math.inf)
    if a > b:
        raise OptionError(f"uniform_: a must be at most b, got a={a} and b={b}")

    def draw():
        values = (generator(rng).random(tensor.shape, dtype=tensor.dtype) * 2 - 1) * ((b - a) / 2)
        return values + (a + b) / 2

    return _fill(tensor, draw)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *, rng: Rng = None
) -> Tensor:
    """N(mean, std²), where values outside [a, b] are drawn again."""
    mean = in_range("trunc_normal_: mean", mean, -math.inf)
    std = in_range("trunc_normal_: std", std, 0)
    a, b = (in_range(f"trunc_normal_: {name}", limit, -math.inf, infinite=True) for name, limit in (("a", a), ("b", b)))
    if std <= 0 or a >= b:
        raise OptionError(f"trunc_normal_: needs std > 0 and a < b, got std={std}, a={a} and b={b}")
    z_min, z_max = ((limit - mean) / std for limit in (a, b))
    inside = (math.erf(z_max / math.sqrt(2)) - math.erf(z_min / math.sqrt(2))) / 2
    if inside < 0.01:
        raise OptionError(f"trunc_normal_: only {inside:.2%} of N({mean}, {std}²) is in [{a}, {b}]; move the interval")

    def draw():
        drawing = generator(rng)
        z = _standard_normal(tensor, drawing)
        while (outside := (z < z_min) | (z > z_max)).any():
            z[outside] = drawing.standard_normal(int(outside.sum()), dtype=z.dtype)
        return (z * std + mean).clip(a, b)  # clipped, because rounding may lead outside

    return _fill(tensor, draw)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element = val."""
    if chosen() == "shapes":
        return _checked(tensor)
    with no_grad():
        return _checked(tensor).fill_(val)


def scale_(tensor: Tensor, factor: float) -> Tensor:
    """Every element times a factor; torch.nn.init has no name for it."""
    factor = in_range("scale_: factor", factor, -math.inf)
    return _fill(tensor, lambda: tensor.data * factor)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill the tensor with 0, and return it."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill the tensor with 1, and return it."""
    return constant_(tensor, 1.0)


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.nn.init", name)
