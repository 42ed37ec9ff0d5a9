"""Making a figure, and writing it to a file."""

import io

from minires.errors import need
from minires.storage import atomic_write


def new_figure(width, height):
    """A matplotlib Figure of its own, without pyplot's global state. A notebook shows it as a cell's last value."""
    return need("matplotlib.figure", "plots", for_what="drawing").Figure(figsize=(width, height), layout="constrained")


def tidy(axes, legend="best", ncols=2):
    """The look that all figures share. legend: a place, "above" the axes (in ncols columns), or None."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if legend == "above":  # where it covers no data
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=ncols)
    elif legend:
        axes.legend(frameon=False, loc=legend)


def whole_numbers(axis, first, last):
    """Ticks at whole numbers only, of which there is one at least."""
    axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if first == last:
        axis.axes.set_xlim(first - 1, last + 1)


def finished(figure, path):
    """The figure, saved as PNG if there is a path."""
    if path is not None:
        content = io.BytesIO()
        figure.savefig(content, dpi=130, format="png")
        atomic_write(path, content.getvalue())
    return figure


def as_text(name):
    """A name as letters that can be drawn: a file's may hold bytes that are none."""
    return str(name).encode("utf-8", "replace").decode("utf-8")
