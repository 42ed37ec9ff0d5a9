"""python -m minires.explain, as a person meets it."""

import os
from pathlib import Path

import numpy as np
import pytest

from minires import models, storage
from minires.explain.__main__ import main
from minires.plots import plot_explanations
from minires.plots.explanations import Explanation, HeatMap

pillow = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")
TEST_DATA = os.environ.get("MINIRES_TEST_DATA")


@pytest.fixture
def files(tmp_path):
    """Weights of a ResNet-8 for ten classes, and an image."""
    model = models.resnet8(rng=0)
    storage.save(tmp_path / "w.safetensors", model.state_dict())
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 3)).astype(np.uint8)
    pillow.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path


def explain(files, *arguments, model="resnet8", more=()):
    out = ["--out", str(files / "out.png")]
    return main(
        [str(files / "a.png"), *more, "--weights", str(files / "w.safetensors"), "--model", model, *out, *arguments]
    )


def test_it_draws_a_figure_and_prints_what_it_explains(files, capsys):
    assert explain(files, "--class", "class 7") == 0
    out, err = capsys.readouterr()
    assert "a.png  class 7 " in out
    assert out.endswith(f"{files / 'out.png'}\n")
    assert "Traceback" not in err
    assert (files / "out.png").read_bytes().startswith(b"\x89PNG")
    assert explain(files, "--class", "7", "--layer", "layer2") == 0


def test_an_image_that_cannot_be_read_is_named_and_skipped(files, capsys):
    (files / "b.png").write_bytes(b"no image")
    assert explain(files, more=[str(files / "b.png")]) == 1
    out, err = capsys.readouterr()
    assert "b.png cannot be read as an image" in err
    assert "a.png  class" in out
    (files / "a.png").write_bytes(b"no image")
    (files / "out.png").unlink()
    assert explain(files) != 0
    assert not (files / "out.png").exists()


def test_a_vision_transformer_gets_occlusion_alone_and_is_told_why(files, capsys):
    storage.save(files / "w.safetensors", models.vit_tiny_cifar(rng=0).state_dict())
    assert explain(files, model="vit_tiny_cifar") == 0
    assert "vit_tiny_cifar has no map of features behind its attention" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--class", "clas 7"], "--class: there is no class 'clas 7'; did you mean class 7?"),
        (["--class", "10"], "--class: there is no class '10'"),
        (["--layer", "layer9"], "grad_cam: CifarResNet has no module 'layer9'; did you mean layer"),
        (["--layer", "linear"], "grad_cam: linear gives no map"),
        (["--out", "x.doc"], "x.doc: a figure can be png"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(files, capsys, arguments, message):
    assert explain(files, *arguments) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert err[-1].startswith(f"minires.explain: {message}")
    assert not (files / "out.png").exists()


def test_a_file_that_is_not_there_is_named(files, capsys):
    assert explain(files, more=["nowhere.jpg"]) == 2
    assert capsys.readouterr().err == "minires.explain: there is no file or folder 'nowhere.jpg'\n"


def test_the_figure_has_a_row_an_image_and_names_what_is_seen():
    image = np.zeros((1, 8, 8), np.uint8)
    maps = [HeatMap("Grad-CAM", np.eye(2)), HeatMap("occlusion", -np.eye(3), is_signed=True, border=2)]
    row = Explanation(image, "x.png", [("ant", 0.7), ("bee", 0.2)], ("fly", 0.01), maps)
    figure = plot_explanations([row, row])
    assert len(figure.axes) == 2 * 4
    written = "\n".join(text.get_text() for text in figure.axes[0].texts)
    assert [line.split() for line in written.splitlines()][1:4] == [["70.0%", "ant"], ["20.0%", "bee"], ["1.0%", "fly"]]
    assert [axes.get_title() for axes in figure.axes[2:4]] == ["Grad-CAM", "occlusion"]
    assert all(axes.get_xlim() == (-0.5, 7.5) for axes in figure.axes[2:4])


@pytest.mark.skipif(not TEST_DATA, reason="MINIRES_TEST_DATA names no folder with weights and photographs")
def test_covering_the_bee_takes_the_bee_away(tmp_path, capsys):
    """In this photograph the bee sits in a flower, above and left of the middle."""
    from minires.explain import grad_cam, occlusion
    from minires.predict import Classifier

    folder = Path(TEST_DATA)
    classifier = Classifier.load(folder / "mobilenet_v2-b0353104.pth", "mobilenet_v2")
    classifier.model.requires_grad_(False)
    pixels = classifier.read(folder / "hymenoptera" / "val" / "bees" / "10870992_eebeeb3a12.jpg")
    p = classifier.probabilities([pixels])[0, 309]
    covered = occlusion(classifier.probabilities, pixels, 309, 64, 40)
    assert np.unravel_index(covered.argmin(), covered.shape)[1] in (1, 2)
    assert covered.min() < p / 2
    cam = grad_cam(classifier.model, classifier.prepared([pixels]), 309, "features")
    assert np.unravel_index(cam.argmax(), cam.shape)[0] in (2, 3)
