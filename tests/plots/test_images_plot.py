"""Images beside each other."""

import numpy as np
import pytest

from minires.plots import plot_images
from minires.plots.images import DPI, SIDE


@pytest.mark.parametrize(("count", "columns", "rows"), [(5, 8, 1), (8, 8, 1), (9, 8, 2), (3, 1, 3)])
def test_images_stand_in_rows_with_their_titles(count, columns, rows, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), np.uint8)
    titles = [f"no. {k}" for k in range(count)]
    path = tmp_path / "images.png"
    figure = plot_images(images, titles, columns, path)
    used = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in used] == titles
    assert len(figure.axes) == rows * min(columns, count)
    assert [axes.images[0].get_array().squeeze().tolist() for axes in used] == images[:, 0].tolist()
    width = int.from_bytes(path.read_bytes()[16:20], "big")
    assert width == pytest.approx((SIDE * min(columns, count) + 0.1) * DPI, abs=1)


def test_floats_are_scaled_together_so_that_their_brightness_can_be_compared():
    images = np.zeros((2, 3, 2, 2), np.float32)
    images[0] = -1
    images[1, 0] = 3
    figure = plot_images(images)
    first, second = (axes.images[0].get_array() for axes in figure.axes)
    assert first.max() == 0
    assert second[0, 0].tolist() == [255, 64, 64]


def test_images_of_one_color_are_black():
    assert plot_images(np.full((1, 1, 2, 2), 0.5)).axes[0].images[0].get_array().max() == 0
