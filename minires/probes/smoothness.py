"""How smooth the loss is along a step of gradient descent: how far the gradient can be believed."""

import copy
import math
from dataclasses import dataclass

import numpy as np

from minires import ops
from minires.arrays import array_module
from minires.tensor import Tensor


@dataclass
class Smoothness:
    """The loss L and its gradient at w − η·g for each step size η, with g = ∂L/∂w at w."""

    steps: list[float]  # η
    losses: list[float]  # L(w − η·g)
    changes: list[float]  # ‖∂L/∂w(w − η·g) − g‖
    loss: float  # L(w)
    norm: float  # ‖g‖

    @property
    def variation(self):
        """Largest minus smallest loss along the step; infinite if a loss is not finite."""
        losses = [self.loss, *self.losses]
        return max(losses) - min(losses) if np.isfinite(losses).all() else math.inf

    @property
    def beta(self):
        """max over η of ‖∂L/∂w(w − η·g) − g‖ / (η·‖g‖), a lower bound of the Lipschitz constant of the gradient."""
        ratios = [change / (step * self.norm) for change, step in zip(self.changes, self.steps)]
        return max(ratios) if np.isfinite(ratios).all() else math.inf


def along_gradient(model, images, labels, steps):
    """Smoothness of the mean cross-entropy of one batch along −g  [Santurkar et al. 2018, arXiv:1805.11604, Fig. 4].

    images (N,C,H,W), labels (N,), steps: the step sizes η, above 0. The model is copied, and runs in the mode it is in.
    """
    model = copy.deepcopy(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    w = [p.data.copy() for p in parameters]
    loss, g = _loss_and_gradient(model, parameters, images, labels)
    losses, changes = [], []
    for step in steps:
        for p, start, direction in zip(parameters, w, g):
            p.data[...] = start - step * direction
        there, gradient = _loss_and_gradient(model, parameters, images, labels)
        losses.append(there)
        changes.append(_norm([a - b for a, b in zip(gradient, g)]))
    return Smoothness(list(steps), losses, changes, loss, _norm(g))


def _loss_and_gradient(model, parameters, images, labels):
    for p in parameters:
        p.grad = None
    with np.errstate(over="ignore", invalid="ignore"):  # a step may be so long that the loss is infinite
        loss = ops.cross_entropy(model(Tensor(images)), labels)
        loss.backward()
    gradient = [array_module(p.data).zeros_like(p.data) if p.grad is None else p.grad for p in parameters]
    return loss.item(), gradient


def _norm(arrays):
    """The norm of several arrays as one vector, summed in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays))
