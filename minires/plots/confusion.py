"""What a network takes for what: a matrix of counts."""

import numpy as np

from minires.errors import need
from minires.plots.files import finished, new_figure
from minires.plots.style import STYLES

NAMED = 40  # classes at most whose names and counts are written
FONT = 7


def plot_confusion(counts, classes, path=None):
    """Draw counts (K,K): a row for each class that has images, a column for each that is seen. -> Figure

    A row's shade is its share, a thin frame marks what is right.
    """
    counts = np.asarray(counts)
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(rows, columns)]
    shares = counts / counts.sum(axis=1, keepdims=True)
    is_named = len(columns) <= NAMED
    width = max(3.0, 0.32 * len(columns)) if is_named else 6.0
    height = max(1.2, 0.32 * len(rows)) if is_named else 6.0 * len(rows) / len(columns)
    figure = new_figure(width + 1.4, height + 1.4)
    axes = figure.subplots()
    axes.imshow(shares, cmap=_shades(), vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set(xlabel="what the network sees", ylabel="what it is")
    if is_named:
        axes.set_xticks(range(len(columns)), [str(classes[k]) for k in columns], rotation=90, fontsize=FONT)
        axes.set_yticks(range(len(rows)), [str(classes[k]) for k in rows], fontsize=FONT)
        for i, j in np.argwhere(counts):
            color = "white" if shares[i, j] > 0.6 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=FONT, color=color)
        for i, j in np.argwhere(rows[:, None] == columns):
            axes.add_patch(_patches().Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, linewidth=0.8))
    return finished(figure, path)


def _patches():
    return need("matplotlib.patches", "plots", for_what="drawing")


def _shades():
    """From white to the color of residual networks."""
    colors = need("matplotlib.colors", "plots", for_what="drawing")
    return colors.LinearSegmentedColormap.from_list("share", ["white", STYLES["residual"]["color"]])
