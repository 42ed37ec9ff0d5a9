"""Columns of boxes: what is written where, and how networks are aligned."""

import pytest

from minires.plots import plot_networks
from minires.plots.networks import Arc, Box, Network

pytest.importorskip("matplotlib")

RESIDUAL = Network(
    "residual",
    [Box("stem", "conv", 8), Box("a", "conv", 4), Box("b", "conv", 4), Box("end", "fc", 1)],
    [Arc(0, 2, "identity")],
    [(1, 2, 3)],
)
PLAIN = Network("plain", [Box("first", "conv", 4), Box("out", "fc", 1)])


def heights(figure):
    """{label: y} of all boxes and notes."""
    return {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts if text.get_text()}


def test_boxes_of_equal_output_size_stand_at_equal_heights_in_all_networks():
    found = heights(plot_networks([RESIDUAL, PLAIN]))
    assert found["stem"] > found["a"] > found["b"] > found["end"]
    assert found["a"] == pytest.approx(found["first"])
    assert found["end"] == pytest.approx(found["out"])
    assert [size for size in found if "×" in size] == ["8×8", "4×4", "×3"]


def test_no_two_boxes_of_a_network_overlap():
    figure = plot_networks([RESIDUAL, PLAIN])
    boxes = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyBboxPatch" and p.get_zorder() == 3]
    assert len(boxes) == 6
    extents = [box.get_window_extent() for box in boxes]
    for i, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[:i])


def test_the_legend_names_only_what_is_drawn():
    (legend,) = plot_networks([RESIDUAL]).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "x itself, added (identity)",
        "×n: n such blocks one after another",
    ]
    assert not plot_networks([PLAIN]).legends


def test_maps_that_grow_again_are_drawn_without_alignment():
    hourglass = Network("hourglass", [Box(str(i), "conv", size) for i, size in enumerate((8, 4, 8))])
    found = heights(plot_networks([hourglass, PLAIN]))
    assert found["0"] > found["1"] > found["2"]
    assert found["0"] == pytest.approx(found["first"])


def test_it_is_written_as_png_and_svg(tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        plot_networks([RESIDUAL], tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
