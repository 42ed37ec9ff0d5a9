"""DataLoader: Tensors as in PyTorch, from data sets, lists and classes of one's own."""

import numpy as np
import pytest

import minires
from minires import data, nn, ops
from minires.errors import DTypeError, OptionError, ShapeError
from minires.tensor import Tensor


@pytest.fixture
def dataset():
    images = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1) * np.ones((1, 2, 4, 3), np.uint8)
    return data.ArrayDataset("numbers", range(50), images, np.arange(50), (0.0, 0.0), (1 / 255, 1 / 255))


def test_the_batches_of_a_dataloader_are_tensors_outside_any_graph(dataset):
    for (images, labels), arrays in zip(data.DataLoader(dataset, 8), data.ArrayLoader(dataset, 8), strict=True):
        assert isinstance(images, Tensor)
        assert isinstance(labels, Tensor)
        assert (images.dtype, labels.dtype, images.requires_grad, images.is_leaf) == (np.float32, np.int64, False, True)
        assert images.size(0) == labels.size(0) == len(arrays[1])
        np.testing.assert_array_equal(images.data, arrays[0])
        np.testing.assert_array_equal(labels.data, arrays[1])


def test_manual_seed_decides_the_order_of_a_dataloader_and_a_seed_wins(dataset):
    def order(manual, **settings):
        minires.manual_seed(manual)
        return next(iter(data.DataLoader(dataset, 50, shuffle=True, **settings)))[1].tolist()

    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3, seed=7) == order(4, seed=7)
    minires.manual_seed(3)
    first, second = (next(iter(data.DataLoader(dataset, 50, shuffle=True)))[1].tolist() for _ in range(2))
    assert first != second


def test_a_dataloader_takes_a_batch_size_above_the_length(dataset):
    assert [len(labels) for _, labels in data.DataLoader(dataset, 64)] == [50]
    assert list(data.DataLoader(dataset, 64, drop_last=True)) == []
    with pytest.raises(OptionError, match="batch_size must be at least 1"):
        data.DataLoader(dataset, 0)


def test_the_defaults_of_torchs_other_arguments_are_accepted(dataset):
    loader = data.DataLoader(
        dataset,
        8,
        None,
        num_workers=0,
        pin_memory=False,
        drop_last=True,
        collate_fn=None,
        sampler=None,
        timeout=0,
        worker_init_fn=None,
        persistent_workers=False,
        generator=None,
    )
    assert len(list(loader)) == len(loader) == 6
    assert loader.shuffle is False


class Own:
    """As the tutorials of torch write one."""

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if i >= 5:
            raise IndexError(i)
        return np.full((1, 2, 2), i, np.float32), i


class OwnOfBase(data.Dataset):
    __init__ = object.__init__
    __len__ = Own.__len__
    __getitem__ = Own.__getitem__


@pytest.mark.parametrize("kind", [Own, OwnOfBase])
def test_a_data_set_of_ones_own_needs_a_length_and_elements_only(kind):
    loader = data.DataLoader(kind(), 2, shuffle=True, seed=1)
    batches = list(loader)
    assert [images.shape for images, _ in batches] == [(2, 1, 2, 2), (2, 1, 2, 2), (1, 1, 2, 2)]
    assert sorted(label for _, labels in batches for label in labels.tolist()) == [0, 1, 2, 3, 4]
    for images, labels in batches:
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert images.data[:, 0, 0, 0].tolist() == labels.tolist()
    assert kind.__name__ in repr(loader)


def test_a_list_of_pairs_is_a_data_set_of_a_dataloader():
    images, labels = next(iter(data.DataLoader([(np.full(3, i), 2 * i) for i in range(4)], 3)))
    assert (images.tolist(), labels.tolist()) == ([[0] * 3, [1] * 3, [2] * 3], [0, 2, 4])


def test_elements_that_are_one_array_or_one_number_make_a_batch_of_one_tensor():
    maps = [np.full((1, 2, 2), i, np.float32) for i in range(4)]
    first, second = data.DataLoader(maps, 3)
    assert (first.shape, second.shape, first.dtype) == ((3, 1, 2, 2), (1, 1, 2, 2), np.float32)
    assert next(iter(data.DataLoader([1.5, 2.5], 2))).tolist() == [1.5, 2.5]
    doubled = data.DataLoader(maps, 4, transform=lambda images, rng: 2 * images)
    assert next(iter(doubled)).data[:, 0, 0, 0].tolist() == [0, 2, 4, 6]


def test_a_tuple_holds_columns_and_a_list_holds_elements():
    x = np.float32([[1, 2], [3, 4]])
    y = np.float32([[5, 6], [7, 8]])
    assert [part.tolist() for part in next(iter(data.DataLoader((x, y), 2)))] == [x.tolist(), y.tolist()]
    assert next(iter(data.DataLoader([x, y], 2))).tolist() == [x.tolist(), y.tolist()]
    with pytest.raises(
        OptionError, match=r"ArrayLoader takes .* or a tuple \(images, labels\), got .*; DataLoader takes a list"
    ):
        data.ArrayLoader([x, y], 2)


def test_a_data_set_is_shown_shortened_where_it_is_refused():
    with pytest.raises(OptionError, match="ArrayLoader takes a data set") as caught:
        data.ArrayLoader(Tensor(np.zeros((100, 100))), 2)
    assert len(str(caught.value)) < 200


def test_a_0d_tensor_is_refused_when_the_loader_is_made():
    with pytest.raises(TypeError, match="a 0-d tensor holds one number and has no length"):
        data.DataLoader(Tensor(3.0), 2)


def test_a_transform_is_refused_where_the_first_part_of_an_element_is_a_tuple():
    loader = data.DataLoader([((1, 2), 3), ((4, 5), 6)], 2, transform=lambda images, rng: images[0])
    with pytest.raises(OptionError, match="the first part of an element is a tuple here"):
        next(iter(loader))


@pytest.mark.parametrize(
    ("element", "error", "message"),
    [
        (
            lambda i: (i,) * (i + 1),
            DTypeError,
            r"Odd: dataset\[i\] must be .* such as \(image, label\), .* got tuple of 1 and tuple of 2",
        ),
        (lambda i: (i, i) if i else i, DTypeError, "Odd: .* got int and tuple of 2"),
        (lambda i: (), DTypeError, "Odd: .* got tuple of 0"),
        (lambda i: {"image": i}, DTypeError, "Odd: expected an array of numbers"),
        (lambda i: (np.zeros(3 + i), i), ShapeError, "Odd: the elements have different shapes"),
        (lambda i: (np.zeros(3), "cat"), DTypeError, "Odd: expected an array of numbers"),
    ],
)
def test_elements_that_make_no_batch_are_named(element, error, message):
    class Odd(Own):
        def __getitem__(self, i):
            return element(i)

    with pytest.raises(error, match=message):
        next(iter(data.DataLoader(Odd(), 2)))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("num_workers", "one thread makes `prefetch` batches ahead"),
        ("pin_memory", "leave it out"),
        ("collate_fn", "transform="),
        ("sampler", r"data\.Subset"),
        ("generator", "seed="),
        ("worker_init_fn", "seed="),
    ],
)
def test_an_argument_of_torch_that_is_not_here_says_what_to_use_instead(dataset, name, instead):
    with pytest.raises(OptionError, match=f"DataLoader has no {name}: .*{instead}"):
        data.DataLoader(dataset, 8, **{name: 2})
    with pytest.raises(OptionError, match=instead):
        data.DataLoader(dataset, 8, **{name: np.arange(2)})


def test_an_unknown_argument_is_a_type_error(dataset):
    with pytest.raises(TypeError, match="ArrayLoader has no argument 'shufle'"):
        data.ArrayLoader(dataset, 8, shufle=True)


@pytest.mark.parametrize("what", ["digits", None, 3, np.zeros((5, 1, 2, 2))])
def test_what_is_no_data_set_is_refused(what):
    with pytest.raises(OptionError, match="ArrayLoader takes a data set"):
        data.ArrayLoader(what, 1)


def test_a_model_takes_what_a_loader_gives(dataset):
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, rng=0), nn.Flatten(), nn.Linear(36, 50, rng=1))
    images, labels = next(iter(data.DataLoader(dataset, batch_size=4)))
    assert np.isfinite(ops.cross_entropy(model(images), labels).item())


def test_a_batch_size_below_1_is_refused_whatever_the_length_of_the_data_set():
    for data_set in ([], [1, 2]):
        with pytest.raises(OptionError, match="batch_size must be at least 1, got -1"):
            data.DataLoader(data_set, batch_size=-1)
