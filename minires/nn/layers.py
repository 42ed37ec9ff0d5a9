"""Layers that multiply, pool and drop, around one op each. Names, arguments and first weights as in torch.nn.

Settings are attributes, and a change of one counts from the next call on. What follows from the weight's shape
(in_features, kernel_size) is read from it.
rng: a NumPy Generator or a seed for the first weights; None draws from the default generator (minires.manual_seed).
One seed for several layers of one shape makes them equal: pass one Generator to all of them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minires import ops
from minires.annotations import Pair, Rng, TensorLike
from minires.arrays import array_module, empty
from minires.errors import OptionError, ShapeError
from minires.kernels.choice import chosen
from minires.kernels.window import pair
from minires.nn import init
from minires.nn.checks import flag, one_of, whole
from minires.nn.module import Module, Parameter
from minires.nn.seeds import note_seed
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor, unwrap


def _init_affine(weight, bias, rng):
    """torch's default, U(−1/√fan_in, 1/√fan_in) for weight and bias."""
    note_seed(weight, rng)
    rng = generator(rng)
    bound = 1 / math.sqrt(init.fans(weight)[0])
    for tensor in (weight, bias):
        if tensor is not None:
            init.uniform_(tensor, -bound, bound, rng=rng)


def filled(value, *shape, order=None):
    """A float32 array with this value everywhere. `order`: its axes as they follow one another in memory."""
    if chosen() == "shapes":
        return np.broadcast_to(np.float32(value), shape)  # which has no memory of its own
    array = empty(shape, np.float32, order or range(len(shape)))
    array[...] = value
    return array


def zeros(*shape: int, order: Sequence[int] | None = None) -> Parameter:
    """A Parameter of zeros; see filled()."""
    return Parameter(filled(0, *shape, order=order))


class Conv2d(Module):
    """y = w ⋆ x + b: x (N,C,H,W) -> y (N,O,OH,OW); see ops.conv2d.

    padding: zeros on both sides, "same" for a y of x's size (stride 1 only), or "valid" for none.
    """

    weight: Parameter
    bias: Any  # a Parameter, or None
    padding_mode = "zeros"
    in_channels = property(lambda self: self.weight.shape[1] * self.groups)
    out_channels = property(lambda self: self.weight.shape[0])
    kernel_size = property(lambda self: self.weight.shape[2:])

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rng: Rng = None,
    ) -> None:
        in_channels = whole(in_channels, "in_channels", "Conv2d")
        out_channels = whole(out_channels, "out_channels", "Conv2d")
        kernel = pair(kernel_size, "kernel_size", "Conv2d", 1)
        self.stride = pair(stride, "stride", "Conv2d", 1)
        self.padding = (
            one_of(padding, ("same", "valid"), "padding", "Conv2d")
            if isinstance(padding, str)
            else pair(padding, "padding", "Conv2d", 0)
        )
        self.dilation = pair(dilation, "dilation", "Conv2d", 1)
        self.groups = whole(groups, "groups", "Conv2d")
        if in_channels % groups or out_channels % groups:
            raise ShapeError(
                f"Conv2d: groups={groups} must divide {in_channels} input and {out_channels} output channels"
            )
        if self.padding == "same" and self.stride != (1, 1):
            raise OptionError(f"Conv2d: padding='same' needs stride 1, got {stride}; give the padding as a number")
        if padding_mode != "zeros":
            raise OptionError(
                f"Conv2d: padding_mode must be 'zeros', got {padding_mode!r}; make other borders "
                "yourself, with ops.cat, and convolve with padding=0"
            )
        # (KH,KW,C,O) in memory: im2col multiplies by this matrix
        self.weight = zeros(out_channels, in_channels // groups, *kernel, order=(2, 3, 1, 0))
        self.bias = zeros(out_channels) if flag(bias, "bias", "Conv2d") else None
        _init_affine(self.weight, self.bias, rng)

    def settings(self):
        """The keyword arguments of ops.conv2d."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def forward(self, x: TensorLike) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, **self.settings())

    def extra_repr(self) -> str:
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        shown += [
            f"{name}={value!r}"
            for name, value, default in (
                ("padding", self.padding, (0, 0)),
                ("dilation", self.dilation, (1, 1)),
                ("groups", self.groups, 1),
                ("bias", self.bias is not None, True),
            )
            if value != default
        ]
        return ", ".join(shown)


class Linear(Module):
    """y = x·wᵀ + b: x (…,I) -> y (…,O)."""

    weight: Parameter
    bias: Any  # a Parameter, or None
    in_features = property(lambda self: self.weight.shape[1])
    out_features = property(lambda self: self.weight.shape[0])

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: Rng = None) -> None:
        self.weight = zeros(whole(out_features, "out_features", "Linear"), whole(in_features, "in_features", "Linear"))
        self.bias = zeros(out_features) if flag(bias, "bias", "Linear") else None
        _init_affine(self.weight, self.bias, rng)

    def forward(self, x: TensorLike) -> Tensor:
        return ops.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Dropout(Module):
    """In training each element becomes 0 with probability p, and the others are multiplied by 1/(1 − p).

    rng: a Generator or a seed for the masks; None uses the default generator.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: Rng = None) -> None:
        self.p = in_range("Dropout: p", p, 0, 1)
        self.inplace = flag(inplace, "inplace", "Dropout")
        self._rng = None if rng is None else generator(rng)

    @property
    def rng(self):
        """The generator that masks are drawn from."""
        return generator(self._rng)

    @property
    def draws(self) -> bool:
        """Whether random numbers are drawn in training."""
        return self.p > 0

    def forward(self, x: TensorLike) -> Tensor:
        return ops.dropout(x, p=self.p, training=self.training, rng=self.rng)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class StochasticDepth(Module):
    """In training a branch becomes 0 with probability p, and is multiplied by 1/(1 − p) otherwise.

    y = F(x)·b/(1 − p), b 0 with probability p  [Huang et al. 2016, arXiv:1603.09382, eq. 2]. The paper multiplies by
    1 − p in evaluation instead; here, as in torchvision.ops, evaluation changes nothing. Both have the same mean.
    mode "row": each image of F(x) (N,…) has its own b. "batch": all images have the same, so F need not be computed.
    rng: a Generator or a seed; None uses the default generator.
    """

    def __init__(self, p: float, mode: str, *, rng: Rng = None) -> None:
        self.p = in_range("StochasticDepth: p", p, 0, 1)
        self.mode = one_of(mode, ("batch", "row"), "mode", "StochasticDepth")
        self._rng = None if rng is None else generator(rng)

    @property
    def rng(self):
        """The generator that b is drawn from."""
        return generator(self._rng)

    draws = Dropout.draws

    def _factor(self, x):
        """b/(1 − p) for each image of x, or one for all: (N,1,…) or (1,1,…)."""
        x = unwrap(x)
        ones = array_module(x).ones((len(x) if self.mode == "row" else 1, *[1] * (x.ndim - 1)), x.dtype)
        return ops.dropout(Tensor(ones), p=self.p, rng=self.rng)

    def forward(self, f: TensorLike) -> Tensor:
        """f: the output of the branch."""
        return ops.mul(f, self._factor(f)) if self.training else ops.dropout(f, training=False)

    def around(self, branch: Callable[[Any], Tensor], x: TensorLike) -> Tensor | None:
        """self(branch(x)), but None if it is 0 for the whole batch: then branch is not called, which saves its time."""
        if self.mode == "row" or not self.training:
            return self(branch(x))
        factor = self._factor(x)
        return branch(x) * factor if factor.data.any() else None

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class MaxPool2d(Module):
    """The maximum of each window. ceil_mode also takes windows that reach beyond the border.

    x (N,C,H,W) -> y (N,C,OH,OW); see ops.max_pool2d.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride, self.padding = _window("MaxPool2d", kernel_size, stride, padding)
        pair(dilation, "dilation", "MaxPool2d", 1)
        self.dilation = dilation
        self.ceil_mode = flag(ceil_mode, "ceil_mode", "MaxPool2d")

    def forward(self, x: TensorLike) -> Tensor:
        return ops.max_pool2d(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of each window. Padding counts as zeros, or not at all if count_include_pad is False.

    x (N,C,H,W) -> y (N,C,OH,OW); see ops.avg_pool2d.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size, self.stride, self.padding = _window("AvgPool2d", kernel_size, stride, padding)
        self.ceil_mode = flag(ceil_mode, "ceil_mode", "AvgPool2d")
        self.count_include_pad = flag(count_include_pad, "count_include_pad", "AvgPool2d")

    def forward(self, x: TensorLike) -> Tensor:
        return ops.avg_pool2d(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


def _window(layer, kernel_size, stride, padding):
    """(kernel_size, stride, padding), checked. The stride is the kernel size unless given."""
    kernel = pair(kernel_size, "kernel_size", layer, 1)
    stride = kernel_size if stride is None else stride
    pair(stride, "stride", layer, 1)
    if any(2 * p > k for p, k in zip(pair(padding, "padding", layer, 0), kernel)):
        raise ShapeError(
            f"{layer}: padding {padding} is more than half of kernel_size {kernel_size}, so a window "
            "could hold only padding"
        )
    return kernel_size, stride, padding


class AdaptiveAvgPool2d(Module):
    """The means of regions that cover x, one for each element of the output; output_size=1 is global average pooling.

    x (N,C,H,W) -> y (N,C,*output_size). None in output_size keeps that length of x.
    """

    def __init__(self, output_size: int | Sequence[int | None] = 1) -> None:
        sizes = output_size
        if isinstance(sizes, (tuple, list)):
            sizes = [1 if size is None else size for size in sizes]
        pair(sizes, "output_size", "AdaptiveAvgPool2d", 1)
        self.output_size = output_size

    def forward(self, x: TensorLike) -> Tensor:
        return ops.adaptive_avg_pool2d(x, output_size=self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class Flatten(Module):
    """(N,C,H,W) -> (N,C·H·W)"""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = whole(start_dim, "start_dim", "Flatten", None)
        self.end_dim = whole(end_dim, "end_dim", "Flatten", None)

    def forward(self, x: TensorLike) -> Tensor:
        return ops.flatten(x, start_dim=self.start_dim, end_dim=self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """x itself. All arguments are ignored, so that it can replace any layer."""

    def __init__(self, *ignored: Any, **settings: Any) -> None:
        pass

    def forward(self, x):
        return x
