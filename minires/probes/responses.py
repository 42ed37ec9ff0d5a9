"""How strongly each layer responds: the standard deviation of its output after batch norm, before any ReLU or add."""

import math

import numpy as np

from minires.mode import no_grad
from minires.models.blocks import Block
from minires.nn import BatchNorm2d
from minires.tensor import Tensor


def response_stds(model, images):
    """{name: σ} of each batch norm's output y, first layer first  [He et al. 2015, §4.2, Fig. 7].

    σ² = ⟨y²⟩ − ⟨y⟩², with ⟨·⟩ the mean over images, channels and pixels. Norms in a shortcut are left out, because the
    figure shows 3×3 layers only. images (N,C,H,W). The model runs in the mode it is in.
    """
    in_shortcuts = {
        id(module)
        for block in model.modules()
        if isinstance(block, Block) and block.residual
        for module in block.downsample.modules()
    }
    found = {}
    removers = []
    for name, module in model.named_modules():
        if isinstance(module, BatchNorm2d) and id(module) not in in_shortcuts:
            removers.append(module.register_forward_hook(_keep(found, name)))
    try:
        with no_grad():
            model(Tensor(images))
    finally:
        for remove in removers:
            remove()
    return found


def _keep(found, name):
    def keep(norm, inputs, output):
        y = output.data.astype(np.float64)
        found[name] = math.sqrt(float(((y - y.mean()) ** 2).mean()))

    return keep
