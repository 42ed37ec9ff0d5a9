"""The handwritten digits that come with scikit-learn: 1,797 images of 8×8, no download [Alpaydin & Kaynak 1998]."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from minires.data.in_memory import ArrayDataset
from minires.errors import need

TEST = 360


def digits():
    """(train, test): 1,437 and 360 images (1,8,8). The split is always the same, and both parts hold all digits."""
    pixels, labels = _of_scikit_learn()
    images = np.round(pixels * (255 / 16)).astype(np.uint8)[:, None]  # 0 … 16 -> 0 … 255; (N,8,8) -> (N,1,8,8)
    # A shuffled order in which the ten classes take turns, so the test set is balanced.
    order = np.random.default_rng(0).permutation(len(labels))
    rank = np.empty(len(labels), int)
    for digit in range(10):
        members = order[labels[order] == digit]
        rank[members] = np.arange(len(members))
    order = order[np.argsort(rank[order], kind="stable")]
    train = order[TEST:]
    mean = float(images[train].mean() / 255)
    std = float(images[train].std() / 255)
    parts = np.random.default_rng(1).permutation(train), order[:TEST]
    return tuple(ArrayDataset("digits", "0123456789", images[part], labels[part], (mean,), (std,)) for part in parts)


def _of_scikit_learn():
    """(pixels (N,8,8) from 0 to 16, labels (N,)). Its file is read, because importing scikit-learn takes a second."""
    spec = find_spec("sklearn")
    path = Path(spec.origin).with_name("datasets") / "data" / "digits.csv.gz" if spec and spec.origin else None
    if path is None or not path.exists():
        source = need("sklearn.datasets", "data", for_what="the digits data set").load_digits()
        return source.images, source.target
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
