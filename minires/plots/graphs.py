"""A graph of computations, drawn from its inputs on the left to its result on the right."""

from itertools import pairwise

from minires.plots.files import finished, new_figure
from minires.plots.style import BLACK, VERMILION

COLUMN, ROW = 1.15, 0.72  # inches from one box to the next
HALF_WIDTH, HALF_HEIGHT = 0.4, 0.24  # of a box, in columns and rows
FONT = 8
DPI = 200


def plot_graph(parents, labels=None, gradients=None, path=None):
    """Draw {node: its parents}: a box for each node, an arrow from each parent. -> Figure

    labels: {node: what stands in its box}. gradients: {node: what stands below its box}.
    A node stands to the right of its parents. An edge that passes a column has a place of its own there.
    """
    labels = labels or {}
    columns, edges = _layout(parents)
    places = {node: (x, (len(column) - 1) / 2 - k) for x, column in enumerate(columns) for k, node in enumerate(column)}
    tallest = max(map(len, columns))
    figure = new_figure(COLUMN * len(columns), ROW * tallest + 0.15)
    axes = figure.subplots()
    axes.set(xlim=(-0.55, len(columns) - 0.45), ylim=(-tallest / 2 - 0.1, tallest / 2 + 0.05))
    axes.axis("off")
    for stops, shift in edges:
        _draw_edge(axes, [places[stop] for stop in stops], shift)
    for node in parents:
        _draw_node(axes, places[node], labels.get(node, str(node)), (gradients or {}).get(node, ""))
    return finished(figure, path, DPI)


def _layout(parents):
    """The nodes of each column from top to bottom, and for each edge (its stops, how far it is moved up).

    Stops are a parent, places on the way, and a node. Two edges with the same ends are drawn apart.
    """
    column_of = {}

    def column(node):  # one more than that of the last parent
        if node not in column_of:
            column_of[node] = 1 + max((column(parent) for parent in parents[node]), default=-1)
        return column_of[node]

    columns = [[] for _ in range(1 + max(map(column, parents)))]
    edges = []
    for node, before in parents.items():
        columns[column_of[node]].append(node)
        for k, parent in enumerate(before):
            passed = [(parent, k, node, x) for x in range(column_of[parent] + 1, column_of[node])]
            same = [j for j, other in enumerate(before) if other == parent]
            shift = 0.0 if passed else 0.2 * ((len(same) - 1) / 2 - same.index(k))
            edges.append(([parent, *passed, node], shift))
            for place in passed:
                columns[place[-1]].append(place)
    links = {}
    for stops, _ in edges:
        for left, right in pairwise(stops):
            links.setdefault(right, []).append(left)
    height = {}
    for nodes in columns:  # each stands at the mean height of what it comes from, so that few arrows cross
        nodes.sort(key=lambda node: sum(height[left] for left in links.get(node, ())) / len(links.get(node, (1,))))
        height |= {node: k - (len(nodes) - 1) / 2 for k, node in enumerate(nodes)}
    return columns, edges


def _draw_edge(axes, stops, shift):
    (x0, y0), *passed, (x1, y1) = stops
    sides = (-HALF_WIDTH, HALF_WIDTH)
    between = [(x + side, y) for x, y in passed for side in sides]  # level where it passes a box, so it crosses none
    points = [(x0 + HALF_WIDTH, y0 + shift), *between, (x1 - HALF_WIDTH, y1 + shift)]
    axes.plot(*zip(*points[:-1]), color="0.45", linewidth=1, zorder=1)
    arrow = {"arrowstyle": "-|>", "color": "0.45", "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", points[-1], points[-2], arrowprops=arrow, zorder=1)


def _draw_node(axes, place, label, gradient):
    x, y = place
    corners = [x - HALF_WIDTH, x + HALF_WIDTH, x + HALF_WIDTH, x - HALF_WIDTH]
    heights = [y - HALF_HEIGHT, y - HALF_HEIGHT, y + HALF_HEIGHT, y + HALF_HEIGHT]
    axes.fill(corners, heights, facecolor="0.96", edgecolor=BLACK, linewidth=0.9, zorder=2)
    axes.text(x, y, label, ha="center", va="center", fontsize=FONT, zorder=3)
    if gradient:
        below = y - HALF_HEIGHT - 0.03
        axes.text(x, below, gradient, ha="center", va="top", fontsize=FONT - 0.5, color=VERMILION, zorder=3)
