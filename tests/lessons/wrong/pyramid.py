"""Wrong answers to the exercise of lesson 12 about a feature pyramid."""

import numpy as np
from planted_answers import wrong


@wrong("12.3", "laid beside itself")
def top_down(C, P, w, b):
    lateral = np.tensordot(w, C, 1) + b.reshape(-1, 1, 1)
    return lateral + np.tile(P, (2, 2))


@wrong("12.3", "zeros between its pixels")
def top_down(C, P, w, b):  # noqa: F811 - the name is what the exercise asks for
    y = np.einsum("dk,khw->dhw", w, C) + b[:, None, None]
    y[:, ::2, ::2] += P
    return y


@wrong("12.3", "no bias")
def top_down(C, P, w, b):  # noqa: F811 - as above
    big = np.repeat(np.repeat(P, 2, axis=1), 2, axis=2)
    return np.einsum("dk,khw->dhw", w, C) + big


@wrong("12.3", "your P is missing")
def top_down(C, P, w, b):  # noqa: F811 - as above
    return np.tensordot(w, C, 1) + b[:, None, None]


@wrong("12.3", "a pyramid adds them up")
def top_down(C, P, w, b):  # noqa: F811 - as above
    lateral = np.tensordot(w, C, 1) + b[:, None, None]
    return np.concatenate((lateral, np.kron(P, np.ones((1, 2, 2)))))


@wrong("12.3", "make P as large as C")
def top_down(C, P, w, b):  # noqa: F811 - as above
    return (np.tensordot(w, C, 1) + b[:, None, None])[:, ::2, ::2] + P
