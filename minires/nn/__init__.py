"""Modules: layers, losses and containers with torch.nn's names; `nn.functional` has the ops under torch's names.

inplace=True is accepted, because networks written for torch have it. It changes nothing: no op writes into its input.
"""

from typing import TYPE_CHECKING

from minires.nn import functional, init, utils
from minires.nn.activations import GELU, LeakyReLU, LogSoftmax, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Tanh
from minires.nn.attention import MultiheadAttention
from minires.nn.chain import chain
from minires.nn.containers import ModuleDict, ModuleList, Sequential
from minires.nn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool2d,
    StochasticDepth,
)
from minires.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from minires.nn.module import Module, Parameter, count_parameters
from minires.nn.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from minires.torch_names import missing

__all__ = [
    "GELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GroupNorm",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "StochasticDepth",
    "Tanh",
    "chain",
    "count_parameters",
    "functional",
    "init",
    "utils",
]


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.nn", name)
