"""The figure of the ratios."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of the installed package
from benchmarks.plot import COLORS, plot_speed
from benchmarks.workloads import RIVALS


def test_every_rival_has_a_color_of_its_own():
    assert list(COLORS) == list(RIVALS)
    assert len(set(COLORS.values())) == len(RIVALS)


def test_a_table_of_many_ratios_stays_small_enough_to_read():
    ratio = {"torch": {"median": 1.2, "low": 1.1, "high": 1.4}}
    names = [f"conv/{k}/{direction}" for k in range(24) for direction in ("forward", "dx", "dw")]
    figure = plot_speed(dict.fromkeys([*names, "resnet20/train", "memory"], ratio))
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["resnet20/train", "memory"]
    assert [label.get_text() for label in right.get_yticklabels()] == [f"conv/{k}" for k in range(24)]
    assert max(figure.get_size_inches()) < 10
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["forward", "dx", "dw"]
    width = figure.get_size_inches()[0] * figure.dpi
    figure.canvas.draw()
    assert right.get_legend().get_window_extent().x1 <= width
