"""Images beside the maps that say which part of them speaks for a class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minires.plots.files import as_text, finished, new_figure
from minires.plots.style import NOTE

SIDE = 2.0  # inches of an image
TEXT = 1.75  # inches of the words at its left
FONT = 8
LONGEST = 26  # characters of a name


class HeatMap(NamedTuple):
    """A map over an image. values (rows, columns): large where much speaks for the class.

    is_signed: negative values speak against it. border: pixels from the image's edge to the centers of the first and
    the last value; None where the values cover the image from edge to edge.
    """

    title: str
    values: Any
    is_signed: bool = False
    border: float | None = None


@dataclass
class Explanation:
    """One row. image: uint8 (C,H,W). seen: [(class, probability)], explained: the one that the maps are about."""

    image: Any
    name: str
    seen: Sequence[tuple[str, float]]
    explained: tuple[str, float]
    maps: list[HeatMap] = field(default_factory=list)


def plot_explanations(rows: Sequence[Explanation], path=None):
    """Draw a row for each image: what is seen in it, the image, and its maps. -> Figure"""
    columns = 1 + max(len(row.maps) for row in rows)
    figure = new_figure(TEXT + SIDE * columns, (SIDE + 0.28) * len(rows) + 0.05)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
    grid = figure.subplots(len(rows), 1 + columns, squeeze=False, width_ratios=[TEXT, *[SIDE] * columns])
    for cells, row in zip(grid, rows):
        for axes in cells:
            axes.axis("off")
        _write(cells[0], row)
        cells[1].imshow(_colors(row.image), interpolation="nearest")
        for axes, heat in zip(cells[2:], row.maps):
            _draw(axes, row.image, heat)
    return finished(figure, path, dpi=150)


def _write(axes, row):
    name, p = row.explained
    lines = [f"{probability:6.1%}  {_short(label)}" for label, probability in row.seen]
    if name not in [label for label, _ in row.seen]:
        lines.append(f"{p:6.1%}  {_short(name)}")
    axes.text(0, 0.98, _short(as_text(row.name)), fontsize=FONT, fontweight="bold", va="top", transform=axes.transAxes)
    axes.text(0, 0.84, "\n".join(lines), fontsize=FONT, va="top", linespacing=1.4, transform=axes.transAxes)
    axes.text(
        0, 0.06, f"maps for:\n{_short(name)}", va="bottom", transform=axes.transAxes, **(NOTE | {"fontsize": FONT})
    )


def _draw(axes, image, heat):
    """The image in gray, and the map in colors over it."""
    _, H, W = image.shape
    gray = image.mean(axis=0)
    axes.imshow(gray, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    values = np.asarray(heat.values, float)
    rows, columns = values.shape
    extent = (-0.5, W - 0.5, H - 0.5, -0.5)
    if heat.border is not None:  # the first and the last center lie on the border, so half a step more is covered
        across = (W - 2 * heat.border) / max(columns - 1, 1) / 2
        down = (H - 2 * heat.border) / max(rows - 1, 1) / 2
        left = heat.border - across - 0.5
        top = heat.border - down - 0.5
        extent = (left, W - 1 - left, H - 1 - top, top)
    largest = np.abs(values).max() or 1.0
    colors = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest} if heat.is_signed else {"cmap": "inferno", "vmin": 0}
    axes.imshow(values, extent=extent, alpha=0.55, interpolation="bilinear", **colors)
    axes.set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5))
    axes.set_title(heat.title, fontsize=FONT, pad=3)


def _colors(image):
    """(C,H,W) -> (H,W,3), gray values in all three."""
    return np.broadcast_to(image.transpose(1, 2, 0), (*image.shape[1:], 3))


def _short(name):
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
