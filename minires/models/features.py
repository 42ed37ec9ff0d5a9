"""A network as the backbone of another: its maps by name, and a pyramid on top of them  [Lin et al. 2017].

image ─ layer1 ─ layer2 ─ layer3 ─ layer4        strides 4, 8, 16, 32 in a ResNet: C2, C3, C4, C5
           │        │        │        │
          1×1      1×1      1×1      1×1         to as many channels everywhere
           │        │        │        │
           + ──2×── + ──2×── + ──2×── ┘          each map twice as high and wide, and added to the one below
           │        │        │        │
          3×3      3×3      3×3      3×3
          P2       P3       P4       P5
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress

import numpy as np

from minires.annotations import Rng, TensorLike
from minires.errors import OptionError, ShapeError
from minires.nn import Conv2d, Module, ModuleList, Sequential, init
from minires.nn.checks import whole
from minires.random import generator
from minires.settings import did_you_mean
from minires.tensor import Tensor

__all__ = ["FeaturePyramidNetwork", "Features", "features"]


class _ReachedError(Exception):
    """All maps are there; what follows need not be computed."""


class Features(Module):
    """x -> {name: output of that module of the body}. Nothing behind the last of them is computed."""

    def __init__(self, body: Module, names: Iterable[str]) -> None:
        self.body = body
        self.names = tuple(names)
        modules = dict(body.named_modules())
        for name in self.names:
            if name not in modules or not name:
                hint = did_you_mean(name, modules, "print(model) shows them", most=1)
                raise OptionError(f"features: {type(body).__name__} has no module {name!r}; {hint}")
        if not self.names or len(set(self.names)) < len(self.names):
            raise OptionError(f"features: names must be different names of modules, got {list(self.names)}")

    def forward(self, x: TensorLike) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        modules = dict(self.body.named_modules())
        with ExitStack() as hooks:
            for name in self.names:
                handle = modules[name].register_forward_hook(self._keeper(found, name))
                hooks.callback(handle.remove)
            hooks.enter_context(suppress(_ReachedError))
            self.body(x)
        return {name: found[name] for name in self.names}

    def _keeper(self, found, name):
        def keep(module, inputs, output):
            found[name] = output
            if len(found) == len(self.names):
                raise _ReachedError

        return keep


def features(model: Module, names: Iterable[str]) -> Features:
    """A module that gives named maps of a network: features(resnet50(), ["layer1", "layer2"])(x)["layer1"].

    names: of its modules, as in named_modules(). Gradients flow through the maps into the network.
    """
    if isinstance(names, str):
        raise OptionError(f"features: names must be a list, as in features(model, [{names!r}])")
    return Features(model, names)


class FeaturePyramidNetwork(Module):
    """{name: map (N,C_i,H_i,W_i)}, from the finest to the coarsest -> {name: (N,out_channels,H_i,W_i)}.

    in_channels_list: C_i of each map. Parameters have torchvision's names.
    """

    def __init__(self, in_channels_list: Iterable[int], out_channels: int, *, rng: Rng = None) -> None:
        rng = generator(rng)
        channels = [whole(C, "in_channels_list", "FeaturePyramidNetwork") for C in in_channels_list]
        out_channels = whole(out_channels, "out_channels", "FeaturePyramidNetwork")
        self.inner_blocks = ModuleList([Sequential(Conv2d(C, out_channels, 1, rng=rng)) for C in channels])
        self.layer_blocks = ModuleList(
            [Sequential(Conv2d(out_channels, out_channels, 3, padding=1, rng=rng)) for _ in channels]
        )
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_uniform_(module.weight, a=1, rng=rng)
                init.zeros_(module.bias)

    def forward(self, x: Mapping[str, TensorLike]) -> dict[str, Tensor]:
        names = list(x)
        if len(names) != len(self.inner_blocks):
            raise ShapeError(f"FeaturePyramidNetwork: it is made for {len(self.inner_blocks)} maps, got {len(names)}")
        found = {}
        above = None
        for name, inner, layer in reversed(list(zip(names, self.inner_blocks, self.layer_blocks))):
            here = inner(x[name])
            if above is not None:
                here = here + enlarged(above, here.shape[2:])
            found[name] = layer(here)
            above = here
        return {name: found[name] for name in names}


def enlarged(x, size):
    """x (N,C,H,W) -> (N,C,*size): each pixel is that of x which lies at its place."""
    rows = np.arange(size[0]) * x.shape[2] // size[0]
    columns = np.arange(size[1]) * x.shape[3] // size[1]
    return x[:, :, rows][:, :, :, columns]
