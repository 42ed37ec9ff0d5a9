"""Wrong answers to the exercises of lesson 1."""

from collections import deque

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


@wrong("1.1", "before its parents")
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
