"""CIFAR-10 from its official binary archive [Krizhevsky 2009]. No pickle is opened, because it could run code."""

import os
from pathlib import Path

import numpy as np

from minires.data.download import checksum, fetch, unpack
from minires.data.in_memory import ArrayDataset
from minires.errors import DataError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE, FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
BATCH, RECORD = 10_000, 1 + 3 * 32 * 32  # records in a file; bytes of a record: label, red, green, blue
TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = ("test_batch.bin",)
SIZES = {f"{FOLDER}/{name}": BATCH * RECORD for name in TRAIN + TEST} | {f"{FOLDER}/batches.meta.txt": None}
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training images, pixel/255
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(root=None):
    """(train, test): 50,000 and 10,000 images (3,32,32).

    root: a local copy, which is the folder cifar-10-batches-bin, the folder above it, or the archive.
    Without root the archive is downloaded once into $MINIRES_DATA or ~/.cache/minires. Raises DataError.
    """
    folder = _local(Path(root)) if root else _downloaded()
    return _read(folder, TRAIN), _read(folder, TEST)


def _is_copy(folder):
    return all((folder / name).is_file() for name in TRAIN + TEST)


def _local(root):
    if root.name == ARCHIVE and root.is_file():
        root = root.parent
    for folder in (root, root / FOLDER):
        if _is_copy(folder):
            return folder
    if (root / ARCHIVE).is_file():
        if checksum(root / ARCHIVE, "md5") != MD5:
            raise DataError(
                f"{root / ARCHIVE} is not the official archive (MD5 {MD5}); if you trust it, unpack it and "
                f"give the folder {FOLDER}"
            )
        unpack(root / ARCHIVE, root, SIZES)
        return root / FOLDER
    raise DataError(
        f"there is no CIFAR-10 in {root}: neither {FOLDER}/data_batch_1.bin nor {ARCHIVE}; get the binary "
        f"version from {URL}"
    )


def _downloaded():
    try:
        root = Path(os.environ.get("MINIRES_DATA") or Path.home() / ".cache" / "minires")
    except RuntimeError as error:
        raise DataError("there is no home folder to keep CIFAR-10 in; name a folder in MINIRES_DATA") from error
    if not _is_copy(root / FOLDER):
        fetch(URL, root / ARCHIVE, md5=MD5)
        unpack(root / ARCHIVE, root, SIZES)
    return root / FOLDER


def _read(folder, names):
    records = np.concatenate([_records(folder / name) for name in names])
    images = records[:, 1:].reshape(-1, 3, 32, 32)  # (N,3072) -> (N,C,H,W)
    return ArrayDataset("cifar10", CLASSES, images, records[:, 0], MEAN, STD)


def _records(path):
    try:
        size = path.stat().st_size
        if size != BATCH * RECORD:
            raise DataError(
                f"{path} has {size} bytes instead of {BATCH} records of {RECORD}; it is damaged or no CIFAR-10 binary"
            )
        records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if records[:, 0].max() > 9:
        raise DataError(f"{path} holds the label {records[:, 0].max()}, CIFAR-10 has 0 … 9; it is damaged")
    return records
