"""What a data set is: images by index, their labels, and the names of the classes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minires.annotations import Array, Transform
from minires.data.checks import as_numbers, channel_statistics, check_whole, raise_together
from minires.data.transforms import normalize
from minires.errors import DataError, DTypeError, OptionError, ShapeError
from minires.settings import is_whole


class Indexed:
    """Base of what a loader takes batches from: a length and take(indices). dataset[i] and `for` follow from these."""

    name = "data"

    def __len__(self) -> int:
        raise NotImplementedError

    if TYPE_CHECKING:  # Python iterates by __getitem__; a type checker does not know that

        def __iter__(self) -> Iterator[tuple[Any, ...]]: ...

    def take(self, indices: Array) -> Any:
        """The batch of these indices: a tuple of arrays, inputs first, then labels or targets.

        Without labels it may be the array of inputs alone.
        """
        raise NotImplementedError

    def draw(self, indices: Array, rng: Any) -> Any:
        """What a loader takes: the same as take(), unless the data set draws random parts of its images."""
        return self.take(indices)

    def default_transform(self) -> Transform:
        """The transform (images, rng) -> images that a loader uses if it is given none."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        """(image, label) for an index; (images, labels) for a slice, a list of indices or a mask."""
        if not is_whole(index):
            return self.take(as_indices(self, index))
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has the indices 0 to {len(self) - 1}, got {index}")
        batch = self.take(np.array([index % len(self)]))
        return tuple(array[0].item() if array.ndim == 1 else array[0] for array in batch)


def as_indices(dataset, index):
    """The indices that a slice, a list of indices or a mask selects, as an array. Raises IndexError."""
    indices = np.arange(len(dataset))
    try:
        indices = indices[list(index) if isinstance(index, tuple) else index]
    except (IndexError, TypeError, ValueError) as error:
        raise IndexError(
            f"{dataset.name} has the indices 0 to {len(indices) - 1}, and takes a slice, a list of "
            f"indices or a mask: {error}"
        ) from error
    if indices.ndim != 1:
        raise IndexError(f"{dataset.name} takes an index, a slice, a list of indices or a mask, got {index!r}")
    return indices


class Dataset(Indexed):
    """Base of sets of labelled images.

    classes: a tuple of names; labels: int64 (N,); shape: (C,H,W); mean and std of each channel, where white is 1.
    All but labels are plain Python values. Raises DataError, DTypeError, OptionError or ShapeError.
    resize: see ImageFolder; None for images that have one size from the beginning.
    """

    resize: int | None = None

    def __init__(
        self, name: str, classes: Iterable[Any], labels: Any, shape: Sequence[int], mean: Any, std: Any
    ) -> None:
        if not isinstance(classes, Iterable) or isinstance(classes, (set, frozenset)):  # a set has no order
            raise OptionError(f"{name}: classes must be the names of the classes in order, got {classes!r}")
        self.name = str(name)
        self.classes = tuple(map(str, classes))
        self.shape = tuple(map(int, shape))
        self.labels = _checked_labels(self.name, labels, len(self.classes))
        twice = [label for label, count in Counter(self.classes).items() if count > 1]
        if twice:
            raise DataError(f"{name} has the class {twice[0]!r} twice; give every class a name of its own")
        self.mean, self.std = channel_statistics(mean, std)
        if len(self.mean) != self.shape[0]:
            raise ShapeError(
                f"{name}: images have {self.shape[0]} channels, mean and std have {len(self.mean)}; "
                "give one number for each"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.shape))
        return f"<{type(self).__name__} {self.name}: {len(self)} images {size} of {len(self.classes)} classes>"

    @property
    def counts(self) -> tuple[int, ...]:
        """How many images each class has, in the order of classes."""
        return tuple(np.bincount(self.labels.astype(np.intp), minlength=len(self.classes)).tolist())

    def pixels(self, indices: Array) -> np.ndarray:
        """The images of these indices, uint8 (n,C,H,W), channels-last in memory."""
        raise NotImplementedError

    def unreadable(self, indices: Any = None) -> list[str]:
        """Why images of these indices (None: all) cannot be read, a line for each. Nothing is decoded."""
        return []

    def check(self, indices: Any = None) -> None:
        """Raise a DataError that names all images of these indices (None: all) that are unreadable."""
        raise_together(self.unreadable(indices))

    def digest(self, indices: Any = None) -> str:
        """16 hex digits, which change with the labels and pixels of these indices (None: all) and with their order."""
        indices = np.arange(len(self)) if indices is None else indices
        parts = (indices[start : start + 1000] for start in range(0, len(indices), 1000))
        return hashed(self.labels[indices], (self.pixels(part).transpose(0, 2, 3, 1).tobytes() for part in parts))

    def take(self, indices: Array) -> tuple[Array, ...]:
        return self.pixels(indices), self.labels[indices]

    def default_transform(self) -> Transform:
        return normalize(self.mean, self.std)

    def limit(self, n: int) -> Subset:
        """A Subset of n images with all classes evenly: the first of each class, the second of each, …"""
        check_whole(limit=n)
        if not 1 <= n <= len(self):
            raise OptionError(f"limit must be from 1 to the {len(self)} images of {self.name}, got {n}")
        by_class = np.argsort(self.labels, kind="stable")
        counts = self.counts
        rank = np.empty(len(self), np.int64)  # of each image among those of its class
        rank[by_class] = np.arange(len(self)) - np.repeat(np.cumsum(counts) - counts, counts)
        return Subset(self, np.sort(np.lexsort((self.labels, rank))[:n]))


class Subset(Dataset):
    """The images of a Dataset at the given indices, in their order."""

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        if not isinstance(dataset, Dataset):
            raise OptionError(f"Subset: dataset must be a Dataset, got {type(dataset).__name__}")
        self.dataset = dataset
        self.indices = as_indices(dataset, indices)
        super().__init__(
            dataset.name, dataset.classes, dataset.labels[self.indices], dataset.shape, dataset.mean, dataset.std
        )
        self.resize = dataset.resize

    def unreadable(self, indices: Any = None) -> list[str]:
        return self.dataset.unreadable(self.indices if indices is None else self.indices[indices])

    def digest(self, indices: Any = None) -> str:
        return self.dataset.digest(self.indices if indices is None else self.indices[indices])

    def pixels(self, indices: Array) -> np.ndarray:
        return self.dataset.pixels(self.indices[indices])

    def draw(self, indices: Array, rng: Any) -> Any:
        return self.dataset.draw(self.indices[indices], rng)


def hashed(labels: Array, images: Iterable[bytes]) -> str:
    """The first 16 hex digits of the SHA-256 of labels and images."""
    found = hashlib.sha256(labels.astype("<i8").tobytes())
    for image in images:
        found.update(image)
    return found.hexdigest()[:16]


def check_all(*datasets: Dataset) -> None:
    """Raise one DataError that names all unreadable images of these data sets."""
    raise_together([fault for dataset in datasets for fault in dataset.unreadable()])


def _checked_labels(name, labels, classes):
    """A copy of the labels, int64 (N,). Raises DataError, DTypeError or ShapeError where they are no class numbers."""
    labels = as_numbers(name, labels)
    if not labels.size:
        raise DataError(f"{name} holds no images")
    if labels.ndim != 1:
        remedy = "labels.argmax(1)" if labels.ndim == 2 and labels.shape[1] == classes > 1 else "labels.ravel()"
        raise ShapeError(f"{name}: labels must be (N,), one class number an image, got {labels.shape}; try {remedy}")
    if labels.dtype.kind not in "iu":
        raise DTypeError(
            f"{name}: labels must be whole numbers, got {labels.dtype}; if they are class numbers, give "
            "labels.astype(np.int64)"
        )
    least = int(labels.min())
    most = int(labels.max())
    if least < 0 or most >= classes:
        raise DataError(
            f"{name}: labels go from {least} to {most}, the {classes} classes have the numbers 0 to {classes - 1}"
        )
    return labels.astype(np.int64)
