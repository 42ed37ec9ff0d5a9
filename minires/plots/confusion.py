"""What a network takes for what: a matrix of counts."""

import numpy as np

from minires.errors import need
from minires.plots.files import finished, new_figure
from minires.plots.style import STYLES

NAMED = 30  # classes at most whose names and counts are written


def plot_confusion(counts, classes, path=None):
    """Draw counts (K,K): rows are the true classes, columns what is seen; a row's shade is its share. -> Figure

    Classes without any image, and that no image is taken for, are left out.
    """
    counts = np.asarray(counts)
    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(used, used)]
    names = [str(classes[k]) for k in used]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    is_named = len(names) <= NAMED
    side = max(3.0, 0.32 * len(names)) if is_named else 5.0
    figure = new_figure(side + 1.2, side + 0.8)
    axes = figure.subplots()
    axes.imshow(shares, cmap=_shades(), vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="what the network sees", ylabel="what it is")
    if is_named:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        for i, j in np.argwhere(counts):
            color = "white" if shares[i, j] > 0.6 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=7, color=color)
    return finished(figure, path)


def _shades():
    """From white to the color of residual networks."""
    colors = need("matplotlib.colors", "plots", for_what="drawing")
    return colors.LinearSegmentedColormap.from_list("share", ["white", STYLES["residual"]["color"]])
