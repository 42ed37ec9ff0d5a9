"""What a data set is: raw pictures by number, their labels, and what the labels mean."""

import copy

import numpy as np

from minires.arrays import channels_last
from minires.errors import DataError, OptionError


class Dataset:
    """Base. name; classes, a tuple of names; labels (N,) int64; shape (C,H,W); mean and std by channel of pixel/255."""

    def __init__(self, name, classes, labels, shape, mean, std):
        self.name, self.classes, self.shape, self.mean, self.std = name, tuple(classes), tuple(shape), mean, std
        self.labels = np.asarray(labels, np.int64)
        if not len(self.labels):
            raise DataError(f"{name} holds no pictures")

    def __len__(self):
        return len(self.labels)

    def pixels(self, indices):
        """The pictures of these numbers, uint8 (n,C,H,W), channels-last in memory."""
        raise NotImplementedError

    def limit(self, n):
        """The first n pictures."""
        if not 1 <= n <= len(self):
            raise OptionError(f"limit must lie within 1 and the {len(self)} pictures of {self.name}, got {n}")
        part = copy.copy(self)
        part.labels = self.labels[:n]
        return part


class ArrayDataset(Dataset):
    """A data set whose pictures (N,C,H,W) uint8 are in memory."""

    def __init__(self, name, classes, images, labels, mean, std):
        super().__init__(name, classes, labels, images.shape[1:], mean, std)
        self.images = channels_last(images)

    def pixels(self, indices):
        return channels_last(self.images[indices])
