"""Files of figures hold what their endings say."""

import pytest

from minires.errors import OptionError
from minires.plots import check_plot, plot_gradients

NORMS = {"plain8": [1.0, 2.0], "resnet8": [2.0, 1.0]}


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.png", b"\x89PNG"),
        ("a.svg", b"<?xml"),
        ("a.pdf", b"%PDF"),
        ("a.jpg", b"\xff\xd8"),
        ("a.jpeg", b"\xff\xd8"),
        ("a.webp", b"RIFF"),
        ("a.PDF", b"%PDF"),
        ("without an ending", b"\x89PNG"),
        (".png", b"\x89PNG"),
    ],
)
def test_a_figure_is_what_the_ending_of_its_file_says(tmp_path, name, begins):
    check_plot(tmp_path / name)
    plot_gradients(NORMS, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_an_svg_says_that_it_is_one(tmp_path):
    plot_gradients(NORMS, tmp_path / "a.svg")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


@pytest.mark.parametrize("name", ["a.gif", "a.txt", "a.npy", "runs/a.v2"])
def test_another_ending_is_refused_with_a_list_of_what_is_possible(tmp_path, name):
    for draw in (check_plot, lambda path: plot_gradients(NORMS, path)):
        with pytest.raises(
            OptionError,
            match=f"{name}: a figure can be png, svg, pdf, jpg, jpeg or webp, .* not '{name.rpartition('.')[2]}'",
        ):
            draw(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_no_file_needs_no_check():
    check_plot(None)
