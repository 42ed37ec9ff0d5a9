"""Wrong answers to the exercises of lesson 11 about blocks of convolutions."""

import numpy as np
from planted_answers import wrong


@wrong("11.1", "follow one another")
def grouped_conv(x, w, groups):
    out = []
    for g in range(groups):
        n = w.shape[0] // groups
        out.append(np.tensordot(w[g * n : (g + 1) * n], x[g::groups], 1))
    return np.concatenate(out)


@wrong("11.1", "one after another")
def grouped_conv(x, w, groups):  # noqa: F811 - the name is what the exercise asks for
    y = 0
    for a, b in zip(np.array_split(x, groups), np.array_split(w, groups)):
        y = y + np.einsum("oc,chw->ohw", b, a)
    return y


@wrong("11.1", "channels of the first one")
def grouped_conv(x, w, groups):  # noqa: F811 - as above
    C = x.shape[0] // groups
    return np.concatenate([np.einsum("oc,chw->ohw", part, x[:C]) for part in np.split(w, groups)])


@wrong("11.1", "of its own group only")
def grouped_conv(x, w, groups):  # noqa: F811 - as above
    C, H, W = x.shape
    full = np.hstack([w] * groups)
    return (full @ x.reshape(C, -1)).reshape(-1, H, W)


@wrong("11.1", "the first group alone")
def grouped_conv(x, w, groups):  # noqa: F811 - as above
    C = len(x) // groups
    O = len(w) // groups
    y = []
    for g in range(groups):
        part = x[g * C : (g + 1) * C]
        y.append(np.tensordot(w[g * O : (g + 1) * O], part, axes=1))
        return np.concatenate(y)


@wrong("11.1", "in turn")
def grouped_conv(x, w, groups):  # noqa: F811 - as above
    C = len(x) // groups
    O = len(w) // groups
    y = np.zeros((len(w), *x.shape[1:]))
    for g in range(groups):
        y[g::groups] = np.tensordot(w[g * O : (g + 1) * O], x[g * C : (g + 1) * C], axes=1)
    return y


@wrong("11.2", "no sigmoid")
def se_add(x, f, W1, b1, W2, b2):
    s = W2 @ np.maximum(W1 @ f.mean(axis=(1, 2)) + b1, 0) + b2
    return x + s.reshape(-1, 1, 1) * f


@wrong("11.2", "you weigh x, too")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    a = np.maximum(0, W1.dot(f.mean(axis=(1, 2))) + b1)
    s = 1 / (1 + np.exp(-W2.dot(a) - b2))
    return (x + f) * s[:, None, None]


@wrong("11.2", "you squeeze x")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    z = x.mean(axis=-1).mean(axis=-1)
    s = 1 / (1 + np.exp(-(W2 @ np.maximum(W1 @ z + b1, 0) + b2)))
    return x + s[:, None, None] * f


@wrong("11.2", "your x is missing")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    z = f.mean((1, 2))
    s = 1 / (1 + np.exp(-(W2 @ np.maximum(W1 @ z + b1, 0) + b2)))
    return s[:, None, None] * f


@wrong("11.2", "takes their mean")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    z = f.reshape(len(f), -1).sum(1)
    s = 1 / (1 + np.exp(-(W2 @ np.maximum(W1 @ z + b1, 0) + b2)))
    return x + s[:, None, None] * f


@wrong("11.2", "no ReLU between them")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    s = W2 @ (W1 @ f.mean((1, 2)) + b1) + b2
    return x + f / (1 + np.exp(-s))[:, None, None]


@wrong("11.2", "for itself")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    e = np.exp(W2 @ np.maximum(W1 @ f.mean((1, 2)) + b1, 0) + b2)
    return x + (e / sum(e))[:, None, None] * f


@wrong("11.2", "one number a channel")
def se_add(x, f, W1, b1, W2, b2):  # noqa: F811 - as above
    z = f.mean((1, 2))
    return 1 / (1 + np.exp(-(W2 @ np.maximum(W1 @ z + b1, 0) + b2)))


@wrong("11.3", "stand behind those of x")
def dense_block(x, W):
    for w in W:
        x = np.vstack([np.tensordot(w, np.maximum(x, 0), 1), x])
    return x


@wrong("11.3", "your ReLU changes what is kept")
def dense_block(x, W):  # noqa: F811 - as above
    for w in W:
        x = np.maximum(x, 0)
        x = np.concatenate((x, np.einsum("oc,chw->ohw", w, x)), axis=0)
    return x


@wrong("11.3", "it comes first")
def dense_block(x, W):  # noqa: F811 - as above
    for w in W:
        x = np.concatenate([x, np.maximum(np.einsum("oc,chw->ohw", w, x), 0)])
    return x


@wrong("11.3", "have no ReLU")
def dense_block(x, W):  # noqa: F811 - as above
    for w in W:
        x = np.concatenate([x, np.einsum("oc,chw->ohw", w, x)])
    return x


@wrong("11.3", "only your first layer")
def dense_block(x, W):  # noqa: F811 - as above
    for w in W:
        return np.concatenate([x, np.einsum("oc,chw->ohw", w, np.maximum(x, 0))])
    return x


@wrong("11.3", "without those of x")
def dense_block(x, W):  # noqa: F811 - as above
    C = len(x)
    for w in W:
        x = np.concatenate([x, np.einsum("oc,chw->ohw", w, np.maximum(x, 0))])
    return x[C:]


@wrong("11.3", "see only the first maps")
def dense_block(x, W):  # noqa: F811 - as above
    maps = [x]
    for w in W:
        maps.append(np.einsum("oc,chw->ohw", w[:, : len(x)], x.clip(0)))
    return np.concatenate(maps)
