"""The figure of the gradient's two parts."""

import numpy as np
import pytest

from minires import models
from minires.plots import plot_paths
from minires.plots.paths import _draw
from minires.probes import residual_paths


def paths_of(name, **options):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((8, 1, 8, 8)).astype(np.float32)
    labels = rng.integers(0, 10, 8)
    return residual_paths(models.create(name, in_channels=1, rng=0, **options), images, labels)


@pytest.mark.parametrize(
    "names", [["resnet8", "plain8"], ["preact_resnet20"], ["resnet8", "plain8", "preact_resnet20"]]
)
def test_networks_have_panels_beside_each_other_in_one_file(names, tmp_path):
    path = tmp_path / "new" / "paths.png"
    plot_paths({name: paths_of(name) for name in names}, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    width, height = (int.from_bytes(path.read_bytes()[i : i + 4], "big") for i in (16, 20))
    assert width == pytest.approx(len(names) * 4.8 * 130, abs=1)
    assert height == pytest.approx(4.2 * 130, abs=1)
    assert [found.name for found in path.parent.iterdir()] == ["paths.png"]


def test_blocks_are_counted_from_one():
    [axes] = plot_paths({"plain8": paths_of("plain8")}).axes
    assert list(axes.get_xticks()) == [1, 2, 3]


def curves(blocks):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    _draw(axes, blocks)
    curved = [line for line in axes.lines if len(line.get_ydata()) == len(blocks)]
    return {line.get_label(): list(line.get_ydata()) for line in curved}


def test_the_blocks_that_change_the_shape_are_named_once():
    [axes] = plot_paths({"resnet8": paths_of("resnet8")}).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels.count("the shape changes") == 1


def test_what_arrives_what_leaves_and_both_parts_are_drawn():
    blocks = paths_of("resnet8")
    assert list(curves(blocks).values()) == [
        [getattr(b, field) for b in blocks] for field in ("upstream", "total", "identity", "branch")
    ]


def test_a_plain_network_has_no_curve_through_a_shortcut():
    drawn = curves(paths_of("plain8"))
    assert [label for label in drawn if "shortcut" in label] == []
    leaving, branch = (
        next(values for label, values in drawn.items() if word in label) for word in ("leaving", "branch")
    )
    assert leaving == branch


def test_silent_branches_can_be_drawn(tmp_path):
    plot_paths({"silent": paths_of("resnet8", zero_init_residual=True)}, tmp_path / "silent.png")
    assert (tmp_path / "silent.png").exists()
