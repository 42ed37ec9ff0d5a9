"""Each usual way to prepare an image otherwise is planted with PyTorch and PIL, and must be named."""

import numpy as np
import pytest

from minires import models
from minires.compare.pictures import explained
from minires.predict import Classifier

torch = pytest.importorskip("torch", reason="PyTorch is not installed, which scales images")
pillow = pytest.importorskip("PIL.Image")
MEAN = np.array([0.485, 0.456, 0.406]).reshape(1, 1, 3)
STD = np.array([0.229, 0.224, 0.225]).reshape(1, 1, 3)


@pytest.fixture
def photograph(tmp_path):
    """A picture of 120×90 pixels with edges and noise, in three unlike colors."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:90, :120]
    pixels = np.stack([x * 2, 128 + 100 * np.sin(y / 3), 255 * ((x // 7 + y // 5) % 2)], axis=-1) + rng.normal(
        0, 20, (90, 120, 3)
    )
    pillow.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def center(pixels, size=64):
    top, left = (round((n - size) / 2) for n in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def scaled(path, **options):
    """By PyTorch, without PIL: shorter side 73."""
    image = torch.tensor(np.asarray(pillow.open(path)).copy()).permute(2, 0, 1)[None].float()
    y = torch.nn.functional.interpolate(image, (73, int(120 * 73 / 90)), mode="bilinear", **options)
    return y[0].permute(1, 2, 0).round().numpy()


def plain(path):
    return np.asarray(pillow.open(path).resize((int(120 * 73 / 90), 73), pillow.Resampling.BILINEAR), float)


def normal(pixels):
    return (pixels / 255 - MEAN) / STD


PLANTED = {
    "": lambda path: normal(center(plain(path))),
    "BGR, not RGB": lambda path: normal(center(plain(path))[..., ::-1]),
    "the images are not normalized there": lambda path: center(plain(path)) / 255,
    "values of 0 … 255": lambda path: center(plain(path)),
    "mean 0.5 and std 0.5": lambda path: center(plain(path)) / 127.5 - 1,
    "antialias=False": lambda path: normal(center(scaled(path, antialias=False))),
    "align_corners=True": lambda path: normal(center(scaled(path, align_corners=True))),
    "scaled by bicubic there": lambda path: normal(
        center(np.asarray(pillow.open(path).resize((int(120 * 73 / 90), 73), pillow.Resampling.BICUBIC), float))
    ),
    "squeezed into the square": lambda path: normal(
        np.asarray(pillow.open(path).resize((64, 64), pillow.Resampling.BILINEAR), float)
    ),
}


@pytest.mark.parametrize("cause", PLANTED)
def test_a_planted_preparation_is_named(photograph, cause):
    network = Classifier(models.resnet8(rng=0), ["a", "b"], size=64, resize=73)
    there = PLANTED[cause](photograph).transpose(2, 0, 1)[None].astype(np.float32)
    error, found = explained(photograph, network, there)
    assert (cause in found) if cause else (error < 0.01 and not found)


def test_another_picture_is_no_cause_that_is_guessed(photograph):
    network = Classifier(models.resnet8(rng=0), ["a", "b"], size=64, resize=73)
    there = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    error, cause = explained(photograph, network, there)
    assert error > 0.1
    assert cause == ""
