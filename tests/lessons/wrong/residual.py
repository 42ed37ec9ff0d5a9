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


@wrong("6.2", "your dx is dy everywhere")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy, dy * (H > 0)

    return H, backward


@wrong("6.2", "your df is dy everywhere")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * (H > 0), dy

    return H, backward


@wrong("6.2", "the mask x > 0")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * (x > 0), dy * (f > 0)

    return H, backward


@wrong("6.2", "the mask dy > 0")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * (dy > 0), dy * (dy > 0)

    return H, backward


@wrong("6.2", "1 of 2 gradients")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * (H > 0)

    return H, backward


@wrong("6.2", "relu(x) + f")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x, 0) + f

    def backward(dy):
        return dy * (x > 0), dy

    return H, backward


@wrong("6.2", "relu(x) + relu(f)")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x, 0) + np.maximum(f, 0)

    def backward(dy):
        return dy * (x > 0), dy * (f > 0)

    return H, backward


@wrong("6.2", "the shortcut is missing")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(f, 0)

    def backward(dy):
        return 0 * dy, dy * (f > 0)

    return H, backward


@wrong("6.2", "the block adds")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x * f, 0)

    def backward(dy):
        return dy * f * (H > 0), dy * x * (H > 0)

    return H, backward


@wrong("6.2", "the mask alone")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return 1.0 * (H > 0), 1.0 * (H > 0)

    return H, backward


@wrong("6.2", "dy·y")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * H, dy * H

    return H, backward


@wrong("6.2", "dy·(x + f)")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return dy * (x + f), dy * (x + f)

    return H, backward


@wrong("6.2", "made of dy")
def add_relu(x, f):  # noqa: F811 - as above
    H = np.maximum(x + f, 0)

    def backward(dy):
        return H, H

    return H, backward
