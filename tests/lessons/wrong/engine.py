"""Wrong answers to the exercises of lesson 1."""

from collections import deque

import numpy as np
from planted_answers import wrong


@wrong("1.1", "turn it round")
def topological_order(parents):
    order = []

    def visit(node):
        if node in order:
            return
        for parent in parents[node]:
            visit(parent)
        order.append(node)

    for node in parents:
        visit(node)
    return list(reversed(order))


@wrong("1.1", "remember which nodes")
def topological_order(parents):  # noqa: F811 - the name is what the exercise asks for
    order = []

    def visit(node):
        for parent in parents[node]:
            visit(parent)
        order.append(node)

    for node in parents:
        visit(node)
    return order


@wrong("1.1", "read from its end")
def topological_order(parents):  # noqa: F811 - as above
    return list(parents)[::-1]


@wrong("1.3", "add (+=)")
def gradients(D):
    g = np.zeros(len(D))
    g[-1] = 1
    for i in reversed(range(len(D))):
        for j in range(len(D)):
            g[j] = g[i] * D[i, j]
    return g


@wrong("1.3", "begin with g[-1] = 1")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    for i in reversed(range(len(D))):
        for j in range(i):
            g[j] += g[i] * D[i, j]
    return g


@wrong("1.3", "arrives last")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    g[-1] = 1
    for i in reversed(range(len(D))):
        for j in range(i):
            g[j] = g[i] * D[i, j]
    return g


@wrong("1.3", "other way round")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    g[-1] = 1
    for i in reversed(range(len(D))):
        for j in range(i):
            g[j] += g[i] * D[j, i]
    return g


@wrong("1.3", "last row of D")
def gradients(D):  # noqa: F811 - as above
    return D[-1]


@wrong("1.1", "begin at every node")
def topological_order(parents):  # noqa: F811 - as above
    order = []
    seen = set()

    def visit(node):
        if node in seen:
            return
        seen.add(node)
        for parent in parents[node]:
            visit(parent)
        order.append(node)

    visit(next(iter(parents)))
    return order


@wrong("1.1", "before one of its parents")
def topological_order(parents):  # noqa: F811 - as above
    order = []
    queue = deque(parents)
    while queue:
        node = queue.popleft()
        if node not in order:
            order.append(node)
            queue.extend(parents[node])
    order.reverse()
    children = {p for node in parents for p in parents[node]}
    outputs = [node for node in order if node not in children]
    return outputs + [node for node in order if node in children]


@wrong("1.1", "dict's own")
def topological_order(parents):  # noqa: F811 - as above
    return list(parents.keys())


@wrong("1.1", "alphabet")
def topological_order(parents):  # noqa: F811 - as above
    return sorted(parents)


@wrong("1.1", "work on a copy")
def topological_order(parents):  # noqa: F811 - as above
    order = []
    while len(order) < len(parents):
        for node in parents:
            if node not in order and not parents[node]:
                order.append(node)
                for other in parents.values():
                    while node in other:
                        other.remove(node)
    return order


@wrong("1.2", "dx = dy·(1 − y²)")
def tanh(x):
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - np.tanh(y) ** 2)


@wrong("1.2", "square y")
def tanh(x):  # noqa: F811 - as above
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y)


@wrong("1.2", "multiply by dy")
def tanh(x):  # noqa: F811 - as above
    y = np.tanh(x)
    return y, lambda dy: 1 - y**2


@wrong("1.3", "add (+=)")
def gradients(D):  # noqa: F811 - as above
    n = len(D)
    g = np.zeros(n)
    g[n - 1] = 1
    for i in reversed(range(n)):
        for j in np.flatnonzero(D[i]):
            g[j] = g[i] * D[i, j]
    return g


@wrong("1.3", "begin with the newest")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    g[-1] = 1
    for i in range(len(D)):
        g += g[i] * D[i]
    return g


@wrong("1.3", "go forward")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    g[0] = 1.0
    for i in range(1, len(D)):
        g[i] = sum(D[i, j] * g[j] for j in range(i))
    return g


@wrong("1.3", "zero")
def gradients(D):  # noqa: F811 - as above
    g = np.zeros(len(D))
    for i in reversed(range(len(D))):
        for j in range(i):
            g[j] += g[i] * D[i, j]
    return g


@wrong("1.3", "multiply by g[i]")
def gradients(D):  # noqa: F811 - as above
    g = D.sum(axis=0)
    g[-1] = 1
    return g


@wrong("1.4", "keepdims")
def unbroadcast(dy, shape):
    padded = (1,) * (dy.ndim - len(shape)) + tuple(shape)
    return dy.sum(axis=tuple(k for k, length in enumerate(padded) if length == 1))


@wrong("1.4", "were stretched, too")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    return dy


@wrong("1.4", "missing on the left")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


@wrong("1.4", "mean over the copies")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    while dy.ndim > len(shape):
        dy = dy.mean(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.mean(axis=axis, keepdims=True)
    return dy


@wrong("1.4", "whatever the shape is")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    return np.sum(dy, axis=0)


@wrong("1.4", "you cut dy to the shape")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    return np.resize(dy, shape)


@wrong("1.4", "reshape keeps all numbers")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    return dy.reshape(shape)


@wrong("1.4", "you sum over the last axes alone")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    while dy.ndim > len(shape):
        dy = dy.sum(axis=-1)
    return dy


@wrong("1.4", "the largest of the copies")
def unbroadcast(dy, shape):  # noqa: F811 - as above
    while dy.ndim > len(shape):
        dy = dy.max(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.max(axis=axis, keepdims=True)
    return dy


@wrong("1.2", "dy·(1 − x²)")
def tanh(x):  # noqa: F811 - as above
    return np.tanh(x), lambda dy: (dy * (1 - x**2),)


@wrong("1.2", "dy·(1 + y²)")
def tanh(x):  # noqa: F811 - as above
    return np.tanh(x), lambda dy: (dy * (1 + np.tanh(x) ** 2),)


@wrong("1.2", "dy·y:")
def tanh(x):  # noqa: F811 - as above
    y = np.tanh(x)
    return y, lambda dy: (dy * y,)
