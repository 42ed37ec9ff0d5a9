"""The handwritten digits that come with scikit-learn: 1,797 images of 8×8, no download [Alpaydin & Kaynak 1998]."""

import numpy as np

from minires.data.in_memory import ArrayDataset
from minires.errors import need

TEST = 360


def digits():
    """(train, test): 1,437 and 360 images (1,8,8). The split is always the same, and both parts hold all digits."""
    source = need("sklearn.datasets", "data", for_what="the digits data set").load_digits()
    images = np.round(source.images * (255 / 16)).astype(np.uint8)[:, None]  # 0 … 16 -> 0 … 255; (N,8,8) -> (N,1,8,8)
    labels = source.target
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
