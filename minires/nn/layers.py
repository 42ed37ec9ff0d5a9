"""The layers: parameters around one op each. Names, arguments and default initialisation as in torch.nn.

rng: a NumPy Generator or a seed for the initial weights; None draws fresh entropy.
"""

import math

import numpy as np

from minires import kernels, ops
from minires.arrays import empty
from minires.errors import OptionError, ShapeError
from minires.kernels.window import Window, pair
from minires.nn import init
from minires.nn.module import Module, Parameter
from minires.tensor import unwrap


def _init_affine(weight, bias, rng):
    """torch's default: U(−1/√fan_in, 1/√fan_in) for weight and bias."""
    bound = 1 / math.sqrt(init.fans(weight)[0])
    for tensor in (weight, bias):
        if tensor is not None:
            init.uniform_(tensor, bound, rng=rng)


def _zeros(*shape, order=None):
    array = empty(shape, np.float32, order or range(len(shape)))
    array[...] = 0
    return Parameter(array)


class Conv2d(Module):
    """y = w ⋆ x + b: x (N,C,H,W) -> y (N,O,OH,OW); see ops.conv2d."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, *,
                 rng=None):
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(f"Conv2d: groups={groups} must divide {in_channels} input and "
                             f"{out_channels} output channels")
        self.settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        shape = (out_channels, in_channels // groups, *pair(kernel_size, "kernel_size", "Conv2d", 1))
        self.weight = _zeros(*shape, order=(2, 3, 1, 0))  # (KH,KW,C,O) in memory, the matrix of im2col's product
        self.bias = _zeros(out_channels) if bias else None
        _init_affine(self.weight, self.bias, np.random.default_rng(rng))

    def forward(self, x):
        return ops.conv2d(x, self.weight, self.bias, **self.settings)

    def extra_repr(self):
        O, C, KH, KW = self.weight.shape
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{C * self.settings['groups']}, {O}, kernel_size=({KH}, {KW}), {settings}, bias={self.bias is not None}"


class Linear(Module):
    """y = x·wᵀ + b: x (…,I) -> y (…,O)."""

    def __init__(self, in_features, out_features, bias=True, *, rng=None):
        self.weight = _zeros(out_features, in_features)
        self.bias = _zeros(out_features) if bias else None
        _init_affine(self.weight, self.bias, np.random.default_rng(rng))

    def forward(self, x):
        return ops.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, bias={self.bias is not None}"


class BatchNorm2d(Module):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β by channel; μ, σ² of the batch in training, running ones in eval()."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        if not 0 <= momentum <= 1:
            raise OptionError(f"BatchNorm2d: momentum must lie in [0, 1], got {momentum}")
        self.eps, self.momentum = eps, momentum
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = _zeros(num_features)
        self.register_buffer("running_mean", np.zeros(num_features, np.float32))
        self.register_buffer("running_var", np.ones(num_features, np.float32))
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, x, relu=False):
        return ops.batch_norm(x, self.weight, self.bias, relu=relu, **self.begin())

    def begin(self):
        """Count another batch, in training -> what the op is to know of this norm besides its parameters."""
        if self.training:
            self.num_batches_tracked += 1
        return {"running_mean": self.running_mean, "running_var": self.running_var, "training": self.training,
                "momentum": self.momentum, "eps": self.eps}

    def extra_repr(self):
        return f"{self.weight.numel()}, eps={self.eps}, momentum={self.momentum}"


def norm_relu(norm, x):
    """relu(norm(x)), in one pass over memory where norm is a BatchNorm2d that no hook listens to."""
    if isinstance(norm, BatchNorm2d) and not norm._hooks:
        return norm.forward(x, relu=True)
    return ops.relu(norm(x))


def conv_norm(conv, norm, x, relu=False):
    """norm(conv(x)), or with relu its ReLU; in one op where that is faster and no hook listens to what lies between."""
    apart = (not isinstance(conv, Conv2d) or not isinstance(norm, BatchNorm2d) or conv.bias is not None
             or conv._hooks or norm._hooks)
    if not apart and norm.training:
        apart = not kernels.scatter_pays(unwrap(x), Window.of(x.shape, conv.weight.shape, **conv.settings))
    if apart:
        x = conv(x)
        return norm_relu(norm, x) if relu else norm(x)
    return ops.conv_norm(x, conv.weight, norm.weight, norm.bias, relu=relu, **conv.settings, **norm.begin())


class LayerNorm(Module):
    """x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β over the last axes of each sample."""

    def __init__(self, normalized_shape, eps=1e-5):
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.weight = Parameter(np.ones(shape, np.float32))
        self.bias = _zeros(*shape)

    def forward(self, x):
        return ops.layer_norm(x, self.weight, self.bias, eps=self.eps)

    def extra_repr(self):
        return f"{self.weight.shape}, eps={self.eps}"


class Dropout(Module):
    """In training each value is dropped with probability p and the others grow by 1/(1 − p)."""

    def __init__(self, p=0.5, *, rng=None):
        if not 0 <= p <= 1:
            raise OptionError(f"Dropout: p must lie in [0, 1], got {p}")
        self.p, self.rng = p, np.random.default_rng(rng)

    def forward(self, x):
        return ops.dropout(x, p=self.p, training=self.training, rng=self.rng)

    def extra_repr(self):
        return f"p={self.p}"


class _Applied(Module):
    """A layer without parameters: an op and its settings."""

    op = None

    def __init__(self, **settings):
        self.settings = settings

    def forward(self, x):
        return type(self).op(x, **self.settings)

    def extra_repr(self):
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


class ReLU(_Applied):
    """max(x, 0)"""

    op = staticmethod(ops.relu)


class LeakyReLU(_Applied):
    """x where x > 0, else negative_slope·x"""

    op = staticmethod(ops.leaky_relu)

    def __init__(self, negative_slope=0.01):
        super().__init__(negative_slope=negative_slope)


class SiLU(_Applied):
    """x·σ(x)"""

    op = staticmethod(ops.silu)


class GELU(_Applied):
    """x·Φ(x)"""

    op = staticmethod(ops.gelu)

    def __init__(self, approximate="none"):
        super().__init__(approximate=approximate)


class Sigmoid(_Applied):
    """1/(1 + e⁻ˣ)"""

    op = staticmethod(ops.sigmoid)


class Tanh(_Applied):
    """tanh x"""

    op = staticmethod(ops.tanh)


class MaxPool2d(_Applied):
    """The greatest value under each window."""

    op = staticmethod(ops.max_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding)


class AvgPool2d(_Applied):
    """The mean value under each window."""

    op = staticmethod(ops.avg_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding)


class AdaptiveAvgPool2d(_Applied):
    """The mean over as many regions as the output has cells; output_size=1 is global average pooling."""

    op = staticmethod(ops.adaptive_avg_pool2d)

    def __init__(self, output_size=1):
        super().__init__(output_size=output_size)


class Flatten(_Applied):
    """(N,C,H,W) -> (N,C·H·W)"""

    op = staticmethod(ops.flatten)

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__(start_dim=start_dim, end_dim=end_dim)


class Identity(Module):
    """x itself."""

    def forward(self, x):
        return x


class Sequential(Module):
    """One module after another; parameters are named by position: 0.weight, 1.weight."""

    def __init__(self, *modules):
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def __len__(self):
        return len(self.named_children())

    def __getitem__(self, i):
        """The i-th module, or those of a slice as a Sequential, which shares them."""
        modules = [module for _, module in self.named_children()]
        return Sequential(*modules[i]) if isinstance(i, slice) else modules[i]

    def forward(self, x):
        for _, module in self.named_children():
            x = module(x)
        return x
