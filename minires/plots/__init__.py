"""Pictures. The only room that imports matplotlib, and only when one is drawn."""

from minires.plots.curves import plot_curves, plot_gradients

__all__ = ["plot_curves", "plot_gradients"]
