"""Nonlinearities, and the softmax family, whose sums are those of kernels/readable/sums.py."""

import math

from minires import kernels
from minires.arrays import array_module
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels.readable.activation import sigmoid as stable_sigmoid
from minires.op import op
from minires.settings import axes, axis, in_range


@op
def relu(x):
    """y = max(x, 0): ∂L/∂x = ∂L/∂y where x > 0, else 0 (at 0 and at a NaN too; kernels/readable/elementwise.py)."""
    y = kernels.relu(x)
    return y, lambda dy: kernels.relu_dx(dy, y)


@op
def relu6(x):
    """y = min(max(x, 0), 6): ∂L/∂x = ∂L/∂y where 0 < x < 6, else 0 (at 0 and at 6 too)  [Sandler et al. 2018].

    kernels/readable/activation.py computes it.
    """
    y = kernels.relu6(x)
    return y, lambda dy: kernels.relu6_dx(dy, y)


@op
def leaky_relu(x, *, negative_slope=0.01):
    """y = x where x > 0, else slope·x: ∂L/∂x = ∂L/∂y times 1 or slope."""
    negative_slope = in_range("leaky_relu: negative_slope", negative_slope, -math.inf)
    slope = array_module(x).where(x.real > 0, 1, negative_slope).astype(x.real.dtype)
    return x * slope, lambda dy: dy * slope


@op
def tanh(x):
    """y = tanh x: ∂L/∂x = ∂L/∂y·(1 − y²)."""
    y = array_module(x).tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@op
def sigmoid(x):
    """y = σ(x) = 1/(1 + e⁻ˣ): ∂L/∂x = ∂L/∂y·y(1 − y)."""
    y = stable_sigmoid(x)
    return y, lambda dy: dy * (y * (1 - y))


@op
def silu(x):
    """y = x·σ(x): ∂L/∂x = ∂L/∂y·σ(1 + x(1 − σ))  [Elfwing et al. 2018; swish].

    kernels/readable/activation.py computes both factors.
    """
    y, slope = kernels.silu(x)
    return y, lambda dy: kernels.multiply(dy, slope)


@op
def gelu(x, *, approximate="none"):
    """y = x·Φ(x), Φ the normal distribution: ∂L/∂x = ∂L/∂y·(Φ + x·φ), φ = Φ'  [Hendrycks & Gimpel 2016].

    kernels/readable/gelu.py computes both factors. approximate="tanh" takes Φ ≈ ½(1 + tanh(√(2/π)(x + 0.044715x³))).
    """
    if approximate not in ("none", "tanh"):
        raise OptionError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    y, slope = kernels.gelu(x) if approximate == "none" else _gelu_by_tanh(x)
    return y, lambda dy: kernels.multiply(dy, slope)


def _gelu_by_tanh(x):
    """y and dy/dx of the approximation."""
    c = math.sqrt(2 / math.pi)
    t = array_module(x).tanh(c * (x + 0.044715 * x**3))
    cdf = (1 + t) / 2
    density = (1 - t * t) * (0.5 * c * (1 + 3 * 0.044715 * x * x))
    return x * cdf, cdf + x * density


def _axes_and_maximum(x, dim, name):
    """(axes, maximum): the axis that dim names, and the maximum along it, subtracted so that nothing overflows.

    The axis is a tuple, () for a 0-d x.
    """
    i = axis(name, dim, x.ndim)
    if x.ndim and not x.shape[i]:
        raise ShapeError(f"{name}: nothing to add up along dim {dim} of shape {x.shape}")
    dims = (i,) if x.ndim else ()
    return dims, x.real.max(axis=dims, keepdims=True)


@op
def logsumexp(x, *, dim, keepdim=False):
    """y = ln Σ eˣ along dim, one or several: ∂L/∂x = ∂L/∂y·softmax(x)."""
    if dim is None:
        raise DTypeError(
            "logsumexp: dim must be an integer or a tuple of them, got None; of all axes it is x.flatten().logsumexp(0)"
        )
    dims = axes("logsumexp", dim, x.ndim)
    if not all(x.shape[i] for i in dims):
        raise ShapeError(f"logsumexp: nothing to add up along dim {dim} of shape {x.shape}")
    xp = array_module(x)
    x_max = x.real.max(axis=dims, keepdims=True)
    x_max = xp.where(xp.isfinite(x_max), x_max, 0).astype(x_max.dtype)
    y = x_max + xp.log(kernels.sums(xp.exp(x - x_max), dims, keepdims=True))
    return (y if keepdim else y.squeeze(dims)), lambda dy: dy.reshape(y.shape) * xp.exp(x - y)


@op
def softmax(x, *, dim):
    """y = eˣ/Σeˣ along dim: ∂L/∂x = y·(∂L/∂y − Σ ∂L/∂y·y).

    Because ∂y_i/∂x_j = y_i·([i = j] − y_j), dx_j = Σ_i dy_i·∂y_i/∂x_j = y_j·(dy_j − Σ_i dy_i·y_i).
    [i = j] is 1 if i = j and else 0.
    """
    dims, x_max = _axes_and_maximum(x, dim, "softmax")
    e = array_module(x).exp(x - x_max)
    y = e / kernels.sums(e, dims, keepdims=True)
    return y, lambda dy: y * (dy - kernels.sums(dy * y, dims, keepdims=True))


@op
def log_softmax(x, *, dim):
    """y = x − ln Σeˣ along dim: ∂L/∂x = ∂L/∂y − softmax(x)·Σ ∂L/∂y."""
    dims, x_max = _axes_and_maximum(x, dim, "log_softmax")
    xp = array_module(x)
    z = x - x_max
    y = z - xp.log(kernels.sums(xp.exp(z), dims, keepdims=True))
    return y, lambda dy: dy - xp.exp(y) * kernels.sums(dy, dims, keepdims=True)
