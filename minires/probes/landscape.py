"""The loss as a surface over the weights, along directions that are as large as the filters [Li et al. 2018, §4].

The same step changes a network with small weights more than one with large weights. Batch norm cancels the size of a
filter, so that the size means nothing. Therefore each filter of a direction d is given the length of the filter of the
weights:

    d_f ← d_f/‖d_f‖ · ‖w_f‖

One step of 1 along d moves each filter by its own length. Biases and the parameters of batch norm stay as they are.
"""

import copy

import numpy as np

from minires import ops
from minires.mode import no_grad
from minires.nn import Parameter
from minires.random import generator
from minires.tensor import Tensor

BATCH = 256


class LossSurface:
    """L(w) and ∇L(w) of a network on fixed images, as functions of a vector w (n,) of all parameters.

    images (N,C,H,W), labels (N,). The network is copied to float64, into evaluation mode. So batch norm uses its
    running statistics, as in the paper, and L depends on nothing but w. w0 is the vector of the network's own weights.
    """

    def __init__(self, model, images, labels):
        self.model = copy.deepcopy(model).to(np.float64).eval()
        self.parameters: list[Parameter] = list(self.model.parameters())
        parts = range(0, len(labels), BATCH)
        self.batches = [(np.asarray(images[i : i + BATCH], float), labels[i : i + BATCH]) for i in parts]
        self.count = len(labels)
        self.w0 = _flat([p.data for p in self.parameters])

    def loss(self, w):
        """L(w), the mean cross-entropy over the images."""
        self._move_to(w)
        with no_grad():
            return sum(self._sum_of_losses(*batch).item() for batch in self.batches) / self.count

    def gradient(self, w):
        """∇L(w) (n,)."""
        self._move_to(w)
        self.model.zero_grad()
        for batch in self.batches:
            self._sum_of_losses(*batch).backward()
        return _flat([np.zeros_like(p.data) if p.grad is None else p.grad for p in self.parameters]) / self.count

    def along(self, direction, steps, start=None):
        """L(start + α·direction) for each α of the steps -> list. Without a start it is w0."""
        start = self.w0 if start is None else start
        return [self.loss(start + alpha * direction) for alpha in steps]

    def filter_norms(self):
        """(n,): beside each weight the length ‖w_f‖ of its filter in w0; 0 for biases and batch norm.

        A filter is w[o] of a convolution's w (O,C,KH,KW), or of a linear layer's (O,I).
        """
        self._move_to(self.w0)
        return _flat([np.broadcast_to(_lengths(p.data), p.data.shape) for p in self.parameters])

    def random_direction(self, rng=None):
        """d (n,), normally distributed, and then normalized by filter: d_f ← d_f/‖d_f‖ · ‖w_f‖."""
        rng = generator(rng)
        parts = [rng.standard_normal(p.data.shape) for p in self.parameters]
        units = [d / np.where(_lengths(d) > 0, _lengths(d), 1) for d in parts]
        return _flat(units) * self.filter_norms()

    def _sum_of_losses(self, images, labels):
        return ops.cross_entropy(self.model(Tensor(images)), labels, reduction="sum")

    def _move_to(self, w):
        ends = np.cumsum([p.data.size for p in self.parameters])
        for p, end in zip(self.parameters, ends):
            p.data = w[end - p.data.size : end].reshape(p.data.shape)


def _flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])


def _lengths(w):
    """‖w[o]‖ of each filter, with axes of length 1 beside w; 0 for a bias, and for what is no filter."""
    if w.ndim < 2:
        return np.zeros_like(w)
    return np.sqrt((w * w).sum(axis=tuple(range(1, w.ndim)), keepdims=True))
