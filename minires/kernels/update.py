"""What an optimiser does to its arrays, all of them in one call."""

import math

import numpy as np

from minires.arrays import array_module, memory_order
from minires.kernels.workers import share

PRODUCTS = 16  # of a matrix take as long as a number's update, where many arrays are small and threads wait for Python
PIECE = 1 << 18  # numbers that a formula is computed for at a time, so that its intermediate results stay in a cache


def sgd(xs, dxs, vs, lr, momentum, dampening, weight_decay, nesterov, first):
    """v ← μ·v + (1 − dampening)·g with g = dx + λ·x, or v ← g at first; x ← x − lr·v, or x − lr·(g + μ·v).

    Lists of arrays; without momentum v is g, and the vs are not looked at.
    """
    def update(job):
        x, dx, v = job
        g = dx + weight_decay * x if weight_decay else dx
        if momentum:
            if first:
                v[...] = g
            else:
                v *= momentum
                v += g if dampening == 0 else (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        x -= lr * g
    _share_out(update, zip(xs, dxs, vs if momentum else dxs))


def adam(xs, dxs, ms, vs, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε), for the t-th time.

    Lists of arrays; m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). The weight decay λ is part of the gradient, g = dx + λ·x, or
    decoupled: x ← x − lr·λ·x first, and g = dx.
    """
    def update(job):
        x, dx, m, v = job
        g = dx if decoupled or not weight_decay else dx + weight_decay * x
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * (g * g)
        if decoupled:
            x *= 1 - lr * weight_decay
        x -= (lr / (1 - beta1**t)) * m / (array_module(x).sqrt(v) / math.sqrt(1 - beta2**t) + eps)
    _share_out(update, zip(xs, dxs, ms, vs))


def _share_out(update, jobs):
    """A worker takes one part of the pieces: neighbours, which are of similar size, go to different parts."""
    pieces = [piece for job in jobs for piece in _pieces(job)]
    share(update, pieces[::2] + pieces[1::2], PRODUCTS * sum(x.size for x, *_ in pieces))


def _pieces(arrays):
    """The same parts of arrays of one shape, as views: stretches of memory where all lie alike and have no gaps."""
    size = arrays[0].size
    if size <= PIECE or not all(isinstance(a, np.ndarray) for a in arrays):
        return [arrays]
    order = memory_order(arrays[0])
    lying = [a.transpose(order) for a in arrays]
    if not all(a.flags.c_contiguous for a in lying):
        return [arrays]
    return [tuple(a.reshape(-1)[i:i + PIECE] for a in lying) for i in range(0, size, PIECE)]
