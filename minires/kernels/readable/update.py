"""One step of an optimizer for a parameter x, with gradient g and weight decay λ."""

import math

from minires.arrays import array_module


def sgd(xs, dxs, vs, *, lr, momentum, dampening, weight_decay, nesterov, first):
    """sgd_of_one for lists of arrays; without momentum vs is not used."""
    for x, dx, v in zip(xs, dxs, vs if momentum else dxs):
        sgd_of_one(x, dx, v, lr, momentum, dampening, weight_decay, nesterov, first)


def sgd_of_one(x, dx, v, lr, momentum, dampening, weight_decay, nesterov, first):
    """v ← μ·v + (1 − dampening)·g with g = dx + λ·x, or v ← g at first; x ← x − lr·v, or x − lr·(g + μ·v)."""
    g = dx + weight_decay * x if weight_decay else dx
    if momentum:
        if first:
            v[...] = g
        else:
            v *= momentum
            v += g if dampening == 0 else (1 - dampening) * g
        g = g + momentum * v if nesterov else v
    x -= lr * g


def adam(xs, dxs, ms, vs, *, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """adam_of_one for lists of arrays."""
    for x, dx, m, v in zip(xs, dxs, ms, vs):
        adam_of_one(x, dx, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, t)


def adam_of_one(x, dx, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε), in step t.

    m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). The weight decay λ is part of the gradient, g = dx + λ·x. If decoupled, g = dx
    and x ← x − lr·λ·x comes first.
    """
    g = dx if decoupled or not weight_decay else dx + weight_decay * x
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    if decoupled:
        x *= 1 - lr * weight_decay
    x -= (lr / (1 - beta1**t)) * m / (array_module(x).sqrt(v) / math.sqrt(1 - beta2**t) + eps)
