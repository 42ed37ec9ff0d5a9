"""A graph of computations: where its boxes and arrows stand."""

import itertools

import numpy as np
import pytest

from minires.plots import plot_graph
from minires.plots.graphs import HALF_HEIGHT, HALF_WIDTH

pytest.importorskip("matplotlib")

RESIDUAL = {"x": [], "f": ["x"], "y": ["x", "f"]}


def boxes(figure):
    """{label: (x, y)} of all boxes."""
    return {text.get_text(): text.get_position() for text in figure.axes[0].texts if text.get_va() == "center"}


def arrows(figure):
    return [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None) is not None]


def named(figure):
    return {label: place for label, place in boxes(figure).items() if label}


def test_a_node_stands_to_the_right_of_its_parents_in_whatever_order_they_are_given():
    for order in itertools.permutations(RESIDUAL):
        places = named(plot_graph({node: RESIDUAL[node] for node in order}))
        assert [places[node][0] for node in ("x", "f", "y")] == [0, 1, 2]


GRAPHS = {
    "one passed": RESIDUAL,
    "three parallel": {"x": [], 1: ["x"], 2: ["x"], 3: ["x"], "y": ["x", 1, 2, 3]},
    "six parallel": {"x": [], **{k: ["x"] for k in range(6)}, "y": ["x", *range(6)]},
    "two in two": {"x": [], "F": ["x"], "m": ["F"], "w": ["m"], "t": ["F", "w"], "y": ["x", "t"]},
}


@pytest.mark.parametrize("name", GRAPHS)
def test_no_edge_goes_through_a_box(name):
    figure = plot_graph(GRAPHS[name])
    (axes,) = figure.axes
    edges = [np.transpose(line.get_data()) for line in axes.lines]
    edges += [np.array([arrow.xyann, arrow.xy]) for arrow in arrows(figure)]
    places = named(figure).values()
    assert len(edges) > len(GRAPHS[name])
    for points in edges:
        for start, end in itertools.pairwise(points):
            for x, y in start + np.linspace(0, 1, 201)[:, None] * (end - start):
                inside = [abs(x - u) < HALF_WIDTH - 1e-6 and abs(y - v) < HALF_HEIGHT - 1e-6 for u, v in places]
                assert not any(inside), (x, y)


def test_each_edge_is_an_arrow_also_where_a_node_is_twice_a_parent():
    figure = plot_graph({"x": [], "s": ["x", "x"]})
    ends = {arrow.xy for arrow in arrows(figure)}
    assert len(arrows(figure)) == len(ends) == 2
    assert len(arrows(plot_graph(RESIDUAL))) == 3


def test_labels_stand_in_the_boxes_and_gradients_below():
    figure = plot_graph(RESIDUAL, {"y": "add\n3.000"}, {"x": "gradient 2"})
    assert set(named(figure)) == {"x", "f", "add\n3.000"}
    (below,) = [text for text in figure.axes[0].texts if text.get_va() == "top"]
    assert below.get_text() == "gradient 2"
    assert below.get_position()[1] < named(figure)["x"][1]


def test_a_graph_is_written_to_a_file(tmp_path):
    plot_graph(RESIDUAL, path=tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
