"""The exercises of lesson 1: an autograd engine."""

from minires.lessons.exercise import exercise


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
    """nodes with several children come several times: remember which nodes you have visited"""
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
    """your order is that of the names: sort by the parents, not by the alphabet"""
    return list(order) == sorted(parents)


@topological_order.sign
def _(order, parents):
    """you write a node down before its parents: write it down after the visits to all of them"""
    return len(order) == len(set(order)) == len(parents) and any(
        order.index(parent) > order.index(node) for node in parents for parent in parents[node]
    )
