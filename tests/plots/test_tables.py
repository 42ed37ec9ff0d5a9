"""Tables of numbers: each number in its place, and what is boxed."""

import numpy as np
import pytest

from minires.plots import Table, plot_tables

pytest.importorskip("matplotlib")


def places(figure):
    """{text: (x, y)}"""
    return {text.get_text(): text.get_position() for text in figure.axes[0].texts}


def test_each_number_stands_in_its_row_and_column():
    found = places(plot_tables([Table("t", [[1, 2, 3], [4, 5, 6]])]))
    for row in ("123", "456"):
        assert len({found[digit][1] for digit in row}) == 1
        assert np.allclose(np.diff([found[digit][0] for digit in row]), 1)
    assert found["4"][0] == found["1"][0]
    assert found["4"][1] == found["1"][1] + 1  # the axis points down


def test_a_box_goes_round_its_elements_only():
    figure = plot_tables([Table("a", np.zeros((4, 5))), Table("t", [[1, 2, 3], [4, 5, 6]], [(0, 1, 2, 1, "plain")])])
    box = next(line for line in figure.axes[0].lines if line.get_linewidth() == 2)
    x, y = box.get_data()
    inside = [t for t, (a, b) in places(figure).items() if min(x) < a < max(x) and min(y) < b < max(y)]
    assert sorted(inside) == ["2", "5"]


def test_tables_stand_apart_with_their_signs_between_and_long_titles_do_not_touch():
    figure = plot_tables([Table("a rather long title", [[1]]), Table("another long title", [[2]], before="=")])
    figure.draw_without_rendering()
    first, second = (t.get_window_extent() for t in figure.axes[0].texts if t.get_text().endswith("title"))
    assert first.x1 < second.x0
    found = places(figure)
    assert found["1"][0] < found["="][0] < found["2"][0]


def test_fractions_keep_few_digits_and_tables_go_into_a_file(tmp_path):
    assert "0.5" in places(plot_tables([Table("t", [[0.5]])], tmp_path / "table.png"))
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")
