"""Figures from data: lines with the spread over seeds, and bars, in one style for all experiments.

An experiment says what its figure shows, as a list of panels, and needs no matplotlib for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from minires.annotations import Numbers
from minires.plots.files import finished, new_figure, plain_numbers, tidy, whole_numbers
from minires.plots.style import NOTE, STYLES, marked, variant

WIDTH, HEIGHT = 2.5, 2.1  # inches of a panel; two in a row, printed 8 cm wide, have letters of 5 points
FONT = 8
SINGLE = 3.3  # inches of a figure with one panel
DPI = 200
TICKS = 6  # so many values of x have a tick each
COMPACT = {"handlelength": 2.2, "handletextpad": 0.5, "columnspacing": 1.2, "labelspacing": 0.3}  # of a legend


@dataclass(frozen=True)
class Line:
    """y over x. kind: "plain", "residual", "other" or "paper", which has its color everywhere. variant: its dash.

    y is one list of numbers, or one for each seed: then the line is their mean, and a band shows all of them.
    """

    label: str  # in the legend; empty for a line without an entry
    x: Numbers
    y: Numbers
    kind: str = "residual"
    variant: int = 0
    bare: bool = False  # a thin line without markers, because it has too many turns for them


@dataclass(frozen=True)
class Panel:
    """Lines in one pair of axes."""

    xlabel: str
    ylabel: str
    lines: Sequence[Line]
    title: str = ""
    yscale: str = "linear"
    xscale: str = "linear"
    whole: bool = False  # whether x has whole numbers only, as for epochs and blocks
    notes: Sequence[tuple[float, float, str]] = field(default_factory=tuple)  # (x, y, text)
    wide: bool = False  # as wide as two

    def draw(self, axes, interval=None):
        """interval: of the y axis, if it is not that of the lines."""
        for k, line in enumerate(self.lines):
            y = np.atleast_2d(np.asarray(line.y, float))
            style = {**variant(line.kind, line.variant), "markevery": marked(len(line.x), k)}
            style |= {"markersize": 3, "linewidth": 1.2}
            if line.bare:
                style |= {"marker": "", "linewidth": 0.8}
            axes.plot(line.x, y.mean(0), **style, label=line.label)
            if len(y) > 1:
                axes.fill_between(line.x, y.min(0), y.max(0), color=style["color"], alpha=0.15, linewidth=0)
        for x, y, text in self.notes:
            axes.annotate(text, (x, y), **{**NOTE, "fontsize": FONT})
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title, xscale=self.xscale, yscale=self.yscale)
        every = sorted({x for line in self.lines for x in line.x})
        if len(every) <= TICKS:
            axes.set_xticks(every, [f"{x:g}" for x in every])
            axes.minorticks_off()
        elif self.whole:
            whole_numbers(axes.xaxis, min(every), max(every))
        if interval is not None:
            axes.update_datalim([(self.lines[0].x[0], y) for y in interval])
            axes.autoscale_view()
        _mark_y(axes)
        tidy(axes, legend=None)


@dataclass(frozen=True)
class Bars:
    """A bar for each label: the mean over the seeds. Each seed is a dot, and the paper's value a diamond.

    paper: the paper's values, None where it has none. of_paper: what they are, for the legend.
    """

    ylabel: str
    labels: Sequence[str]
    values: Sequence[Numbers]  # for each label one number a seed
    kinds: Sequence[str]
    paper: Sequence[float | None] = ()
    of_paper: str = "the paper's"
    title: str = ""
    wide: bool = False

    def draw(self, axes):
        for k, (values, kind) in enumerate(zip(self.values, self.kinds)):
            color = STYLES[kind]["color"]
            axes.barh(k, np.mean(values), color=color, alpha=0.35, height=0.6)
            axes.plot(values, [k] * len(values), ".", color=color, markersize=4)
        given = [(value, k) for k, value in enumerate(self.paper) if value is not None]
        if given:
            style = {**STYLES["paper"], "linestyle": "none", "markersize": 4}
            axes.plot(*zip(*given), **style, label=self.of_paper)
        axes.set(xlabel=self.ylabel, title=self.title)
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.invert_yaxis()
        tidy(axes, legend=None)


def _mark_y(axes):
    """Begin a linear y axis at 0, if that leaves no half empty. Mark a short logarithmic one with plain numbers."""
    low, high = axes.dataLim.intervaly
    if axes.get_yscale() == "linear" and 0 <= low < high / 2:
        axes.set_ylim(bottom=0)
    elif axes.get_yscale() == "log" and 0 < low < high < 100 * low:
        plain_numbers(axes)


def plot_panels(panels, path=None, one_scale=False):
    """Draw the panels, two in a row, or one that is wide or the last. -> Figure

    one_scale: whether the y axes of all panels, which have lines then, have the same numbers.
    """
    if one_scale:
        values = [y for panel in panels for line in panel.lines for y in np.ravel(np.asarray(line.y, float))]
        interval = {"interval": (np.nanmin(values), np.nanmax(values))}
    else:
        interval = {}
    rows = []
    for panel in panels:
        if not rows or panel.wide or rows[-1][0].wide or len(rows[-1]) == 2:
            rows.append([])
        rows[-1].append(panel)
    small = len(panels) == 1 and not panels[0].wide
    figure = new_figure(SINGLE if small else 2 * WIDTH, HEIGHT * len(rows))
    grid = figure.add_gridspec(len(rows), 2)
    for r, row in enumerate(rows):
        for column, panel in enumerate(row):
            axes = figure.add_subplot(grid[r, column] if len(row) == 2 else grid[r, :])
            panel.draw(axes, **interval)
            _small_text(axes)
    _add_legends(figure)
    return finished(figure, path, DPI)


def _small_text(axes):
    axes.tick_params(which="both", labelsize=FONT - 1)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_fontsize(FONT)


def _add_legends(figure):
    """One legend above the figure if panels share a line, or there is one panel; otherwise one above each.

    Inside, a legend would cover lines, or a diamond of its own would look like one more value.
    """
    entries = {axes: dict(zip(*reversed(axes.get_legend_handles_labels()))) for axes in figure.axes}
    together = {label: handle for own in entries.values() for label, handle in own.items()}
    if len(entries) == 1 or sum(map(len, entries.values())) > len(together):
        _add_legend(figure, together, loc="outside upper center")
        return
    for axes, own in entries.items():
        _add_legend(axes, own, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def _add_legend(parent, entries, **place):
    """A legend with as few rows as fit over its figure or axes, and rows of like length."""
    for rows in range(1, len(entries) + 1):
        columns = -(-len(entries) // rows)
        legend = parent.legend(
            entries.values(), entries, **place, ncols=columns, frameon=False, fontsize=FONT - 0.5, **COMPACT
        )
        if columns == 1 or legend.get_window_extent().width <= 0.97 * parent.get_window_extent().width:
            return
        legend.remove()
