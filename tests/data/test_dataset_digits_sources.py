"""Data sets: what every one of them offers, and the digits."""

import numpy as np
import pytest

from minires import data
from minires.arrays import is_channels_last
from minires.errors import DataError, OptionError


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_digits_are_split_once_for_all_and_balanced(digits):
    train, test = digits
    assert (len(train), len(test), train.shape, train.classes) == (1437, 360, (1, 8, 8), tuple("0123456789"))
    assert np.bincount(test.labels).min() >= 34
    again = data.load("digits")[0]
    np.testing.assert_array_equal(again.labels, train.labels)
    np.testing.assert_array_equal(again.pixels(np.arange(9)), train.pixels(np.arange(9)))


def test_no_digit_is_in_both_parts_and_none_is_lost(digits):
    from sklearn.datasets import load_digits
    source = np.sort(np.round(load_digits().images * (255 / 16)).astype(np.uint8).reshape(1797, -1), axis=0)
    both = np.concatenate([part.pixels(np.arange(len(part))).reshape(len(part), -1) for part in digits])
    np.testing.assert_array_equal(np.sort(both, axis=0), source)


def test_pixels_are_bytes_and_statistics_are_those_of_the_training_part(digits):
    train, _ = digits
    pixels = train.pixels(np.arange(len(train)))
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.uint8, 0, 255)
    assert train.mean[0] == pytest.approx(pixels.mean() / 255)
    assert train.std[0] == pytest.approx(pixels.std() / 255)


def test_a_limit_takes_the_first_pictures(digits):
    train, _ = digits
    few = train.limit(10)
    assert len(few) == 10
    np.testing.assert_array_equal(few.labels, train.labels[:10])
    assert len(train) == 1437
    for n in (0, -1, 1438):
        with pytest.raises(OptionError, match=f"limit must lie within 1 and the 1437 pictures of digits, got {n}"):
            train.limit(n)


def test_an_array_can_be_a_data_set():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    dataset = data.ArrayDataset("mine", ("a", "b"), images, [0, 1], (0.5,) * 3, (0.2,) * 3)
    np.testing.assert_array_equal(dataset.pixels([1, 0]), images[[1, 0]])
    assert is_channels_last(dataset.pixels([0]))
    with pytest.raises(DataError, match="empty holds no pictures"):
        data.ArrayDataset("empty", (), images[:0], [], (), ())


def test_unknown_names_and_folders_are_data_errors(tmp_path):
    with pytest.raises(DataError, match="there is no data set or folder 'mnist'; data sets are digits and cifar10"):
        data.load("mnist")
    with pytest.raises(DataError, match="there is no folder"):
        data.load("cifar10", tmp_path / "none")
