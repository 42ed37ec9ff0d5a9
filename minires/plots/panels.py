"""Figures from data: lines with the spread over seeds, and bars, in one style for all experiments.

An experiment says what its figure shows, as a list of panels, and needs no matplotlib for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minires.plots.files import finished, new_figure, tidy, whole_numbers
from minires.plots.style import DASHES, MARKERS, NOTE, STYLES, marked

WIDTH, HEIGHT = 3.5, 2.9  # inches of a panel: a column in print
FONT = 8


@dataclass(frozen=True)
class Line:
    """y over x. kind: "plain", "residual", "other" or "paper", which has its color everywhere. variant: its dash.

    y is one list of numbers, or one for each seed: then the line is their mean, and a band shows all of them.
    """

    label: str
    x: Sequence[float]
    y: Sequence[Any]
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
    legend: str = "best"  # or "above", where it covers no line

    def draw(self, axes):
        for k, line in enumerate(self.lines):
            y = np.atleast_2d(np.asarray(line.y, float))
            style = {**STYLES[line.kind], "markevery": marked(len(line.x), k), "markersize": 3.5}
            style |= {"linestyle": DASHES[line.variant % 5], "marker": MARKERS[line.variant % 5]}
            if line.bare:
                style |= {"marker": "", "linewidth": 0.8}
            axes.plot(line.x, y.mean(0), **style, label=line.label)
            if len(y) > 1:
                axes.fill_between(line.x, y.min(0), y.max(0), color=style["color"], alpha=0.15, linewidth=0)
        for x, y, text in self.notes:
            axes.annotate(text, (x, y), **{**NOTE, "fontsize": FONT})
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title, xscale=self.xscale, yscale=self.yscale)
        if self.whole:
            every = [x for line in self.lines for x in line.x]
            whole_numbers(axes.xaxis, min(every), max(every))
        tidy(axes, legend=self.legend)


@dataclass(frozen=True)
class Bars:
    """A bar for each label: the mean over the seeds. Each seed is a dot, and the paper's value a diamond."""

    ylabel: str
    labels: Sequence[str]
    values: Sequence[Sequence[float]]  # for each label one number a seed
    kinds: Sequence[str]
    paper: Sequence[float | None] = ()
    title: str = ""

    def draw(self, axes):
        for k, (values, kind) in enumerate(zip(self.values, self.kinds)):
            color = STYLES[kind]["color"]
            axes.barh(k, np.mean(values), color=color, alpha=0.35, height=0.6)
            axes.plot(values, [k] * len(values), ".", color=color, markersize=4)
        given = [(value, k) for k, value in enumerate(self.paper) if value is not None]
        if given:
            style = {**STYLES["paper"], "linestyle": "none", "markersize": 4}
            axes.plot(*zip(*given), **style, label="the paper's")
        axes.set(xlabel=self.ylabel, title=self.title)
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.invert_yaxis()
        tidy(axes, legend="above" if given else None)  # inside, its diamond would look like one more value


def plot_panels(panels, path=None):
    """Draw the panels side by side, at most two in a row. -> Figure"""
    rows = -(-len(panels) // 2)
    columns = min(len(panels), 2)
    figure = new_figure(WIDTH * columns, HEIGHT * rows)
    figure_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(figure_axes, panels):
        panel.draw(axes)
        small_text(axes)
    for axes in figure_axes[len(panels) :]:
        axes.set_visible(False)
    return finished(figure, path)


def small_text(axes):
    """Text that is read well when the figure is as wide as a column in print."""
    axes.tick_params(which="both", labelsize=FONT - 1)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_fontsize(FONT)
    legend = axes.get_legend()
    for text in legend.get_texts() if legend else ():
        text.set_fontsize(FONT - 1)
