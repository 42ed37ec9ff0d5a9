"""The last exercise of lesson 10: stochastic depth."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("10.3", gives="the output")
def stochastic_depth(x, W, p_last, b):
    """The output of L blocks h ← h + b_l·F_l(h), with F_l(h) = relu(h)·W_l; in evaluation, b None, h ← h + p_l·F_l(h).

    x (N,d); W (L,d,d), W[l − 1] is W_l; p_l = 1 − l/L·(1 − p_last) is how likely block l = 1 … L stays. b (L,) of 0 and
    1: which blocks stay in this step of training; None in evaluation. -> (N,d)
    """
    return _blocks(x, W, b, _linear(len(W), p_last))


def _linear(L, p_last):
    return [1 - l / L * (1 - p_last) for l in range(1, L + 1)]


def _blocks(x, W, b, p, training=lambda b, p: b, shortcut=lambda factor: 1):
    h = x
    for l, w in enumerate(W):
        factor = p[l] if b is None else training(b[l], p[l])
        h = shortcut(factor) * h + factor * (np.maximum(h, 0) @ w)
    return h


@stochastic_depth.draw
def _(rng):
    L, d = rng.integers(4, 7, 2).tolist()

    def blocks(n, L, d):
        return rng.standard_normal((n, d)), rng.standard_normal((L, d, d)) / np.sqrt(d)

    def drawn(L):
        b = rng.permutation(np.arange(L) % 2)
        return b.astype(float)

    yield "three blocks, in evaluation", (*blocks(2, 3, 2), 0.5, None)
    yield "three blocks, in training", (*blocks(2, 3, 2), 0.5, np.array([1.0, 0.0, 1.0]))
    yield "more blocks, in evaluation", (*blocks(4, L, d), float(rng.uniform(0.1, 0.9)), None)
    yield "more blocks, in training", (*blocks(4, L, d), 0.3, drawn(L))
    yield "one block, in evaluation", (*blocks(3, 1, d), 0.7, None)
    yield "the last block never stays, in evaluation", (*blocks(3, L, d), 0.0, None)
    yield "no block is left out", (*blocks(3, L, d), 1.0, np.ones(L))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """in evaluation your blocks count in full: F_l was there in a part p_l of all steps, so multiply it by p_l"""
    return _blocks(x, W, b, np.ones(len(W)))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your l begins with 0: the first block has l = 1, and p_1 = 1 − 1/L·(1 − p_last)"""
    return _blocks(x, W, b, [1 - l / len(W) * (1 - p_last) for l in range(len(W))])


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your first block always stays: the rule begins with p_0 = 1 at the input, so p_1 is already below 1"""
    return _blocks(x, W, b, np.linspace(1, p_last, len(W)))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your blocks all stay with p_last: by the linear rule early blocks stay more often than late ones"""
    return _blocks(x, W, b, np.full(len(W), p_last))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your rule runs backward: the last block is the one that stays least often"""
    return _blocks(x, W, b, _linear(len(W), p_last)[::-1])


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """you multiply by how likely a block is left out, 1 − p_l: multiply by how likely it stays, p_l"""
    return _blocks(x, W, b, [1 - p for p in _linear(len(W), p_last)])


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """you read p_last as how likely the last block is left out: it is how likely it stays"""
    return _blocks(x, W, b, _linear(len(W), 1 - p_last))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your shortcut is multiplied, too: only the branch is, h + p_l·F_l(h)"""
    return _blocks(x, W, b, _linear(len(W), p_last), shortcut=lambda factor: factor)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your blocks have no shortcut: h becomes h + b_l·F_l(h), not F_l(h) alone"""
    return _blocks(x, W, b, _linear(len(W), p_last), shortcut=lambda factor: 0)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your W_l is transposed, or stands left of h: F_l(h) = relu(h)·W_l"""
    return _blocks(x, W.transpose(0, 2, 1), b, _linear(len(W), p_last))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """in training you multiply by p_l as well as by b_l: p_l has its place in evaluation only"""
    return _blocks(x, W, b, _linear(len(W), p_last), training=lambda b, p: b * p)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """in training you divide by p_l, as minires does: that is right if evaluation has no factor, not with both"""
    return _blocks(x, W, b, _linear(len(W), p_last), training=lambda b, p: b / p)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """you divide by p_l in training and leave evaluation as it is, as minires does: here the factor is in evaluation"""
    return _blocks(x, W, b, _linear(len(W), p_last) if b is not None else np.ones(len(W)), training=lambda b, p: b / p)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """in training your blocks are all computed: multiply F_l by b_l, which is 0 for a block that is left out"""
    return _blocks(x, W, b, _linear(len(W), p_last), training=lambda b, p: 1)


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your branches all get x: block l gets what block l − 1 gave"""
    factors = _linear(len(W), p_last) if b is None else b
    return x + sum(factor * (np.maximum(x, 0) @ w) for factor, w in zip(factors, W))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your branch has no ReLU: F_l(h) = relu(h)·W_l"""
    h = x
    for factor, w in zip(_linear(len(W), p_last) if b is None else b, W):
        h = h + factor * (h @ w)
    return h


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your ReLU comes behind W_l: it comes first, F_l(h) = relu(h)·W_l"""
    h = x
    for factor, w in zip(_linear(len(W), p_last) if b is None else b, W):
        h = h + factor * np.maximum(h @ w, 0)
    return h


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """in evaluation you divide by p_l: multiply by it, because F_l was there only in a part p_l of the steps"""
    return _blocks(x, W, b, np.divide(1, _linear(len(W), p_last)))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your shortcut always carries the first x: it carries h, what the block before gave"""
    h = x
    for factor, w in zip(_linear(len(W), p_last) if b is None else b, W):
        h = x + factor * (np.maximum(h, 0) @ w)
    return h


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your factors multiply up from block to block: block l has p_l alone"""
    return _blocks(x, W, b, np.cumprod(_linear(len(W), p_last)))


@stochastic_depth.mistake
def _(x, W, p_last, b):
    """your ReLU changes h itself, so the shortcut loses its negative part: keep h, and use relu(h) in the branch"""
    h = x
    for factor, w in zip(_linear(len(W), p_last) if b is None else b, W):
        h = np.maximum(h, 0) + factor * (np.maximum(h, 0) @ w)
    return h
