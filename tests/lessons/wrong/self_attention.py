"""Wrong answers to the exercise of lesson 11 about attention."""

import numpy as np
from planted_answers import wrong


@wrong("11.4", "by √E")
def attention_add(x, Wq, Wk, Wv):
    S = np.exp(x @ Wq @ (x @ Wk).T)
    return x + S / S.sum(1, keepdims=True) @ (x @ Wv)


@wrong("11.4", "down the columns")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - the name is what the exercise asks for
    S = np.exp(x @ Wq @ (x @ Wk).T / np.sqrt(Wq.shape[1]))
    return x + S / S.sum(0) @ (x @ Wv)


@wrong("11.4", "your x is missing")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    S = np.exp(x @ Wq @ (x @ Wk).T / np.sqrt(Wq.shape[1]))
    return S / S.sum(1, keepdims=True) @ (x @ Wv)


@wrong("11.4", "all scores together")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    S = np.exp(x @ Wq @ (x @ Wk).T / np.sqrt(Wq.shape[1]))
    return x + S / S.sum() @ (x @ Wv)


@wrong("11.4", "no softmax")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    return x + (x @ Wq) @ (x @ Wk).T / np.sqrt(Wk.shape[1]) @ (x @ Wv)


@wrong("11.4", "queries and keys")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    S = np.exp(x @ Wk @ (x @ Wq).T / np.sqrt(Wq.shape[1]))
    return x + S / S.sum(1, keepdims=True) @ (x @ Wv)


@wrong("11.4", "V = x·Wv")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    S = np.exp(x @ Wq @ (x @ Wk).T / np.sqrt(Wq.shape[1]))
    return x + S / S.sum(1, keepdims=True) @ x


@wrong("11.4", "features of x")
def attention_add(x, Wq, Wk, Wv):  # noqa: F811 - as above
    S = np.exp(x @ Wq @ (x @ Wk).T / np.sqrt(x.shape[1]))
    return x + S / S.sum(1, keepdims=True) @ (x @ Wv)
