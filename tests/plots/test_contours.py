"""Lines of equal height: their numbers, shades that gray print keeps apart, and odd surfaces."""

import io
from itertools import pairwise

import numpy as np
import pytest

from minires.plots import Contour, plot_panels

PIL = pytest.importorskip("PIL.Image")


def bowl(z, levels=(0.3, 1), **options):
    steps = np.linspace(-1, 1, 9)
    x, y = np.meshgrid(steps, steps)
    return Contour("along δ", "along η", steps, steps, z(x, y), levels, "bowl", **options)


@pytest.mark.parametrize("kind", ["plain", "residual", "other"])
def test_the_higher_the_darker_also_in_gray(kind):
    figure = plot_panels([bowl(lambda x, y: x**2 + y**2, (0.2, 0.5, 1, 1.5), kind=kind)])
    (axes,) = figure.axes
    filled = axes.collections[0]
    gray = [np.dot(color[:3], (0.299, 0.587, 0.114)) for color in filled.get_facecolor()]
    assert len(gray) == 5
    assert all(low > high + 0.03 for low, high in pairwise(gray))
    assert gray[0] == pytest.approx(1)
    assert gray[-1] > 0.4  # black numbers are legible on it


def test_each_line_has_its_number_and_the_center_its_cross():
    (axes,) = plot_panels([bowl(lambda x, y: x**2 + y**2)]).axes
    assert {text.get_text() for text in axes.texts} == {"0.3", "1"}
    (cross,) = axes.lines
    assert cross.get_xydata().tolist() == [[0, 0]]
    assert axes.get_xlim() == axes.get_ylim() == (-1, 1)
    assert axes.get_aspect() == 1
    assert axes.get_xlabel() == "along δ"


@pytest.mark.parametrize(
    "odd",
    [
        bowl(lambda x, y: 0 * x),
        bowl(lambda x, y: np.where(x > 0.4, np.inf, x**2)),
        bowl(lambda x, y: np.where(x > 0.4, np.nan, x**2)),
        bowl(lambda x, y: x, levels=()),
        bowl(lambda x, y: x, levels=(7,)),
    ],
    ids=["flat", "infinite", "nan", "no levels", "all below"],
)
@pytest.mark.filterwarnings("error")
def test_odd_surfaces_are_drawn(odd):
    image = io.BytesIO()
    plot_panels([odd]).savefig(image)
    assert PIL.open(image).size[0] > 100
