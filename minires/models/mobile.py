"""What MobileNetV2 and EfficientNet share: convolution, norm and activation as one layer, and rounded widths."""

from collections.abc import Callable

from minires.annotations import Rng
from minires.nn import BatchNorm2d, Conv2d, Module, Sequential
from minires.settings import in_range

__all__: list[str] = []


def conv_norm_activation(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: Callable[[], Module] | None = None,
    eps: float = 1e-5,
    momentum: float = 0.1,
    rng: Rng = None,
) -> Sequential:
    """Sequential of Conv2d, BatchNorm2d and, if given, activation(). With stride 1 it keeps the size of the map.

    torchvision has the class Conv2dNormActivation for it. groups = in_channels makes the convolution depthwise: each
    channel has a filter of its own. eps and momentum: of the norm.
    """
    layers = [
        Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=False, rng=rng
        ),
        BatchNorm2d(out_channels, eps=eps, momentum=momentum),
    ]
    return Sequential(*layers, activation()) if activation else Sequential(*layers)


def rounded_width(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` next to `channels`, but at least divisor, and never below 90 % of channels."""
    width = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return width if width >= 0.9 * channels else width + divisor


def factor(name: str, value: float) -> float:
    """A factor of the width or the depth of a network, between 0.01 and 100. Raises OptionError."""
    return in_range(name, value, 0.01, 100)
