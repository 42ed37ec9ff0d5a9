"""Random parts of images, and the center as ImageNet's networks are tested, from a folder."""

import math

import numpy as np
import pytest

from minires import data
from minires.data.crops import random_box
from minires.data.images import read_part

pillow = pytest.importorskip("PIL.Image")


class Drawn:
    """A generator that gives these numbers in turn."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def uniform(self, low, high):
        return self.numbers.pop(0)

    def integers(self, n):
        value = self.numbers.pop(0)
        assert 0 <= value < n
        return value


@pytest.fixture
def folder(tmp_path):
    """Images of noise, 60×40, in the classes a and b of train and val."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(4):
                pixels = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
                pillow.fromarray(pixels).save(tmp_path / part / name / f"{k}.png")
    return tmp_path


def test_a_box_has_the_area_and_the_aspect_that_were_drawn():
    """Half of 100×80 is 4000 pixels; at the aspect 5/4 that is √5000 × √3200."""
    box = random_box(100, 80, Drawn(0.5, math.log(1.25), 7, 3), (0.08, 1))
    assert box == (7, 3, 71, 57)


def test_a_box_that_does_not_fit_is_drawn_again():
    """The whole area at 3/4 is higher than the image."""
    assert random_box(100, 80, Drawn(1.0, math.log(0.75), 0.5, 0.0, 0, 0), (0.08, 1)) == (0, 0, 63, 63)


@pytest.mark.parametrize(("size", "expected"), [((300, 30), (130, 0, 40, 30)), ((30, 300), (0, 130, 30, 40))])
def test_of_an_image_that_is_too_long_the_center_is_taken(size, expected):
    """As torchvision's fallback: the whole shorter side, and the nearest aspect."""
    assert random_box(*size, Drawn(*[1.0, 0.0] * 10), (0.08, 1)) == expected


def test_boxes_are_distributed_as_torchvisions():
    """Means of w, h, left and top over 4000 draws agree within four standard errors."""
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchvision.transforms")
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    ours = np.array([random_box(90, 60, rng, (0.08, 1.0)) for _ in range(4000)])
    image = pillow.new("RGB", (90, 60))
    get = transforms.RandomResizedCrop.get_params
    theirs = np.array([get(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)])[:, [1, 0, 3, 2]]
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / 4000)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error).all()


def test_a_part_has_the_pixels_of_pillows_crop_and_resize(folder):
    path = folder / "train" / "a" / "0.png"
    with pillow.open(path) as image:
        expected = image.crop((5, 7, 45, 37)).resize((24, 24), pillow.Resampling.BILINEAR)
    found = read_part(path, 24, lambda W, H: (5, 7, 40, 30))
    np.testing.assert_array_equal(found.transpose(1, 2, 0), np.asarray(expected))


def test_a_loader_draws_parts_for_training_and_the_center_for_the_test(folder):
    train, test = data.load(folder, size=24, resize=27, scale=(0.08, 1.0))
    assert (train.resize, test.resize, test.limit(2).resize) == (27, 27, 27)
    for dataset in (train, train.limit(6)):
        loader = data.ArrayLoader(dataset, 3, seed=0, shuffle=True)
        first, again, other = (next(loader.epoch(epoch))[0] for epoch in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(np.sort(first, axis=None), np.sort(other, axis=None))
        taken = loader.transform(dataset.pixels(np.arange(len(dataset))), None)
        assert not any((image == center).all() for image in first for center in taken)
    images, _ = next(data.ArrayLoader(test, len(test)).epoch(0))
    expected = np.stack([data.read_image(path, 24, 27) for path in test.paths])
    np.testing.assert_array_equal(images, data.normalize(test.mean, test.std)(expected, None))
