"""Wrong answers to the exercises of lesson 6."""

import numpy as np
from planted_answers import wrong


@wrong("6.1", "branches alone")
def gradient_norms(J, g):
    norms = [np.linalg.norm(g)]
    for k in reversed(range(len(J))):
        g = J[k].T @ g
        norms.append(np.linalg.norm(g))
    return norms


@wrong("6.1", "transpose")
def gradient_norms(J, g):  # noqa: F811 - the name is what the exercise asks for
    norms = [np.linalg.norm(g)]
    for k in reversed(range(len(J))):
        g = g + J[k] @ g
        norms.append(np.linalg.norm(g))
    return norms


@wrong("6.1", "in reverse")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = [np.linalg.norm(g)]
    for k in range(len(J)):
        g = g + J[k].T @ g
        norms.append(np.linalg.norm(g))
    return np.array(norms)


@wrong("6.1", "squared")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = [g @ g]
    for k in reversed(range(len(J))):
        g = g + J[k].T @ g
        norms.append(g @ g)
    return norms


@wrong("6.1", "k = 0")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = [np.linalg.norm(g)]
    for k in reversed(range(len(J))):
        g = g + J[k].T @ g
        norms.insert(0, np.linalg.norm(g))
    return norms


@wrong("6.1", "g itself is missing")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = []
    for k in reversed(range(len(J))):
        g = g + J[k].T @ g
        norms.append(np.linalg.norm(g))
    return np.array(norms)


@wrong("6.1", "work on a copy")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = [np.linalg.norm(g)]
    for k in reversed(range(len(J))):
        g += J[k].T @ g
        norms.append(np.linalg.norm(g))
    return norms


@wrong("6.1", "int")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = np.zeros(len(J) + 1, int)
    norms[0] = np.linalg.norm(g)
    for k in range(len(J)):
        g = g + J[len(J) - 1 - k].T @ g
        norms[k + 1] = np.linalg.norm(g)
    return norms


@wrong("6.2", "dy everywhere")
def add_relu(x, f):
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy, dy

    return H, backward


@wrong("6.2", "sign")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        m = dy * (H > 0)
        return m, -m

    return H, backward


@wrong("6.2", "zero")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        m = dy * (H > 0)
        return np.zeros_like(m), m

    return H, backward


@wrong("6.1", "np.eye(d)")
def gradient_norms(J, g):  # noqa: F811 - as above
    norms = [np.linalg.norm(g)]
    for k in reversed(range(len(J))):
        g = g @ (1 + J[k])
        norms.append(np.linalg.norm(g))
    return norms
