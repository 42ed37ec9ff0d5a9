"""Figures are files that people can open."""

import math
import os
import sys
from itertools import combinations

import numpy as np
import pytest

from minires.errors import MissingDependencyError
from minires.plots import plot_curves, plot_gradients, plot_steps
from minires.plots.style import BLACK, BLUE, GREEN, STYLES, VERMILION, several

ROW = {"epoch": 1, "train_loss": 1.0, "test_loss": 1.2, "train_accuracy": 0.6, "test_accuracy": 0.5}


def test_curves_of_a_single_epoch_show_their_points(tmp_path):
    figure = plot_curves([ROW], tmp_path / "curves.png", title="one")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert figure.get_suptitle() == "one"  # of both panels
    for axes, values in zip(figure.axes, ([1.0, 1.2], [40.0, 50.0])):
        ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] < tick < axes.get_xlim()[1]]
        assert ticks == [1]
        for line, value in zip(axes.lines, values, strict=True):
            assert (list(line.get_xdata()), list(line.get_ydata())) == ([1], [pytest.approx(value)])
            assert line.get_marker() != "None"
            assert axes.get_ylim()[0] < value < axes.get_ylim()[1] or value == axes.get_ylim()[0]
            assert not covers(axes.get_legend(), axes, 1, value)


def covers(legend, axes, x, y):
    figure = axes.figure
    figure.canvas.draw()
    return legend.get_window_extent().contains(*axes.transData.transform((x, y)))


@pytest.mark.parametrize(
    "row",
    [
        {"train_loss": 0.0, "test_loss": 0.0, "train_accuracy": 1.0, "test_accuracy": 1.0},
        {"train_loss": math.nan, "test_loss": math.inf},
    ],
)
def test_losses_that_no_logarithm_has_are_drawn_without_a_warning(row, tmp_path):
    plot_curves([{**ROW, **row}], tmp_path / "curves.png")
    plot_curves([{**ROW, **row}, {**ROW, "epoch": 2}], tmp_path / "curves.png")


def test_every_plot_is_a_figure_for_a_notebook_if_no_file_is_named(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    monkeypatch.chdir(tmp_path)
    steps = 10.0 ** np.arange(-20, 0.01, 0.25)
    errors = {name: np.full(len(steps), 1e-8) for name in ("complex step", "2-point", "4-point")}
    for figure in (
        plot_curves([ROW]),
        plot_gradients({"plain8": [1.0, 2.0], "resnet8": [2.0, 1.0]}),
        plot_steps("relu", steps, errors),
    ):
        assert isinstance(figure, Figure)
        assert any(axes.lines for axes in figure.axes)
    assert list(tmp_path.iterdir()) == []  # Jupyter draws a Figure that is a cell's last value


@pytest.mark.parametrize(
    "names", [("complex step", "2-point", "4-point"), ("train", "test"), ("arriving", "shortcut", "branch"), range(5)]
)
def test_lines_of_one_figure_differ_in_color_dash_and_marker(names):
    styles = several("black", 5) if isinstance(names, range) else [STYLES[name] for name in names]
    for key in ("linestyle", "marker") if isinstance(names, range) else ("linestyle", "marker", "color"):
        assert len({str(style[key]) for style in styles}) == len(styles), key


@pytest.mark.parametrize(("one", "other"), list(combinations((BLUE, VERMILION, GREEN, BLACK), 2)))
def test_colors_differ_for_readers_who_see_no_red_or_no_green(one, other):
    """By the matrices of Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB."""
    for matrix in (
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ):
        seen = [np.clip(np.array(matrix) @ linear(color), 0, 1) ** (1 / 2.2) for color in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) > 0.25  # C2 and C3 of matplotlib: 0.17


def linear(color):
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2


def guides(figure):
    return {text.get_text() for text in figure.axes[0].texts} & {"h²", "h⁴"}


def test_a_guide_is_drawn_where_the_error_grows_as_it_says():
    steps = 10.0 ** np.arange(-20, 0.01, 0.25)
    rounding = 1e-16 / steps
    errors = {
        "complex step": np.maximum(steps**2, 1e-16),
        "2-point": rounding + steps**2,
        "4-point": rounding + steps**4,
    }
    assert guides(plot_steps("batch_norm", steps, errors)) == {"h²", "h⁴"}
    assert guides(plot_steps("relu", steps, {**errors, "4-point": np.where(steps > 0.03, 0.5, rounding)})) == {"h²"}
    flat = {**dict.fromkeys(errors, rounding), "4-point": np.zeros(len(steps))}
    assert guides(plot_steps("neg", steps, flat)) == set()


@pytest.mark.parametrize(
    ("blocks", "ticks"),
    [(1, [1]), (3, [1, 2, 3]), (9, list(range(1, 10))), (15, [1, 5, 10, 15]), (54, [1, 10, 20, 30, 40, 50])],
)
def test_blocks_are_counted_in_whole_numbers_from_one(blocks, ticks):
    values = [1.0] * blocks
    for axes in plot_gradients({"plain8": values, "resnet8": values}).axes:
        assert list(axes.get_xticks()) == ticks


def test_a_figure_replaces_the_old_one_and_leaves_nothing_else(tmp_path):
    for values in ([1.0, 2.0], [3.0, 4.0]):
        plot_gradients({"plain8": values, "resnet8": values}, tmp_path / "g.png")
    assert [path.name for path in tmp_path.iterdir()] == ["g.png"]


def test_without_matplotlib_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r'needs matplotlib.*pip install "minires\[plots\]"'):
        plot_curves([ROW], tmp_path / "curves.png")


@pytest.mark.parametrize("title", ["ds$x_{$", os.fsdecode(b"ds\xff\xfe")])
def test_a_title_may_be_any_name_of_a_folder(tmp_path, title):
    row = {"epoch": 1, "train_loss": 1.0, "test_loss": 1.0, "train_accuracy": 0.5, "test_accuracy": 0.5}
    plot_curves([row], tmp_path / "curves.png", title=title)
    assert (tmp_path / "curves.png").stat().st_size > 1000
