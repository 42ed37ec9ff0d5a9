"""Figures. Only this package imports matplotlib, and only when a figure is drawn."""

from minires.plots.confusion import plot_confusion
from minires.plots.contours import Contour, round_levels
from minires.plots.curves import plot_curves, plot_gradients
from minires.plots.files import check_plot
from minires.plots.graphs import plot_graph
from minires.plots.images import plot_images
from minires.plots.networks import plot_networks
from minires.plots.panels import Bars, Line, Panel, plot_panels
from minires.plots.paths import plot_paths
from minires.plots.steps import plot_steps
from minires.plots.tables import Table, plot_tables

__all__ = [
    "Bars",
    "Contour",
    "Line",
    "Panel",
    "Table",
    "check_plot",
    "plot_confusion",
    "plot_curves",
    "plot_gradients",
    "plot_graph",
    "plot_images",
    "plot_networks",
    "plot_panels",
    "plot_paths",
    "plot_steps",
    "plot_tables",
    "round_levels",
]
