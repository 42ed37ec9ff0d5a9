"""Panels: where they and their legends stand, and what tells their lines apart."""

import io

import numpy as np
import pytest

from minires.plots import Bars, Line, Panel, plot_panels

PIL = pytest.importorskip("PIL.Image")


def lines(*labels, kind="residual"):
    return [Line(label, [1, 2, 3], [[1, 2, 3], [2, 3, 4]], kind, variant) for variant, label in enumerate(labels)]


def panel(*labels, **options):
    return Panel("epoch", "error (%)", lines(*labels), **options)


def spans(figure):
    """How many columns each pair of axes takes."""
    return [len(axes.get_subplotspec().colspan) for axes in figure.axes]


@pytest.mark.parametrize(
    ("wide", "expected"), [([0], [2]), ([0, 0], [1, 1]), ([0, 0, 0], [1, 1, 2]), ([1, 0, 0], [2, 1, 1])]
)
def test_panels_stand_in_pairs_and_no_quarter_is_empty(wide, expected):
    figure = plot_panels([panel("a", wide=bool(w)) for w in wide])
    assert spans(figure) == expected


def test_panels_with_the_same_lines_share_one_legend_above_them():
    figure = plot_panels([panel("a", "b"), panel("b", "c")])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_panels_with_other_lines_have_a_legend_each_that_covers_no_line():
    figure = plot_panels([panel("a", "b"), panel("c"), panel("")])
    assert figure.legends == []
    figure.draw_without_rendering()
    first, second, third = figure.axes
    assert third.get_legend() is None or not third.get_legend().get_texts()
    for axes in (first, second):
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_a_long_legend_has_rows_that_fit_into_the_figure():
    figure = plot_panels([panel(*(f"a network of {k} layers" for k in range(7)))] * 2)
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert legend.get_window_extent().width <= figure.bbox.width


def test_plain_markers_are_hollow_so_that_gray_print_tells_them_from_residual_ones():
    figure = plot_panels([Panel("x", "y", lines("plain", kind="plain") + lines("residual"))])
    plain, residual = figure.axes[0].lines
    assert plain.get_markerfacecolor() == "white"
    assert residual.get_markerfacecolor() == residual.get_color() != plain.get_color()


def test_an_axis_of_errors_begins_at_zero_and_has_a_tick_at_each_network():
    (axes,) = plot_panels([Panel("layers", "error", [Line("", [8, 20, 56], [1.0, 5.0, 9.0])])]).axes
    assert axes.get_ylim()[0] == 0
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["8", "20", "56"]
    (axes,) = plot_panels([Panel("layers", "σ", [Line("", [8, 20], [1.0, 1.1])])]).axes
    assert axes.get_ylim()[0] > 0.9


def test_a_short_logarithmic_axis_has_plain_numbers():
    (axes,) = plot_panels([Panel("step", "β", [Line("", range(9), np.geomspace(3, 60, 9))], yscale="log")]).axes
    axes.figure.draw_without_rendering()
    assert {"5", "10", "20"} <= {tick.get_text() for tick in axes.get_yticklabels()}


def test_the_papers_values_are_named_in_the_legend():
    figure = plot_panels([Bars("error", ["a", "b"], [[1, 2], [3, 4]], ["plain", "other"], [6.6, None], "of He 2015")])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["of He 2015"]


def test_a_notebook_gets_a_sharp_image_and_its_width():
    content, about = plot_panels([panel("a"), panel("b")])._repr_png_()
    assert PIL.open(io.BytesIO(content)).size[0] == 2 * about["width"] == 1000


@pytest.mark.parametrize("yscale", ["linear", "log"])
def test_panels_of_one_scale_have_the_same_numbers_beside_them(yscale):
    panels = [Panel("x", "y", [Line("", [1, 2], [1, top])], yscale=yscale) for top in (2, 1e6)]
    apart = plot_panels(panels).axes
    assert apart[0].get_ylim() != apart[1].get_ylim()
    figure = plot_panels(panels, one_scale=True)
    figure.draw_without_rendering()
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] <= 1 < 1e6 <= first.get_ylim()[1]
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert labels[0] == labels[1]
    assert first.get_xlim() == apart[0].get_xlim()
