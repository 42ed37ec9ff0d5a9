"""Images and other arrays in memory: what is taken, as what, and what is refused with a remedy."""

import json

import numpy as np
import pytest

from minires import Tensor, data
from minires.arrays import is_channels_last
from minires.errors import DataError, DTypeError, OptionError, ShapeError

BYTES = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
LABELS = [0, 1, 0, 1, 1, 0]


def made(images=BYTES, labels=LABELS, classes=("a", "b"), mean=(0.5,) * 3, std=(0.25,) * 3):
    return data.ArrayDataset("mine", classes, images, labels, mean, std)


def test_an_array_can_be_a_data_set():
    dataset = made()
    np.testing.assert_array_equal(dataset.pixels([1, 0]), BYTES[[1, 0]])
    assert is_channels_last(dataset.pixels([0]))
    with pytest.raises(DataError, match="empty holds no images"):
        data.ArrayDataset("empty", (), BYTES[:0], [], (), ())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_not_divided_by_255(dtype):
    floats = (BYTES / 255).astype(dtype)
    images, _ = next(iter(data.ArrayLoader(made(floats), 6)))
    np.testing.assert_allclose(images, (BYTES / 255 - 0.5) / 0.25, atol=1e-6 if dtype != np.float16 else 3e-3)
    assert images.dtype == np.float32


def test_bytes_and_floats_of_the_same_images_give_the_same_batch():
    a, b = (next(iter(data.ArrayLoader(made(x), 6)))[0] for x in (BYTES, (BYTES / 255).astype(np.float32)))
    np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("std", [0.25, 4.0])
def test_floats_lie_within_a_hundred_standard_deviations_of_their_mean(sign, std):
    """To both sides, and in each channel by its own std."""
    floats = np.full((6, 3, 4, 5), 0.5, np.float32)
    floats[2, 1, 3, 4] += sign * 100 * std
    settings = {"mean": (0.5,) * 3, "std": (1000.0, std, 1000.0)}
    assert len(made(floats, **settings)) == 6
    floats[2, 1, 3, 4] += sign * std / 4
    with pytest.raises(DataError, match=rf"the floats of channel 1 go from .*, which mean 0\.5 and std {std:g} do not"):
        made(floats, **settings)


def test_a_mean_of_bytes_may_be_white_in_every_channel_and_more_in_none():
    assert made(np.full_like(BYTES, 255), mean=(1.0,) * 3).mean == (1.0,) * 3
    with pytest.raises(OptionError, match="is more than 1, which is white"):
        made(mean=(0.5, 1.01, 0.5))


def test_what_a_data_set_knows_is_plain_python():
    dataset = data.ArrayDataset(
        "mine", np.array(["a", "b"]), BYTES, np.uint8(LABELS), np.float32([0.5, 0.25, 0.5]), np.array([1, 2, 3])
    )
    kept = {"classes": dataset.classes, "shape": dataset.shape, "mean": dataset.mean, "std": dataset.std}
    assert json.loads(json.dumps(kept)) == {
        "classes": ["a", "b"],
        "shape": [3, 4, 5],
        "mean": [0.5, 0.25, 0.5],
        "std": [1.0, 2.0, 3.0],
    }
    assert dataset.labels.dtype == np.int64
    assert all(type(value) is tuple for value in kept.values())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": [0, 7] * 3}, DataError, "labels go from 0 to 7, the 2 classes have the numbers 0 to 1"),
        ({"labels": [0, 2] * 3}, DataError, "labels go from 0 to 2, the 2 classes"),
        ({"labels": [0, -1] * 3}, DataError, "labels go from -1 to 0"),
        ({"labels": [0, 1]}, ShapeError, "6 images and 2 labels"),
        ({"labels": [0.5] * 6}, DTypeError, "must be whole numbers, got float64"),
        ({"labels": [True] * 6}, DTypeError, "must be whole numbers, got bool"),
        ({"labels": ["a"] * 6}, DTypeError, "expected an array of numbers, got list of <U1"),
        ({"labels": np.zeros((6, 1), int)}, ShapeError, r"got \(6, 1\); try labels.ravel\(\)"),
        ({"labels": np.eye(2, dtype=int)[LABELS]}, ShapeError, r"got \(6, 2\); try labels.argmax\(1\)"),
        ({"labels": np.ma.array(LABELS)}, DTypeError, "got MaskedArray"),
        ({"labels": np.array([2**64 - 1] * 6, np.uint64)}, DataError, "labels go from 18446744073709551615 to"),
        ({"labels": [0, 2**64, 0, 0, 0, 0]}, DTypeError, "of object"),
        ({"labels": [np.nan] * 6}, DTypeError, "got float64"),
        ({"labels": "010110"}, DTypeError, "of <U6"),
        ({"labels": None}, DTypeError, "NoneType of object"),
        ({"classes": ("a", "a")}, DataError, "the class 'a' twice"),
        ({"classes": None}, OptionError, "classes must be the names of the classes in order, got None"),
        ({"classes": 2}, OptionError, "got 2"),
        ({"classes": {"a", "b"}}, OptionError, "in order, got {'"),
        ({"std": (0.25, 0.0, 0.25)}, OptionError, "std more than 0"),
        ({"std": (0.25, -1.0, 0.25)}, OptionError, "std more than 0"),
        ({"std": (0.25, np.inf, 0.25)}, OptionError, "std more than 0"),
        ({"mean": (0.5, np.nan, 0.5)}, OptionError, "mean must be finite"),
        ({"mean": (125, 123, 114), "std": (63, 62, 66)}, OptionError, "give mean and std of the images divided by 255"),
        ({"mean": ("a", "b", "c")}, OptionError, "one number for each channel"),
        ({"mean": (0.5,), "std": (0.5,)}, ShapeError, "images have 3 channels, mean and std have 1"),
        ({"mean": (0.5,) * 3, "std": (0.5,)}, ShapeError, "mean has 3 channels, std has 1"),
        ({"images": BYTES[:, 0]}, ShapeError, r"got \(6, 4, 5\); for images of one channel give images\[:, None\]"),
        (
            {"images": BYTES.transpose(0, 2, 3, 1)},
            ShapeError,
            r"looks like \(N,H,W,C\); give images.transpose\(0, 3, 1, 2\)",
        ),
        ({"images": BYTES[:, :, :0]}, ShapeError, "hold no pixels"),
        (
            {"images": BYTES.astype(np.int64)},
            DTypeError,
            r"got int64; for values from 0 to 255 give images.astype\(np.uint8\)",
        ),
        ({"images": BYTES > 9}, DTypeError, "got bool"),
        ({"images": BYTES.astype(object)}, DTypeError, "of object"),
        ({"images": BYTES.astype(complex)}, DTypeError, "of complex128"),
        ({"images": np.ma.array(BYTES)}, DTypeError, "got MaskedArray"),
        ({"images": [BYTES[0], BYTES[1, :, :2]]}, ShapeError, "elements have different shapes"),
        ({"images": BYTES.astype(np.float32)}, DataError, "divide images of 0 … 255 by 255"),
        ({"images": np.where(BYTES > 250, np.nan, BYTES / 255)}, DataError, "hold NaN or infinite"),
    ],
)
def test_what_is_no_image_or_no_label_is_refused_when_the_data_set_is_made(change, error, message):
    with pytest.raises(error, match=message):
        made(**change)


def test_a_list_of_images_and_tensors_are_taken():
    np.testing.assert_array_equal(made(list(BYTES), Tensor(LABELS)).pixels([2])[0], BYTES[2])


def test_labels_are_a_copy():
    labels = np.array(LABELS)
    dataset = made(labels=labels)
    labels[:] = 99
    assert dataset.labels.tolist() == LABELS


def test_an_element_is_an_image_and_its_label():
    dataset = made()
    image, label = dataset[-2]
    np.testing.assert_array_equal(image, BYTES[4])
    assert (label, type(label)) == (1, int)
    for index in (slice(1, 5, 2), [1, 3], np.array([1, 3])):
        images, labels = dataset[index]
        np.testing.assert_array_equal(images, BYTES[[1, 3]])
        assert labels.tolist() == [1, 1]
    assert dataset[dataset.labels == 0][1].tolist() == [0, 0, 0]
    assert [label for _, label in dataset] == LABELS
    for index in (6, -7, "a", 1.0, None, True):
        with pytest.raises(IndexError):
            dataset[index]


def test_a_data_set_of_ones_own_needs_pixels_only():
    class Squares(data.Dataset):
        def pixels(self, indices):
            assert min(indices) >= 0
            return np.reshape(indices, (-1, 1, 1, 1)).astype(np.uint8) ** 2

    dataset = Squares("squares", "ab", [0, 0, 1, 1], (1, 1, 1), (0,), (1,))
    assert [image.item() for image, _ in dataset] == [0, 1, 4, 9]
    assert dataset[-1] == (np.array([[[9]]]), 1)
    assert dataset.limit(2).pixels(np.array([1])).item() == 4
    images, labels = next(iter(data.ArrayLoader(dataset, 4)))
    np.testing.assert_allclose(images.ravel() * 255, [0, 1, 4, 9], rtol=1e-6)
    assert labels.tolist() == [0, 0, 1, 1]


def test_a_subset_holds_the_numbers_it_was_given():
    part = data.Subset(made(), [4, -1, 0])
    assert (len(part), part.labels.tolist(), part.classes) == (3, [1, 0, 0], ("a", "b"))
    np.testing.assert_array_equal(part.pixels([0, 1]), BYTES[[4, 5]])
    for indices in ((4, -1, 0), np.array([4, 5, 0]), Tensor([4, 5, 0])):
        np.testing.assert_array_equal(data.Subset(made(), indices).indices, [4, 5, 0])
    for indices in ([6], [-7], 5, None, "a", [0.5], [True] * 5, [[0, 1]]):
        with pytest.raises(IndexError, match="mine"):
            data.Subset(made(), indices)
    with pytest.raises(OptionError, match="dataset must be a Dataset, got list"):
        data.Subset([1], [0])


def test_a_data_set_counts_its_images_by_class():
    assert made(classes=("a", "b", "none")).counts == (3, 3, 0)
    assert data.Subset(made(), [1, 3]).counts == (0, 2)  # of the two classes there is but one
    assert data.Subset(made(), [0, 1, 2]).counts == (2, 1)
    assert all(type(count) is int for count in made().counts)


def test_reprs_say_what_is_inside():
    assert repr(made()) == "<ArrayDataset mine: 6 images 3×4×5 of 2 classes>"
    assert repr(made().limit(3)) == "<Subset mine: 3 images 3×4×5 of 2 classes>"
    assert repr(data.TensorDataset(BYTES, LABELS)) == "<TensorDataset: uint8 (6, 3, 4, 5), int64 (6,)>"
    assert repr(data.ArrayLoader(made(), 4, True, seed=2)) == (
        "<ArrayLoader: 2 batches of 4, shuffled by seed 2, from <ArrayDataset mine: 6 images 3×4×5 of 2 classes>>"
    )


@pytest.mark.parametrize("wrap", [data.TensorDataset, lambda *arrays: arrays])
def test_a_pair_of_arrays_goes_into_a_loader(wrap):
    points = np.random.default_rng(0).standard_normal((10, 2))
    targets = points.sum(axis=1)
    batches = list(data.ArrayLoader(wrap(points, Tensor(targets)), batch_size=4, shuffle=True))
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    for x, y in batches:
        assert x.dtype == np.float64
        np.testing.assert_array_equal(x.sum(axis=1), y)


@pytest.mark.parametrize("loader", [data.ArrayLoader, data.DataLoader])
@pytest.mark.parametrize("images", [BYTES, BYTES.astype(np.int64), BYTES.astype(np.float64)])
def test_a_pair_of_arrays_is_passed_on_as_it_is(loader, images):
    found, labels = next(iter(loader(data.TensorDataset(images, LABELS), 6)))
    assert (found.dtype, labels.dtype) == (images.dtype, np.int64)
    np.testing.assert_array_equal(np.asarray(found), images)


def test_to_floats_makes_numbers_from_0_to_1_of_the_bytes_of_a_pair():
    images, _ = next(iter(data.ArrayLoader((BYTES, LABELS), 6, transform=data.to_floats)))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, BYTES / 255, rtol=1e-6)


def test_the_elements_of_a_tensor_dataset_are_tuples():
    dataset = data.TensorDataset(BYTES, LABELS, np.arange(6.0))
    image, label, number = dataset[1]
    np.testing.assert_array_equal(image, BYTES[1])
    assert (label, number, len(dataset)) == (1, 1.0, 6)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ((BYTES, LABELS[:5]), ShapeError, r"of one length of at least 1, got the shapes \(6, 3, 4, 5\), \(5,\)"),
        ((), ShapeError, "of none"),
        ((BYTES[:0], []), ShapeError, "at least 1"),
        ((np.float32(1),), ShapeError, "at least 1"),
        ((made(), made()), DTypeError, "train, test = data.load"),
        ((["a"],), DTypeError, "array of numbers"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(arrays, error, message):
    for take in (lambda: data.TensorDataset(*arrays), lambda: data.ArrayLoader(arrays, 1)):
        with pytest.raises(error, match=message):
            take()
