"""Lines of equal height over a plane, as of a loss surface."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minires.annotations import Numbers
from minires.errors import need
from minires.plots.style import BLACK, STYLES

FONT = 6.5
AROUND, INSIDE = 0.15, 0.86  # of the way from the center to the edge: where a line's number may be
HIGH = 1e100  # where a loss is infinite or NaN
DARKEST = 0.75  # of the color, in the highest part: the lines' numbers stay legible there, also in gray


@dataclass(frozen=True)
class Contour:
    """Lines of equal z over the plane of x and y, each with its number. The higher, the darker; a cross marks (0, 0).

    z: z[j][i] at x[i] and y[j]. kind: its color, as in Line. levels: the heights of the lines, from low to high; panels
    to be compared need the same ones.
    """

    xlabel: str
    ylabel: str
    x: Numbers
    y: Numbers
    z: Numbers
    levels: Sequence[float]
    title: str = ""
    kind: str = "residual"
    wide: bool = False

    def draw(self, axes):
        color = STYLES[self.kind]["color"]
        rgb = np.array(need("matplotlib.colors", "plots", for_what="drawing").to_rgb(color))
        shades = [1 - t * (1 - rgb) for t in np.linspace(0, DARKEST, len(self.levels) + 1)]
        z = np.asarray(self.z, float)
        z = np.where(np.isfinite(z), z, HIGH)
        axes.contourf(self.x, self.y, z, [-2 * HIGH, *self.levels, 2 * HIGH], colors=shades)
        crossed = [level for level in self.levels if z.min() < level < z.max()]
        if crossed:
            lines = axes.contour(self.x, self.y, z, crossed, colors=BLACK, linewidths=0.6)
            axes.clabel(lines, fmt="%g", fontsize=FONT, inline_spacing=2, manual=self._places(lines))
        axes.plot(0, 0, "+", color=BLACK, markersize=7)
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title, aspect="equal")
        axes.set_xticks([-1, -0.5, 0, 0.5, 1] if max(self.x) == 1 else [min(self.x), 0, max(self.x)])
        axes.set_yticks(axes.get_xticks())

    def _places(self, lines):
        """Where the lines' numbers stand: not at the edge, which would cut them, and each on the other side.

        A line that only cuts the corners has none, nor one that is close around the cross.
        """
        size = np.max(np.abs([*self.x, *self.y]))
        places = []
        for path in lines.get_paths():
            distances = np.abs(path.vertices).max(axis=1) / size
            inside = path.vertices[(distances >= AROUND) & (distances <= INSIDE)]
            if len(inside):
                side = (1, -2) if len(places) % 2 else (-1, 2)
                cosines = inside @ side / np.linalg.norm(inside, axis=1).clip(1e-12)
                places.append(inside[np.argmax(cosines)])
        return places


def round_levels(low, high, most=10):
    """At most `most` round numbers between two positive ones: 1, 2, 5, 10, …; or 1, 3, 10, …; or powers of ten."""
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        levels = [float(f"{d}e{k}") for k in tens for d in digits]
        levels = [level for level in levels if low < level < high]
        if len(levels) <= most:
            break
    return levels[:: -(-len(levels) // most) or 1]
