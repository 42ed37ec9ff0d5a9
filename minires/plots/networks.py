"""Networks as columns of boxes, with arcs around the blocks, as in a paper  [He et al. 2015, Fig. 3]."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from minires.errors import need
from minires.plots.files import finished, new_figure
from minires.plots.style import BLACK, BLUE, GREEN, VERMILION

ROW = 0.225  # inches from one box to the next
BOX_WIDTH, BOX_HEIGHT = 1.62, 0.155  # inches
COLUMN = 2.45  # inches from one network to the next
LEFT, TOP, BOTTOM = 0.72, 0.62, 0.5  # inches around the boxes
FONT = 6.8
STAGES = ("#d9cdea", "#cfe6d3", "#f6d3c6", "#c9def2", "#f7e8bf", "#f3cfe0", "#dcdcdc")  # the colors of the stages
PLAIN = {"pool": "white", "fc": "#eeeeee"}
ARCS = {
    "identity": ("x itself, added (identity)", {"color": BLACK, "linestyle": "-"}),
    "projection": ("x in another shape, added", {"color": VERMILION, "linestyle": (0, (1.2, 1.2))}),
    "concatenation": ("x itself, kept beside F(x)", {"color": GREEN, "linestyle": "-"}),
}


class Box(NamedTuple):
    """One layer. kind: "conv", "pool", "fc", "attention" or "gate". size: rows of its output map, 1 behind the maps."""

    label: str
    kind: str
    size: int


class Arc(NamedTuple):
    """A way around boxes: from behind box `start` (−1 is the image) to behind box `end`. kind: one of ARCS."""

    start: int
    end: int
    kind: str


@dataclass
class Network:
    """A column: its boxes from the image on, its arcs, and its frames.

    blocks: (first box, last box, how often they follow each other) of what is drawn as one.
    """

    title: str
    boxes: list[Box]
    arcs: list[Arc] = field(default_factory=list)
    blocks: list[tuple[int, int, int]] = field(default_factory=list)


def plot_networks(networks: Sequence[Network], path=None):
    """Draw networks beside each other, aligned by the sizes of their maps, which stand at the left. -> Figure"""
    sizes, places, rows = _layout(networks)
    width = LEFT + COLUMN * len(networks)
    height = TOP + ROW * rows + BOTTOM
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(-height, 0))
    axes.axis("off")
    axes.text(0.08, -TOP + 0.2, "output\nsize", fontsize=FONT, va="bottom", color="0.35", linespacing=0.9)
    for size, first, count in sizes:
        top = -TOP - ROW * first
        axes.plot([0.08, width - 0.08], [top + 0.02] * 2, color="0.86", linewidth=0.6, zorder=0)
        label = "1" if size == 1 else f"{size}×{size}"
        axes.text(0.08, top - ROW * min(count, 1) / 2, label, fontsize=FONT + 0.5, va="center")
    maps = [size for size in dict.fromkeys(size for size, *_ in sizes) if size > 1]
    for k, (network, ys) in enumerate(zip(networks, places)):
        _draw(axes, network, LEFT + COLUMN * k + BOX_WIDTH / 2, ys, maps)
    _legend(figure, networks, height)
    return finished(figure, path, dpi=160)


def _layout(networks):
    """(size, first row, rows) of each size, the y of each network's boxes, and the number of rows in all.

    Where the maps of a network do not only shrink, it cannot be aligned: all networks then run from the top on.
    """
    columns = [[box.size for box in network.boxes] for network in networks]
    if any(column != sorted(column, reverse=True) for column in columns):
        longest = max(columns, key=len)
        labels = [(n, i, 1) for i, n in enumerate(longest) if i == 0 or n != longest[i - 1]]
        return labels, [[_y(i) for i in range(len(column))] for column in columns], len(longest)
    sizes = sorted({size for column in columns for size in column}, reverse=True)
    heights = [max(column.count(size) for column in columns) for size in sizes]
    starts = [sum(heights[:i]) for i in range(len(sizes))]
    start_of = dict(zip(sizes, starts))
    places = [[_y(start_of[size] + i - column.index(size)) for i, size in enumerate(column)] for column in columns]
    return list(zip(sizes, starts, heights)), places, sum(heights)


def _y(row):
    return -TOP - ROW * (row + 0.5)


def _draw(axes, network, x, ys, sizes):
    """A column at x, with a color for each of the sizes."""
    patches = need("matplotlib.patches", "plots", for_what="drawing")
    axes.text(x, -TOP + 0.2, network.title, fontsize=FONT, ha="center", va="bottom", linespacing=1.15)
    for y, above in zip(ys, [-TOP + 0.16, *(y - BOX_HEIGHT / 2 for y in ys)]):
        arrow = {"arrowstyle": "-|>,head_width=0.09,head_length=0.14", "color": "0.35", "linewidth": 0.7}
        arrow |= {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 10}
        axes.annotate("", (x, y + BOX_HEIGHT / 2), (x, above), arrowprops=arrow, zorder=1)
    for box, y in zip(network.boxes, ys):
        color = PLAIN.get(box.kind) or (STAGES[sizes.index(box.size) % len(STAGES)] if box.size in sizes else "white")
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        axes.add_patch(
            patches.FancyBboxPatch(
                corner, BOX_WIDTH, BOX_HEIGHT, boxstyle="round,pad=0,rounding_size=0.03", zorder=3,
                facecolor=color, edgecolor=BLUE if box.kind in ("attention", "gate") else "0.3", linewidth=0.6,
            )
        )  # fmt: skip
        axes.text(x, y - 0.006, box.label, fontsize=FONT, ha="center", va="center", zorder=4)
    for first, last, times in network.blocks:
        if times > 1 or last - first > 1:
            _frame(axes, patches, x, ys[first], ys[last], times)
    for arc in network.arcs:
        _arc(axes, patches, x + BOX_WIDTH / 2, ys, arc)


def _frame(axes, patches, x, top, bottom, times):
    """A block: a pale frame, and how often it follows itself."""
    margin = 0.028
    corner = (x - BOX_WIDTH / 2 - 2 * margin, bottom - BOX_HEIGHT / 2 - margin)
    height = top - bottom + BOX_HEIGHT + 2 * margin
    box = patches.FancyBboxPatch(
        corner, BOX_WIDTH + 4 * margin, height, boxstyle="round,pad=0,rounding_size=0.04", zorder=0.5,
        facecolor="0.965", edgecolor="0.75", linewidth=0.6,
    )  # fmt: skip
    axes.add_patch(box)
    if times > 1:
        place = (x + BOX_WIDTH / 2 + 0.36, (top + bottom) / 2)
        axes.text(*place, f"×{times}", fontsize=FONT + 2, va="center", ha="left", fontweight="bold")


def _arc(axes, patches, right, ys, arc):
    """From the gap behind one box to the gap behind another, around all boxes between them."""
    gap = (ROW - BOX_HEIGHT) / 2
    start = (-TOP + 0.12 if arc.start < 0 else ys[arc.start] - BOX_HEIGHT / 2) - gap * 1.45
    if arc.start + 1 < len(ys) and arc.start >= 0:  # behind a gap of the alignment, the arc starts at the next box
        start = min(start, ys[arc.start + 1] + BOX_HEIGHT / 2 + gap * 0.55)
    end = ys[arc.end] - BOX_HEIGHT / 2 - gap * 0.55  # above the place where the next arc starts
    center = right - BOX_WIDTH / 2
    style = ARCS[arc.kind][1]
    reach = right + 0.26
    path = need("matplotlib.path", "plots", for_what="drawing").Path
    bend = min(0.12, (start - end) / 2)
    points = [(center, start), (right - 0.1, start), (reach, start), (reach, start - bend)]
    points += [(reach, end + bend), (reach, end), (right - 0.1, end), (center + 0.05, end)]
    codes = [path.MOVETO, path.LINETO, path.CURVE3, path.CURVE3, path.LINETO, path.CURVE3, path.CURVE3, path.LINETO]
    line = {"fill": False, "linewidth": 0.9, "zorder": 2, **style}
    axes.add_patch(patches.PathPatch(path(points, codes), **line))
    tip = [(center, end), (center + 0.07, end + 0.025), (center + 0.07, end - 0.025)]
    axes.add_patch(patches.Polygon(tip, color=style["color"], linewidth=0, zorder=2))


def _legend(figure, networks, height):
    lines = need("matplotlib.lines", "plots", for_what="drawing")
    kinds = {arc.kind for network in networks for arc in network.arcs}
    handles = [
        lines.Line2D([], [], label=text, linewidth=1, **style) for kind, (text, style) in ARCS.items() if kind in kinds
    ]
    if any(times > 1 for network in networks for _, _, times in network.blocks):
        handles.append(lines.Line2D([], [], label="×n: n such blocks one after another", linewidth=0))
    if handles:
        columns = 1 if len(networks) == 1 else min(len(handles), 2 if len(networks) == 2 else 4)
        figure.legend(
            handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.04 / height), ncols=columns, frameon=False,
            fontsize=FONT, handlelength=1.8, borderpad=0, labelspacing=0.2, columnspacing=1.4,
        )  # fmt: skip
