"""Small arrays as tables of numbers in one row, in which some elements are boxed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minires.plots.files import finished, new_figure
from minires.plots.style import STYLES

CELL = 0.25  # inches of an element
GAP = 1.2  # elements between two tables
FONT = 8
DPI = 200


@dataclass(frozen=True)
class Table:
    """A matrix. boxes: (row, column, height, width, kind) of the parts that have a frame, in the style of their kind.

    before: a sign that stands between this table and the one on its left, as "=".
    """

    title: str
    numbers: Any
    boxes: Sequence[tuple[int, int, int, int, str]] = ()
    before: str = ""


def plot_tables(tables, path=None):
    """Draw tables from left to right, their middles at one height. -> Figure"""
    arrays = [np.asarray(table.numbers) for table in tables]
    wide = [max(a.shape[1], 0.26 * len(table.title)) for a, table in zip(arrays, tables)]
    tall = max(len(a) for a in arrays)
    width = sum(wide) + GAP * (len(tables) - 1) + 0.4
    figure = new_figure(CELL * width, CELL * (tall + 1.7))
    axes = figure.subplots()
    axes.set(xlim=(-0.2, width - 0.2), ylim=(tall + 0.2, -1.5), aspect="equal")
    axes.axis("off")
    left = 0.0
    for table, numbers, room in zip(tables, arrays, wide):
        if table.before:
            axes.text(left - GAP / 2, tall / 2, table.before, ha="center", va="center", fontsize=FONT + 3)
        _draw(axes, table, numbers, left + (room - numbers.shape[1]) / 2, (tall - len(numbers)) / 2)
        left += room + GAP
    return finished(figure, path, DPI)


def _draw(axes, table, numbers, x0, y0):
    rows, columns = numbers.shape
    for k in range(rows + 1):
        axes.plot([x0, x0 + columns], [y0 + k, y0 + k], color="0.8", linewidth=0.6, zorder=1)
    for k in range(columns + 1):
        axes.plot([x0 + k, x0 + k], [y0, y0 + rows], color="0.8", linewidth=0.6, zorder=1)
    for (row, column), number in np.ndenumerate(numbers):
        axes.text(x0 + column + 0.5, y0 + row + 0.52, f"{number:g}", ha="center", va="center", fontsize=FONT - 1)
    for row, column, height, width, kind in table.boxes:
        xs = np.array([0, 1, 1, 0, 0]) * width + x0 + column
        ys = np.array([0, 0, 1, 1, 0]) * height + y0 + row
        style = {key: STYLES[kind][key] for key in ("color", "linestyle")}
        axes.plot(xs, ys, **style, linewidth=2, zorder=3)
    axes.text(x0 + columns / 2, y0 - 0.35, table.title, ha="center", va="bottom", fontsize=FONT)
