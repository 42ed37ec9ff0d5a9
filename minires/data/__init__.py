"""Data sets, transforms and loaders.

>>> train, test = data.load("digits")
>>> image, label = train[0]  # uint8 (C,H,W) and an int
>>> transform = data.compose(data.random_crop(8, padding=1), data.normalize(train.mean, train.std))
>>> for images, labels in data.ArrayLoader(train, batch_size=64, shuffle=True, seed=0, transform=transform):
...     ...  # (N,C,H,W) float32, channels-last in memory, and (N,) int64

A DataLoader gives Tensors, as torch's does. An ArrayLoader gives NumPy arrays, and any batch again by its number.
"""

from typing import TYPE_CHECKING

from minires.data.dataset import Dataset, Subset
from minires.data.imagefolder import ImageFolder
from minires.data.images import read_image
from minires.data.in_memory import ArrayDataset, TensorDataset
from minires.data.loader import ArrayLoader, DataLoader
from minires.data.mixing import mixup, soft_targets
from minires.data.sources import dataset_name, load
from minires.data.transforms import compose, normalize, random_crop, random_horizontal_flip, to_floats
from minires.torch_names import OF_DATA, missing

__all__ = [
    "ArrayDataset",
    "ArrayLoader",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "Subset",
    "TensorDataset",
    "compose",
    "dataset_name",
    "load",
    "mixup",
    "normalize",
    "random_crop",
    "random_horizontal_flip",
    "read_image",
    "soft_targets",
    "to_floats",
]


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.data", name, advice=OF_DATA, own_names=__all__)
