"""The gradient as a sum over the 2ⁿ paths through n residual blocks  [Veit et al. 2016, arXiv:1605.06431, §3 and §5].

Behind a block's ReLU the gradient is m = mask ⊙ g, and ∂L/∂x = (Sᵀ + J_Fᵀ)·m, with the shortcut S and J_F = ∂F/∂x.
The product of n such sums has 2ⁿ terms. Each is a path: it passes each block by its shortcut or by its branch. The
length of a path is the number of its branches, so C(n, k) paths have length k. A plain network has one path.
"""

import copy
import math

import numpy as np

from minires import ops
from minires.arrays import array_module
from minires.models.blocks import Block
from minires.tensor import Tensor


class PathGradients:
    """∂L/∂x at the first block's input x, path by path, for one batch.

    images (N,C,H,W), labels (N,). The network is copied to float64, and runs in the mode it is in.

        paths.along((0, 3))     what came through the branches of the blocks 0 and 3, and all other shortcuts
        paths.by_length()       the sums over all paths of length 0, 1, …, n; together they are ∂L/∂x
    """

    def __init__(self, model, images, labels):
        model = copy.deepcopy(model).to(np.float64)
        kept = []
        removers = [
            module.register_forward_hook(lambda block, inputs, h: kept.append((block, inputs[0], h)))
            for module in model.modules()
            if isinstance(module, Block)
        ]
        for parameter in model.parameters():
            parameter.requires_grad = False  # only gradients of activations are wanted
        # it requires a gradient, so that all activations have one
        x = Tensor(array_module(images).asarray(images, dtype=float), requires_grad=True)
        logits = model(x)
        for remove in removers:
            remove()
        kept[0][1].retain_grad()
        kept[-1][2].retain_grad()
        ops.cross_entropy(logits, labels).backward()
        self.total = kept[0][1].grad  # ∂L/∂x
        self.arriving = kept[-1][2].grad  # ∂L/∂H at the last block's output
        self.n = len(kept)
        self._blocks = [_Fork(block, x.data, h.data) for block, x, h in kept]

    def along(self, branches):
        """The gradient of the path through the branches of these blocks, and the shortcuts of all others.

        It is 0 where a block has no shortcut to pass.
        """
        g = self.arriving
        for i in reversed(range(self.n)):
            fork = self._blocks[i]
            g = fork.through_branch(g) if i in branches else fork.through_shortcut(g)
            if g is None:
                return np.zeros_like(self.total)
        return g

    def by_length(self):
        """[G_0, …, G_n]: the gradient through all paths of each length, exactly. Σ G_k = ∂L/∂x.

        From the last block to the first, G_k ← Sᵀ·(mask ⊙ G_k) + J_Fᵀ·(mask ⊙ G_{k−1}). n(n + 1)/2 products with
        J_Fᵀ give all 2ⁿ paths. None stands for 0.
        """
        lengths = [self.arriving]
        for fork in reversed(self._blocks):
            shortcut = [*map(fork.through_shortcut, lengths), None]
            branch = [None, *map(fork.through_branch, lengths)]
            lengths = [_sum(s, f) for s, f in zip(shortcut, branch)]
        return lengths

    def norms_by_length(self):
        """‖G_k‖ for k = 0 … n, as floats."""
        return [_norm(g) for g in self.by_length()]

    def sampled_norms(self, k, samples, rng):
        """The norms of the gradient along random paths of length k, as an array  [Veit et al. 2016, Fig. 6]."""
        paths = [rng.permutation(self.n)[:k] for _ in range(samples)]
        return np.array([_norm(self.along(set(path.tolist()))) for path in paths])


def shares_of_paths(n):
    """C(n, k)/2ⁿ for k = 0 … n: the share of the paths that have each length."""
    return [math.comb(n, k) / 2**n for k in range(n + 1)]


def mean_length(weights):
    """Σ k·w_k / Σ w_k: the mean length of paths, if those of length k have the weight w_k. NaN if all are 0."""
    total = sum(weights)
    return sum(k * w for k, w in enumerate(weights)) / total if total else math.nan


class _Fork:
    """One block at its input x, to carry gradients of H back to x by one of the two ways."""

    def __init__(self, block, x, h):
        self.mask = h > 0 if block.ends_in_relu else None
        self.branch = _PullBack(block.branch, x)
        self.shortcut = None if block.downsample is None else _PullBack(block.shortcut, x)

    def through_branch(self, g):
        return None if g is None else self.branch(self._behind_relu(g))

    def through_shortcut(self, g):
        return None if g is None or self.shortcut is None else self.shortcut(self._behind_relu(g))

    def _behind_relu(self, g):
        return g if self.mask is None else g * self.mask


class _PullBack:
    """m -> Jᵀ·m, for J the derivative of a function of Tensors at x. It can be called many times."""

    def __init__(self, function, x):
        self.x = Tensor(x, requires_grad=True)
        self.y = function(self.x)

    def __call__(self, m):
        if self.y is self.x:  # the identity
            return m
        self.x.grad = None
        self.y.backward(m, retain_graph=True)
        return self.x.grad


def _sum(a, b):
    if a is None or b is None:
        return a if b is None else b
    return a + b


def _norm(g):
    return 0.0 if g is None else math.sqrt(float((g * g).sum()))
