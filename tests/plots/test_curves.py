"""Figures are files that people can open."""

import sys

import pytest

from minires.errors import MissingDependency
from minires.plots import plot_curves, plot_gradients

ROW = {"epoch": 1, "train_loss": 1.0, "test_loss": 1.2, "train_accuracy": 0.6, "test_accuracy": 0.5}


def test_curves_of_a_single_epoch_show_a_point(tmp_path):
    plot_curves([ROW], tmp_path / "curves.png", title="one")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_replaces_the_old_one_and_leaves_nothing_else(tmp_path):
    for values in ([1.0, 2.0], [3.0, 4.0]):
        plot_gradients({"plain8": values, "resnet8": values}, tmp_path / "g.png")
    assert [path.name for path in tmp_path.iterdir()] == ["g.png"]


def test_without_matplotlib_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependency, match=r'needs matplotlib.*pip install "minires\[plots\]"'):
        plot_curves([ROW], tmp_path / "curves.png")
