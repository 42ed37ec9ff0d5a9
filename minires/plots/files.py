"""Writing a figure to a file."""

import io

from minires.errors import need
from minires.storage import atomic_write


def new_figure(width, height):
    """A matplotlib Figure of its own, without pyplot's global state."""
    return need("matplotlib.figure", "plots", for_what="drawing").Figure(figsize=(width, height), layout="constrained")


def tidy(axes):
    """The look that all figures share."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def write(figure, path):
    """Save as PNG, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, dpi=130, format="png")
    atomic_write(path, content.getvalue())
