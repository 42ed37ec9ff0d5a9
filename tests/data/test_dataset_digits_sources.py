"""Data sets: what every one of them offers, and the digits."""

import hashlib
import os

import numpy as np
import pytest

from minires import data
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


@pytest.mark.parametrize(
    ("part", "digest"),
    [
        (0, "45ae4b8a0820194e028e6304008d83bfa491e082adcbcb6503ecb34e3e5cfb09"),
        (1, "4507a8dca07edc8d8cae490099a3bc91fad7c7e63a5e33620837a151b11ace7f"),
    ],
    ids=["train", "test"],
)
def test_digits_have_the_same_bits_and_order_on_every_machine(digits, part, digest):
    pixels = digits[part].pixels(np.arange(len(digits[part])))
    assert digits[part].labels.dtype == np.int64
    assert hashlib.sha256(pixels.tobytes() + digits[part].labels.tobytes()).hexdigest() == digest


def test_no_digit_is_in_both_parts_and_none_is_lost(digits):
    load_digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits
    source = np.sort(np.round(load_digits().images * (255 / 16)).astype(np.uint8).reshape(1797, -1), axis=0)
    both = np.concatenate([part.pixels(np.arange(len(part))).reshape(len(part), -1) for part in digits])
    np.testing.assert_array_equal(np.sort(both, axis=0), source)


def test_pixels_are_bytes_and_statistics_are_those_of_the_training_part(digits):
    train, _ = digits
    pixels = train.pixels(np.arange(len(train)))
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.uint8, 0, 255)
    assert train.mean[0] == pytest.approx(pixels.mean() / 255)
    assert train.std[0] == pytest.approx(pixels.std() / 255)


def in_order(labels, classes):
    """A data set whose image number i is a single pixel of value i."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return data.ArrayDataset("numbers", classes, images, labels, (0.0,), (1.0,))


@pytest.mark.parametrize(
    ("labels", "n", "kept"),
    [
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], 6, [0, 1, 3, 4, 6, 7]),
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], 4, [0, 1, 3, 6]),  # what is left over goes to the first classes
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], 2, [0, 3]),  # fewer than there are classes
        ([2, 0, 2, 2, 2, 1, 2], 5, [0, 1, 2, 3, 5]),  # a small class is taken whole, the large one fills up
        ([1, 0, 1, 0], 4, [0, 1, 2, 3]),
        ([2, 2, 0, 0], 2, [0, 2]),  # a class without images
    ],
)
def test_a_limit_takes_every_class_evenly_and_keeps_the_order(labels, n, kept):
    few = in_order(labels, "abc").limit(n)
    assert few.pixels(np.arange(n)).ravel().tolist() == kept
    assert few.labels.tolist() == [labels[i] for i in kept]
    assert (few.classes, few.name, few.shape) == (tuple("abc"), "numbers", (1, 1, 1))


def test_a_limit_of_a_limit_is_the_smaller_limit():
    whole = in_order(np.random.default_rng(0).integers(0, 4, 100), range(4))
    np.testing.assert_array_equal(
        whole.limit(50).limit(10).pixels(np.arange(10)), whole.limit(10).pixels(np.arange(10))
    )


def test_a_limit_of_digits_holds_all_ten(digits):
    for part in digits:
        assert np.bincount(part.limit(64).labels).tolist() == [7] * 4 + [6] * 6
    train = digits[0]
    np.testing.assert_array_equal(train.limit(len(train)).labels, train.labels)
    for n in (0, -1, 1438):
        with pytest.raises(OptionError, match=f"limit must be from 1 to the 1437 images of digits, got {n}"):
            train.limit(n)
    for n in (1.5, True, "9", None):
        with pytest.raises(OptionError, match=f"limit must be a whole number, got {n!r}"):
            train.limit(n)


def test_unknown_names_and_folders_are_data_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no folder has a similar name
    with pytest.raises(DataError, match=r"there is no data set or folder 'mnist'; data sets are digits and cifar10$"):
        data.load("mnist")
    with pytest.raises(DataError, match="did you mean cifar10"):
        data.load("cifar100")
    with pytest.raises(DataError, match="there is no folder or archive"):
        data.load("cifar10", tmp_path / "none")
    with pytest.raises(DataError, match="a path must be the name of a file or a folder, got ''"):
        data.load("cifar10", "")


@pytest.mark.parametrize(
    ("missing", "meant"),
    [("fotos", "photos"), ("sets/Fotos", os.path.join("sets", "photos")), ("cifar", "cifar10"), ("sets/cifar1", None)],
)
def test_the_folder_that_may_be_meant_is_named(missing, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", ".fotos", "sets/photos"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "fotos.zip").touch()
    end = f", did you mean {meant}?" if meant else ""
    with pytest.raises(DataError) as error:
        data.load(missing)
    assert str(error.value) == f"there is no data set or folder {missing!r}; data sets are digits and cifar10{end}"


@pytest.mark.parametrize("name", ["", " ", None, 7])
def test_no_name_is_no_data_set(name):
    with pytest.raises(DataError, match="a data set is digits, cifar10 or a folder of images, got"):
        data.load(name)


@pytest.mark.parametrize("name", ["Digits", "DIGITS", "digits "])
def test_usual_spellings_are_understood(name):
    assert data.load(name)[0].name == "digits"


@pytest.mark.parametrize("name", ["CIFAR10", "cifar-10", "CIFAR-10", "Cifar_10"])
def test_usual_spellings_of_cifar10_are_understood(name, tmp_path):
    with pytest.raises(DataError, match="there is no CIFAR-10 in"):
        data.load(name, tmp_path)


def test_a_folder_with_the_name_of_a_data_set_in_another_spelling_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CIFAR-10").mkdir()
    with pytest.raises(DataError, match="CIFAR-10 must hold one folder of images for each class"):
        data.load("CIFAR-10")


@pytest.mark.parametrize("name", ["digits", "pets"])
def test_a_local_copy_is_for_cifar10_only(name, tmp_path):
    with pytest.raises(DataError, match=r"a local copy \(--data .*\) is for cifar10 only"):
        data.load(name, tmp_path)
