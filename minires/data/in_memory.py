"""Data sets of arrays in memory, and a view of any class with a length and elements."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minires.annotations import Array, Transform
from minires.arrays import as_numpy, channels_last
from minires.data.checks import as_numbers
from minires.data.dataset import Dataset, Indexed
from minires.errors import DataError, DTypeError, OptionError, ShapeError
from minires.tensor import Tensor

FARTHEST = 100  # standard deviations from the mean: floats from 0 to 255 exceed it, normalized ones never do


class ArrayDataset(Dataset):
    """A data set whose images (N,C,H,W) are in memory.

    White is 255 for bytes (uint8) and 1 for floats. mean and std are those of images from 0 to 1.
    """

    def __init__(self, name: str, classes: Iterable[Any], images: Any, labels: Any, mean: Any, std: Any) -> None:
        images = _checked_images(name, images, channels=np.size(mean))
        super().__init__(name, classes, labels, images.shape[1:], mean, std)
        if len(images) != len(self):
            raise ShapeError(f"{name} has {len(images)} images and {len(self)} labels; give one label for each image")
        self._check_scale(images)
        self.images = channels_last(images)

    def _check_scale(self, images):
        if images.dtype == np.uint8:
            if max(self.mean) > 1:
                raise OptionError(
                    f"{self.name}: mean {self.mean} is more than 1, which is white; give mean and std of "
                    "the images divided by 255"
                )
            return
        for c, (mean, std) in enumerate(zip(self.mean, self.std)):
            least = float(images[:, c].min())
            most = float(images[:, c].max())
            if not np.isfinite(most - least):
                raise DataError(f"{self.name}: the floats of channel {c} hold NaN or infinite values")
            if max(mean - least, most - mean) > FARTHEST * std:
                raise DataError(
                    f"{self.name}: the floats of channel {c} go from {least:g} to {most:g}, which mean "
                    f"{mean:g} and std {std:g} do not describe; divide images of 0 … 255 by 255, or give "
                    "bytes: images.astype(np.uint8)"
                )

    def pixels(self, indices: Array) -> np.ndarray:
        return channels_last(self.images[indices])


class TensorDataset(Indexed):
    """Arrays or tensors of one length: dataset[i] and a loader's batches are tuples of their elements, as they are.

    transform=data.to_floats divides bytes by 255. Use ArrayDataset for images that are to be normalized and whose
    classes have names.
    """

    name = "arrays"

    def __init__(self, *arrays: Any) -> None:
        if any(isinstance(array, Indexed) for array in arrays):
            raise DTypeError(
                "TensorDataset takes arrays, got a data set; data.load gives a pair: train, test = data.load(…)"
            )
        self.arrays = tuple(as_numbers("TensorDataset", array) for array in arrays)
        lengths = [array.shape[:1] for array in self.arrays]
        if not arrays or (0,) in lengths or () in lengths or len(set(lengths)) > 1:
            raise ShapeError(
                "TensorDataset takes arrays of one length of at least 1, got the shapes "
                f"{', '.join(str(array.shape) for array in self.arrays) or 'of none'}"
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __repr__(self):
        return f"<TensorDataset: {', '.join(f'{array.dtype} {array.shape}' for array in self.arrays)}>"

    def take(self, indices: Array) -> tuple[Array, ...]:
        return tuple(array[indices] for array in self.arrays)

    def default_transform(self) -> Transform:
        return _unchanged


class Items(Indexed):
    """A view of anything with a length and dataset[i]: its batches are these elements, stacked."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.name = type(dataset).__name__

    @classmethod
    def of(cls, dataset):
        """The data set in such a view; itself if it has no elements, or if it gives batches already."""
        kind = type(dataset)
        if isinstance(dataset, (tuple, str, bytes, Mapping)) or not hasattr(kind, "__len__"):
            return dataset
        return dataset if getattr(kind, "__getitem__", None) in (None, Indexed.__getitem__) else cls(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]

    def __repr__(self):
        return f"<{self.name}: {len(self)} elements>"

    def take(self, indices: Array) -> Any:
        return _stacked(self.name, [self.dataset[int(i)] for i in indices])

    def default_transform(self) -> Transform:
        return _unchanged


def _stacked(name, elements):
    """Arrays or numbers as one array; tuples and lists as a tuple of their parts, each stacked."""
    kinds = [isinstance(element, (tuple, list)) for element in elements]
    if not any(kinds):
        return as_numbers(name, [e.data if isinstance(e, Tensor) else as_numpy(e) for e in elements])
    lengths = [len(element) if parts else None for element, parts in zip(elements, kinds)]
    if len(set(lengths)) > 1 or not lengths[0]:
        shown = sorted(
            {type(e).__name__ if n is None else f"{type(e).__name__} of {n}" for e, n in zip(elements, lengths)}
        )
        raise DTypeError(
            f"{name}: dataset[i] must be an array, a number or a tuple such as (image, label), and all of "
            f"one length, got {' and '.join(shown)}"
        )
    return tuple([_stacked(name, column) for column in zip(*elements)])


def _unchanged(images, rng):
    return images


def _checked_images(name, images, channels):
    images = as_numbers(name, images)
    if images.ndim != 4:
        hint = {3: "; for images of one channel give images[:, None]", 2: "; give images.reshape(N, C, H, W)"}.get(
            images.ndim, ""
        )
        raise ShapeError(f"{name}: images must be (N,C,H,W), got {images.shape}{hint}")
    if not len(images):
        raise DataError(f"{name} holds no images")
    if images.shape[1] != channels == images.shape[3]:
        raise ShapeError(
            f"{name}: images must be (N,C,H,W), got {images.shape}, which looks like (N,H,W,C); give "
            "images.transpose(0, 3, 1, 2)"
        )
    if not images.size:
        raise ShapeError(f"{name}: images of {images.shape} hold no pixels")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DTypeError(
            f"{name}: images must be bytes or floats, got {images.dtype}; for values from 0 to 255 give "
            "images.astype(np.uint8)"
        )
    return images.astype(np.float32, copy=False)
