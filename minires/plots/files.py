"""Making a figure, and writing it to a file."""

import io
import os

from minires.errors import OptionError, need
from minires.storage import atomic_write, check_writable

FORMATS = ("png", "svg", "pdf", "jpg", "jpeg", "webp")  # a file's ending says which


def check_plot(path):
    """Raise, before the work, what would keep a figure from being drawn into this file; None stands for no file.

    That is MissingDependencyError, OptionError for an unknown ending, or an OSError.
    """
    if path is not None:
        _matplotlib()
        _format(path)
        check_writable(path)


def _matplotlib():
    return need("matplotlib.figure", "plots", for_what="drawing")


def _format(path):
    """What a file holds, by its ending; without one, as /dev/stdout is, PNG."""
    ending = os.path.splitext(path)[1][1:].lower() or FORMATS[0]
    if ending not in FORMATS:
        raise OptionError(
            f"{path}: a figure can be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, by the file's ending, not {ending!r}"
        )
    return ending


def new_figure(width, height):
    """A matplotlib Figure of its own, without pyplot's global state. A notebook shows it as a cell's last value."""
    return _matplotlib().Figure(figsize=(width, height), layout="constrained")


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
    """The figure, saved if there is a path, in the format that its ending says."""
    if path is not None:
        content = io.BytesIO()
        figure.savefig(content, dpi=130, format=_format(path))
        atomic_write(path, content.getvalue())
    return figure


def as_text(name):
    """A name as letters that can be drawn: a file's may hold bytes that are none."""
    return str(name).encode("utf-8", "replace").decode("utf-8")
