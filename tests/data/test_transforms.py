"""Transforms of batches."""

import numpy as np
import pytest

from minires import Tensor, data
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError

RNG = np.random.default_rng
X = channels_last(RNG(0).integers(1, 256, (64, 3, 6, 5), dtype=np.uint8))


def test_every_crop_is_a_shifted_copy_with_black_borders():
    cut = data.pad_and_crop(2)(X, RNG(1))
    padded = np.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2)))
    shifts = set()
    for n in range(len(X)):
        found = [
            (i, j) for i in range(5) for j in range(5) if np.array_equal(cut[n], padded[n, :, i : i + 6, j : j + 5])
        ]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 15  # of 25


def test_about_half_of_the_pictures_are_mirrored():
    out = data.flip()(X, RNG(1))
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(out, X, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(out, X, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def test_normalising_gives_float32_close_to_the_formula():
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    out = data.normalise(mean, std)(X, None)
    exact = (X / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, exact, atol=4 * 2.0**-24 * 10)


@pytest.mark.parametrize(
    "transform",
    [
        data.pad_and_crop(1),
        data.flip(),
        data.normalise((0.5,) * 3, (0.5,) * 3),
        data.compose(data.pad_and_crop(1), data.flip(), data.normalise((0.5,) * 3, (1,) * 3)),
    ],
)
def test_memory_stays_channels_last_inputs_stay_and_the_generator_decides(transform):
    before = X.copy()
    first = transform(X, RNG(3))
    second = transform(X, RNG(3))
    assert is_channels_last(first)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", ["flip", "pad_and_crop", "normalise"])
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
        "flip": data.flip,
        "pad_and_crop": lambda: data.pad_and_crop(1),
        "normalise": lambda: data.normalise(0.5, 0.5),
    }
    with pytest.raises(error, match=f"{name}: images must be .*{said}"):
        make[name]()(images, np.random.default_rng(0))


@pytest.mark.parametrize("images", [None, [[1.0]], np.ones((1, 1, 2, 2), int), np.ones(1, complex)])
def test_what_are_no_pixels_have_no_white(images):
    with pytest.raises(
        DTypeError, match=r"pictures must be bytes \(uint8, white is 255\) or floats .*, got (list|None|int|comp)"
    ):
        data.to_floats(images)


def test_channels_and_padding_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="images have 3 channels, mean and std have 1"):
        data.normalise((0.5,), (0.5,))(X, None)
    with pytest.raises(OptionError, match="padding must be 0 or more, got -1"):
        data.pad_and_crop(-1)
