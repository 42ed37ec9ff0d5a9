"""Modules: layers and containers with torch.nn's names."""

from minires.nn import init
from minires.nn.layers import (
    GELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Tanh,
    conv_norm,
    norm_relu,
)
from minires.nn.module import Module, Parameter, count_parameters

__all__ = [
    "GELU", "AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm2d", "Conv2d", "Dropout", "Flatten", "Identity", "LayerNorm",
    "LeakyReLU", "Linear", "MaxPool2d", "Module", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh",
    "conv_norm", "count_parameters", "init", "norm_relu",
]
