"""The exercises of lesson 1: an autograd engine."""

import numpy as np

from minires.lessons.exercise import exercise
from minires.lessons.op_exercise import OpExercise


@exercise("1.1", gives="order")
def topological_order(parents):
    """All nodes of a graph, each once and after all of its parents: {node: list of its parents} -> list of nodes."""
    order = []
    done = set()

    def visit(node):
        if node not in done:
            done.add(node)
            for parent in parents[node]:
                visit(parent)
            order.append(node)

    for node in parents:
        visit(node)
    return order


@topological_order.draw
def _(rng):
    def named(parents):
        """The same graph with other names, and its nodes in another order."""
        names = [f"v{k}" for k in rng.permutation(90)[: len(parents)] + 10]
        new = dict(zip(parents, names))
        nodes = [list(parents)[k] for k in rng.permutation(len(parents))]
        return {new[node]: [new[parent] for parent in parents[node]] for node in nodes}

    n = int(rng.integers(8, 12))
    ladder = {"x0": []}
    for k in range(1, n):
        ladder |= {f"a{k}": [f"x{k - 1}"], f"b{k}": [f"x{k - 1}"], f"x{k}": [f"a{k}", f"b{k}"]}
    skips = {f"h{k}": [f"h{j}" for j in range(k) if k - j in (1, 3)] for k in range(n)}
    yield "y = w·x + b", ({"loss": ["y"], "y": ["p", "b"], "p": ["w", "x"], "w": [], "x": [], "b": []},)
    yield "a residual block, y = x + F(x)", (named({"x": [], "h": ["x"], "f": ["h"], "y": ["x", "f"]}),)
    yield "shortcuts over two nodes", (named(skips),)
    yield "a node that is twice a parent, x·x", (named({"x": [], "s": ["x", "x"], "y": ["s", "x"]}),)
    yield "two outputs, and a node alone", (named({"x": [], "a": ["x"], "b": ["x"], "c": []}),)
    yield "many paths through the same nodes", (named(ladder),)
    yield "one node", ({"x": []},)


@topological_order.verify
def _(order, parents):
    if not isinstance(order, (list, tuple)):
        return f"order is a {type(order).__name__}, and a list of nodes is asked for"
    place = {}
    for k, node in enumerate(order):
        if not isinstance(node, str) or node not in parents:
            return f"order[{k}] is {str(node)[:40]!r}, which is no node"
        if node in place:
            return f"the node {node!r} comes twice"
        place[node] = k
    for node in parents:
        if node not in place:
            return f"the node {node!r} is missing"
    for node, before in parents.items():
        for parent in before:
            if place[parent] > place[node]:
                return f"the node {node!r} comes before its parent {parent!r}"
    return ""


def _is_order(order, parents):
    return not topological_order.problem(order, (parents,))


@topological_order.sign
def _(order, parents):
    """your order is that of the backward pass: parents come first, so turn it round"""
    return _is_order(order[::-1], parents)


@topological_order.sign
def _(order, parents):
    """nodes that are a parent several times come several times: remember which nodes you have visited"""
    return len(order) > len(set(order)) == len(parents)


@topological_order.sign
def _(order, parents):
    """nodes are missing that no path from your first node reaches: begin at every node of the graph"""
    part = {node: parents[node] for node in order}
    return len(part) < len(parents) and (_is_order(order, part) or _is_order(order[::-1], part))


@topological_order.sign
def _(order, parents):
    """nodes without parents are missing: they belong at the beginning of the order"""
    return set(order) == {node for node in parents if parents[node]}


@topological_order.sign
def _(order, parents):
    """your order is the dict's own, which says nothing of parents"""
    return list(order) == list(parents)


@topological_order.sign
def _(order, parents):
    """your order is the dict's own, read from its end, which says nothing of parents: follow the lists of parents"""
    return list(order) == list(parents)[::-1]


@topological_order.sign
def _(order, parents):
    """your order is that of the names: sort by the parents, not by the alphabet"""
    return list(order) == sorted(parents)


@topological_order.sign
def _(order, parents):
    """a node comes before one of its parents: write it down only when all of its parents are written down"""
    return len(order) == len(set(order)) == len(parents) and any(
        order.index(parent) > order.index(node) for node in parents for parent in parents[node]
    )


OpExercise(
    "1.2",
    op="tanh",
    call="tanh(x)",
    asks="The op tanh with its backward: an array x -> (y, backward), where backward(dy) gives dx.",
)


@exercise("1.3", gives="g")
def gradients(D):
    """The derivative of the last value by each value: D (n,n), D[i,j] = ∂v_i/∂v_j for a parent j, or 0 -> (n,)."""
    return _swept(D)


@gradients.draw
def _(rng):
    def graph(n, edges):
        return np.tril(rng.uniform(0.5, 2, (n, n)) * (rng.random((n, n)) < edges), -1)

    def chain(D):
        return D + np.diag(rng.uniform(1.5, 3, len(D) - 1), -1)

    n = int(rng.integers(6, 9))
    yield "y = x·x + x", (np.array([[0.0, 0, 0], [2 * rng.uniform(1, 3), 0, 0], [1, 1, 0]]),)
    yield "each value has the one before it as parent", (chain(np.zeros((n, n))),)
    yield "values that are used several times", (chain(graph(n, 0.6)),)
    yield "negative derivatives", (-chain(graph(n, 0.6)),)
    yield "two values on which the loss does not depend", (np.pad(chain(graph(n, 0.4)), ((2, 0), (2, 0))),)
    yield "the loss alone", (np.zeros((1, 1)),)


def _swept(D, keep=lambda before, dx: before + dx, order=-1):
    """The sweep with another sum, or in another order."""
    n = len(D)
    g = np.zeros(n)
    g[-1] = 1
    for i in range(n)[::order]:
        for j in range(i):
            if D[i, j]:
                g[j] = keep(g[j], g[i] * D[i, j])
    return g


@gradients.mistake
def _(D):
    """a value that is used twice keeps only the part that arrives last: add (+=), do not assign (=)"""
    return _swept(D, lambda before, dx: dx)


@gradients.mistake
def _(D):
    """a value that is used twice keeps only the part that arrives first: add what comes later"""
    return _swept(D, lambda before, dx: before or dx)


@gradients.mistake
def _(D):
    """your g stays zero: begin with g[-1] = 1, and add (+=), because = writes a 0 wherever D is 0"""
    return np.zeros(len(D))


@gradients.mistake
def _(D):
    """you take D the other way round: row i, D[i, j], has the derivatives of value i by its parents j"""
    return [*np.zeros(len(D) - 1), 1]


@gradients.mistake
def _(D):
    """this is the last row of D alone: it has what the loss gives to its own parents, and they hand it on"""
    return D[-1]


@gradients.mistake
def _(D):
    """only the parents of the loss get a gradient: each value hands on what it has got, so begin with the newest"""
    return _swept(D, order=1)


@gradients.mistake
def _(D):
    """the gradient of the loss itself is missing: ∂L/∂L is 1, and the result has n numbers"""
    return _swept(D)[:-1]


@gradients.mistake
def _(D):
    """the gradient of the loss by itself is 1: your last number is another one"""
    return [*_swept(D)[:-1], 0]


@gradients.mistake
def _(D):
    """you add the derivatives of all values that used it, without the gradient that arrived there: multiply by g[i]"""
    return [*D.sum(0)[:-1], 1]


@gradients.mistake
def _(D):
    """you go forward: this is the derivative of each value by the first one; begin at the last with 1"""
    g = np.zeros(len(D))
    g[0] = 1
    for i in range(1, len(D)):
        g[i] = D[i] @ g
    return g


@exercise("1.4", gives="dx")
def unbroadcast(dy, shape):
    """The gradient of an array of this shape that was broadcast to the shape of dy: the sum over all copies."""
    extra = dy.ndim - len(shape)
    stretched = tuple(k for k in range(dy.ndim) if k < extra or shape[k - extra] == 1)
    return dy.sum(stretched).reshape(shape)


@unbroadcast.draw
def _(rng):
    m, n, k = (rng.permutation(4) + 2)[:3].tolist()

    def of(dy_shape, shape):
        return rng.standard_normal(dy_shape) + 0.5, shape

    yield "a bias of a matrix", of((2, 3), (3,))
    yield "a column", of((m, n), (m, 1))
    yield "a row", of((m, n), (1, n))
    yield "nothing was broadcast", of((m, n), (m, n))
    yield "one number", of((m, n), ())
    yield "an axis that is missing, and one of length 1", of((k, m, n), (m, 1))
    yield "two axes that are missing", of((k, m, n), (n,))
    yield "a channel of a feature map", of((m, k, n, n), (1, k, 1, 1))
    yield "an axis of length 1 on both sides", of((m, 1, n), (1, n))
    yield "a square, in which the axes have one length", of((n, n), (n,))


def _broadcast_axes(dy, shape):
    extra = dy.ndim - len(shape)
    return tuple(k for k in range(dy.ndim) if k < extra or shape[k - extra] == 1)


@unbroadcast.mistake
def _(dy, shape):
    """your dx is a mean over the copies: each copy's gradient counts fully, so add them"""
    return dy.mean(_broadcast_axes(dy, shape)).reshape(shape)


@unbroadcast.mistake
def _(dy, shape):
    """you take the gradient of the first copy alone: add those of all copies"""
    places = tuple(0 if k in _broadcast_axes(dy, shape) else slice(None) for k in range(dy.ndim))
    return dy[places].reshape(shape)


@unbroadcast.mistake
def _(dy, shape):
    """you take the largest of the copies: add all of them"""
    return dy.max(_broadcast_axes(dy, shape)).reshape(shape)


@unbroadcast.mistake
def _(dy, shape):
    """you cut dy to the shape, and the other copies are lost: add up the copies of each element"""
    return np.resize(dy, shape)


@unbroadcast.mistake
def _(dy, shape):
    """axes of length 1 are lost in your sum: keep them there (keepdims=True), and drop only those that were missing"""
    return dy.sum(_broadcast_axes(dy, shape))


@unbroadcast.mistake
def _(dy, shape):
    """axes of length 1 are not summed: they were stretched, too"""
    return dy.sum(tuple(range(dy.ndim - len(shape))))


@unbroadcast.mistake
def _(dy, shape):
    """axes that were missing on the left are not summed: dy has more axes than shape"""
    return dy.sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


@unbroadcast.mistake
def _(dy, shape):
    """you sum over the last axes: the missing ones are on the left, because shapes are compared from the right"""
    dx = dy.sum(tuple(range(len(shape), dy.ndim)))
    return dx.sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


@unbroadcast.mistake
def _(dy, shape):
    """you sum over the last axes alone: the missing ones are on the left, and those of length 1 were stretched, too"""
    return dy.sum(tuple(range(len(shape), dy.ndim)))


@unbroadcast.mistake
def _(dy, shape):
    """you sum over axis 0, whatever the shape is: compare the shapes, and sum over the axes that were stretched"""
    return dy.sum(0)


@unbroadcast.mistake
def _(dy, shape):
    """your dx still has the shape of dy: add up the copies, so that it gets the shape of the input"""
    return dy
