"""How much gradient reaches each block."""

import math

from minires import ops
from minires.models.blocks import Block
from minires.tensor import Tensor


def gradient_norms(model, images, labels):
    """‖∂L/∂H‖ at the output H of each residual (or plain) block, first block first.

    images (N,C,H,W), labels (N,) -> list of floats, one a block. The model runs in the mode it is in, and its
    parameters get their gradients.
    """
    outputs = []

    def keep(block, inputs, output):
        output.retain_grad()
        outputs.append(output)

    removers = [m.register_forward_hook(keep) for m in model.modules() if isinstance(m, Block)]
    try:
        ops.cross_entropy(model(Tensor(images)), labels).backward()
    finally:
        for remove in removers:
            remove()
    return [math.sqrt(float((h.grad * h.grad).sum())) for h in outputs]
