"""Transforms of batches."""

import numpy as np
import pytest

from minires import Tensor, data
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError

RNG = np.random.default_rng
X = channels_last(RNG(0).integers(1, 256, (64, 3, 6, 5), dtype=np.uint8))


def test_every_crop_is_a_moved_copy_with_black_borders():
    cropped = data.random_crop((6, 5), padding=2)(X, RNG(1))
    padded = np.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2)))
    offsets = set()
    for n in range(len(X)):
        found = [
            (i, j) for i in range(5) for j in range(5) if np.array_equal(cropped[n], padded[n, :, i : i + 6, j : j + 5])
        ]
        assert len(found) == 1
        offsets.update(found)
    assert len(offsets) > 15  # of 25


def test_about_half_of_the_images_are_flipped():
    out = data.random_horizontal_flip()(X, RNG(1))
    flipped = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(out, X, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(out, X, strict=True)]
    assert all(a != b for a, b in zip(flipped, same, strict=True))
    assert 16 < sum(flipped) < 48


def test_normalizing_gives_float32_close_to_the_formula():
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    out = data.normalize(mean, std)(X, None)
    exact = (X / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, exact, atol=4 * 2.0**-24 * 10)


@pytest.mark.parametrize(
    "transform",
    [
        data.random_crop((6, 5), padding=1),
        data.random_horizontal_flip(),
        data.normalize((0.5,) * 3, (0.5,) * 3),
        data.compose(
            data.random_crop((6, 5), padding=1), data.random_horizontal_flip(), data.normalize((0.5,) * 3, (1,) * 3)
        ),
    ],
)
def test_memory_stays_channels_last_inputs_stay_and_the_generator_decides(transform):
    before = X.copy()
    first = transform(X, RNG(3))
    second = transform(X, RNG(3))
    assert is_channels_last(first)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", ["random_horizontal_flip", "random_crop", "normalize"])
@pytest.mark.parametrize(
    ("images", "error", "said"),
    [
        (np.ones(3), ShapeError, r"got \(3,\)"),
        (np.ones((3, 4, 4)), ShapeError, r"got \(3, 4, 4\)"),
        ([[1.0]], DTypeError, "got a list"),
        (None, DTypeError, "got a NoneType"),
        (Tensor(np.ones((1, 1, 4, 4))), DTypeError, r"got a Tensor; give its \.detach\(\)\.numpy\(\)"),
    ],
)
def test_what_is_no_batch_of_images_is_named_with_the_transform(name, images, error, said):
    make = {
        "random_horizontal_flip": data.random_horizontal_flip,
        "random_crop": lambda: data.random_crop((6, 5), padding=1),
        "normalize": lambda: data.normalize(0.5, 0.5),
    }
    with pytest.raises(error, match=f"{name}: images must be .*{said}"):
        make[name]()(images, np.random.default_rng(0))


@pytest.mark.parametrize("images", [None, [[1.0]], np.ones((1, 1, 2, 2), int), np.ones(1, complex)])
def test_what_are_no_pixels_have_no_white(images):
    with pytest.raises(
        DTypeError, match=r"images must be bytes \(uint8, white is 255\) or floats .*, got (list|None|int|comp)"
    ):
        data.to_floats(images)


def test_channels_and_padding_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="images have 3 channels, mean and std have 1"):
        data.normalize((0.5,), (0.5,))(X, None)
    with pytest.raises(OptionError, match="padding must be 0 or more, got -1"):
        data.random_crop(8, padding=-1)
    with pytest.raises(ShapeError, match="size is 12×8, the images with their padding are 10×9"):
        data.random_crop((12, 8), padding=2)(X, RNG(0))
    with pytest.raises(OptionError, match="random_horizontal_flip: p must be"):
        data.random_horizontal_flip(1.5)


def test_a_crop_may_be_smaller_than_the_images_and_a_probability_of_one_flips_all():
    cropped = data.random_crop((4, 3))(X, RNG(0))
    assert cropped.shape == (64, 3, 4, 3)
    assert all((windows == part).all((2, 3, 4)).any() for windows, part in zip(_windows(X, 4, 3), cropped, strict=True))
    np.testing.assert_array_equal(data.random_horizontal_flip(p=1)(X, RNG(0)), X[..., ::-1])


def _windows(images, h, w):
    """Every part of size (h, w) of each image: (N,I,J,C,h,w)"""
    return np.lib.stride_tricks.sliding_window_view(images, (h, w), (2, 3)).transpose(0, 2, 3, 1, 4, 5)
