"""Data sets, transforms and the loader.

>>> train, test = data.load("digits")
>>> transform = data.compose(data.pad_and_crop(1), data.normalise(train.mean, train.std))
>>> for images, labels in data.Loader(train, batch_size=64, shuffle=True, seed=0, transform=transform):
...     ...  # (N,C,H,W) float32, channels-last in memory, and (N,) int64
"""

from minires.data.dataset import ArrayDataset, Dataset
from minires.data.loader import Loader
from minires.data.sources import load
from minires.data.transforms import compose, flip, normalise, pad_and_crop

__all__ = ["ArrayDataset", "Dataset", "Loader", "compose", "flip", "load", "normalise", "pad_and_crop"]
