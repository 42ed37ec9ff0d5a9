"""Writing a figure to a file."""

from pathlib import Path

from minires.errors import need


def new_figure(width, height):
    """A matplotlib Figure of its own, without pyplot's global state."""
    return need("matplotlib.figure", "plots", for_what="drawing").Figure(figsize=(width, height), layout="constrained")


def tidy(axes):
    """The look that all figures share."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def write(figure, path):
    """Save as PNG, beside the old file and renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    figure.savefig(beside, dpi=130, format="png")
    beside.replace(path)
