"""The last exercise of lesson 11: a residual block whose branch is attention."""

import math

import numpy as np

from minires.lessons.exercise import exercise


@exercise("11.4", gives="H")
def attention_add(x, Wq, Wk, Wv):
    """A residual block of attention: H = x + P·V, P = softmax(Q·Kᵀ/√E) along each row.

    x (T,D): T tokens. Q = x·Wq, K = x·Wk, with Wq and Wk (D,E); V = x·Wv, with Wv (D,D) -> H (T,D).
    """
    return x + _attended(x, Wq, Wk, Wv)


def _rows(S):
    """softmax of each row."""
    weights = np.exp(S - S.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def _root(E, T, D):
    return math.sqrt(E)


def _attended(x, Wq, Wk, Wv, scale=_root, softmax=_rows, exchange=False):
    if exchange:
        Wq, Wk = Wk, Wq
    scores = x @ Wq @ (x @ Wk).T
    return softmax(scores / scale(Wq.shape[1], *x.shape)) @ (x @ Wv)


@attention_add.draw
def _(rng):
    def case(T, D, E):
        Wq, Wk = rng.standard_normal((2, D, E))
        return rng.standard_normal((T, D)), Wq, Wk, rng.standard_normal((D, D)) / 2

    yield "3 tokens of 4 features", case(3, 4, 2)
    yield "more tokens than features", case(int(rng.integers(6, 9)), 2, 3)
    yield "as many tokens as features", case(4, 4, 4)
    yield "queries of one feature", case(5, 3, 1)
    yield "one token", case(1, 4, 2)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your x is missing: H = x + P·V, and the shortcut stays"""
    return _attended(x, Wq, Wk, Wv)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores are not divided by √E: P = softmax(Q·Kᵀ/√E)"""
    return x + _attended(x, Wq, Wk, Wv, scale=lambda *_: 1)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores are divided by E: divide them by its root, √E"""
    return x + _attended(x, Wq, Wk, Wv, scale=lambda E, T, D: E)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores are divided by √D, of the features of x: E is how many features a query has, Wq.shape[1]"""
    return x + _attended(x, Wq, Wk, Wv, scale=lambda E, T, D: math.sqrt(D))


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores are divided by √T, of the tokens: E is how many features a query has, Wq.shape[1]"""
    return x + _attended(x, Wq, Wk, Wv, scale=lambda E, T, D: math.sqrt(T))


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores are multiplied by √E: divide them"""
    return x + _attended(x, Wq, Wk, Wv, scale=lambda E, T, D: 1 / math.sqrt(E))


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your softmax runs down the columns: the weights of one token are a row of P, and add up to 1"""
    return x + _attended(x, Wq, Wk, Wv, softmax=lambda S: _rows(S.T).T)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your softmax takes all scores together: each row of P adds up to 1, sum(axis=1, keepdims=True)"""
    return x + _attended(x, Wq, Wk, Wv, softmax=lambda S: _rows(S.reshape(1, -1)).reshape(S.shape))


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your scores have no softmax: the weights of one token are above 0, and add up to 1"""
    return x + _attended(x, Wq, Wk, Wv, softmax=lambda S: S)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your exponentials are not divided by their sum: each row of P adds up to 1"""
    return x + _attended(x, Wq, Wk, Wv, softmax=np.exp)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """your queries and keys are exchanged: row i of P has the scores of query i with all keys, Q·Kᵀ"""
    return x + _attended(x, Wq, Wk, Wv, exchange=True)


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """you take a mean of the tokens themselves: take one of the values, V = x·Wv"""
    return x + _attended(x, Wq, Wk, np.eye(x.shape[1]))


@attention_add.mistake
def _(x, Wq, Wk, Wv):
    """you multiply by the transpose of P: token i takes row i of P, H = x + P·V"""
    return x + _attended(x, Wq, Wk, Wv, softmax=lambda S: _rows(S).T)


@attention_add.sign
def _(H, x, Wq, Wk, Wv):
    """your result is P, the weights of tokens for tokens: give H = x + P·V"""
    P = _rows(x @ Wq @ (x @ Wk).T / math.sqrt(Wq.shape[1]))
    return np.shape(H) == P.shape and np.allclose(H, P)
