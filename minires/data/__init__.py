"""Data sets, transforms and the loader.

>>> train, test = data.load("digits")
>>> image, label = train[0]  # uint8 (C,H,W) and an int
>>> transform = data.compose(data.pad_and_crop(1), data.normalise(train.mean, train.std))
>>> for images, labels in data.Loader(train, batch_size=64, shuffle=True, seed=0, transform=transform):
...     ...  # (N,C,H,W) float32, channels-last in memory, and (N,) int64

A Loader gives NumPy arrays; a DataLoader is its twin with torch's manners and gives Tensors.
"""

from minires.data.dataset import Dataset, Subset
from minires.data.imagefolder import ImageFolder
from minires.data.in_memory import ArrayDataset, TensorDataset
from minires.data.loader import DataLoader, Loader
from minires.data.pictures import read_image
from minires.data.sources import known, load
from minires.data.transforms import compose, flip, normalise, pad_and_crop, to_floats

__all__ = [
    "ArrayDataset",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "Loader",
    "Subset",
    "TensorDataset",
    "compose",
    "flip",
    "known",
    "load",
    "normalise",
    "pad_and_crop",
    "read_image",
    "to_floats",
]
