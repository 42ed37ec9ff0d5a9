"""The handwritten digits in digits.npz, beside this file: 1,797 images of 8×8, no download.

They are the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), from the UCI
Machine Learning Repository (doi 10.24432/C50P49), under CC BY 4.0. scikit-learn's load_digits() gives the same.
"""

from pathlib import Path

import numpy as np

from minires.data.in_memory import ArrayDataset

FILE = Path(__file__).with_name("digits.npz")  # pixels (N,8,8) from 0 to 16, and labels (N,), as bytes
TEST = 360


def digits():
    """(train, test): 1,437 and 360 images (1,8,8). The split is always the same, and both parts hold all digits."""
    with np.load(FILE) as file:
        pixels = file["pixels"]
        labels = file["labels"].astype(np.int64)
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
