"""Making a figure, and writing it to a file."""

import io
import os
from functools import partial

from minires.errors import OptionError, need
from minires.storage import atomic_write, check_writable

FORMATS = ("png", "svg", "pdf", "jpg", "jpeg", "webp")  # by a file's ending


def check_plot(path):
    """Check, before long work, that a figure can be drawn into this file. None stands for no file.

    Raises MissingDependencyError without matplotlib, OptionError for an unknown ending, or the OSError of the file.
    """
    if path is not None:
        _matplotlib()
        _format(path)
        check_writable(path)


def _matplotlib():
    return need("matplotlib.figure", "plots", for_what="drawing")


def _format(path):
    """A file's format by its ending; PNG without an ending, as in /dev/stdout."""
    ending = os.path.splitext(path)[1][1:].lower() or FORMATS[0]
    if ending not in FORMATS:
        raise OptionError(
            f"{path}: a figure can be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, by the file's ending, not {ending!r}"
        )
    return ending


def new_figure(width, height):
    """A matplotlib Figure without pyplot's global state."""
    return _matplotlib().Figure(figsize=(width, height), layout="constrained")


def tidy(axes, legend="best", ncols=2):
    """The common style of all figures. legend: a location, "above" the axes (in ncols columns), or None."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if legend == "above":  # it covers no data there
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=ncols)
    elif legend:
        axes.legend(frameon=False, loc=legend)


def whole_numbers(axis, first, last):
    """Put ticks at whole numbers only, at least one."""
    axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if first == last:
        axis.axes.set_xlim(first - 1, last + 1)


def plain_numbers(axes):
    """Label a short logarithmic y axis with plain numbers, as 0.2 and 0.5, not with powers of ten."""
    ticker = need("matplotlib.ticker", "plots", for_what="drawing")
    low, high = axes.dataLim.intervaly
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)) if high > 4 * low else ticker.MaxNLocator(5))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(ticker.NullLocator())


def block_ticks(last):
    """The ticks of an axis of blocks: 1, then whole numbers up to the last block."""
    locator = need("matplotlib.ticker", "plots", for_what="drawing").MaxNLocator(9, steps=(1, 5, 10), integer=True)
    return [1, *(tick for tick in locator.tick_values(0, last) if 1 < tick <= last)]


def finished(figure, path, dpi=130):
    """The figure, saved to path if there is one, in the format of its ending.

    A notebook shows it as the last value of a cell, without `%matplotlib inline` or pyplot, too.
    """
    figure._repr_png_ = partial(_png, figure, dpi)
    if path is not None:
        atomic_write(path, _content(figure, dpi, _format(path)))
    return figure


def _png(figure, dpi):
    """What IPython asks for: the image, and how wide a notebook shows it, in pixels."""
    return _content(figure, dpi, "png"), {"width": round(100 * figure.get_figwidth())}


def _content(figure, dpi, format):
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, format=format)
    return content.getvalue()


def as_text(name):
    """A name with only characters that can be drawn: a file's name may hold bytes that are no text."""
    return str(name).encode("utf-8", "replace").decode("utf-8")
