"""Data sets by name: load("digits")."""

import os
from pathlib import Path

from minires.annotations import PathLike
from minires.data.cifar10 import cifar10
from minires.data.dataset import Dataset
from minires.data.digits import digits
from minires.data.imagefolder import imagefolder
from minires.errors import DataError, OptionError
from minires.paths import as_path
from minires.settings import meant, similar

NAMES = {"digits": 8, "cifar10": 32}  # height and width of their images


def load(
    dataset: PathLike,
    root: PathLike | None = None,
    size: int | None = None,
    *,
    resize: int | None = None,
    scale: tuple[float, float] | None = None,
) -> tuple[Dataset, Dataset]:
    """(train, test) of "digits", "cifar10" or a folder of images.

    root: a local copy of cifar10. size: height and width to which the images of a folder are scaled, 224 unless given.
    resize, scale: how the images of a folder are cut out; see ImageFolder.
    "CIFAR-10" is understood, too, if no folder has that name.
    Raises DataError, and OptionError for a size that digits or cifar10 do not have.
    """
    if not isinstance(dataset, (str, os.PathLike)) or not str(dataset).strip():
        raise DataError(f"a data set is digits, cifar10 or a folder of images, got {dataset!r}")
    try:
        root = None if root is None else as_path(root, DataError)
        return _loaded(dataset, as_path(dataset, DataError), root, size, {"resize": resize, "scale": scale})
    except OSError as error:  # a name that is too long, or a folder without permission
        raise DataError(f"{error.filename or dataset} cannot be read: {error.strerror or error}") from error


def _loaded(dataset, folder, root, size, cut):
    name = dataset_name(dataset)
    if root is not None:
        if name != "cifar10":
            raise DataError(
                f"a local copy (--data {root}) is for cifar10 only; "
                f"{'digits come with minires' if name else 'give the folder itself as the data set'}"
            )
        if not _exists(root):
            raise DataError(f"there is no folder or archive {str(root)!r} to take {dataset} from")
    if name and size not in (None, NAMES[name]):
        raise OptionError(
            f"the images of {name} have {NAMES[name]}×{NAMES[name]} pixels; a size ({size}) is for folders of images"
        )
    if name:
        return digits() if name == "digits" else cifar10(root)
    if not _exists(folder):
        raise DataError(
            f"there is no data set or folder {str(dataset)!r}; data sets are {' and '.join(NAMES)}"
            + "".join(f", did you mean {name}?" for name in _similar_names(folder))
        )
    return imagefolder(folder, 224 if size is None else size, **cut)


def _similar_names(folder):
    """[the data set, or the folder beside this missing one, whose name is the most similar], or []."""
    try:
        beside = [entry.name for entry in folder.parent.iterdir() if entry.is_dir() and entry.name[0] != "."]
    except OSError:
        beside = []
    names = {name: str(folder.with_name(name)) for name in beside}
    if folder.parent == Path():
        names |= {name: name for name in NAMES}
    return [names[name] for name in similar(folder.name, names, most=1, cutoff=0.7)]


def dataset_name(dataset: PathLike) -> str | None:
    """ "cifar10" for "CIFAR-10" and other usual spellings; None for a folder, even if it has such a name."""
    if dataset in NAMES:
        return dataset
    try:
        return None if _exists(dataset) else meant(dataset, NAMES)
    except OSError:  # load() reports it
        return None


def _exists(path):
    """Whether there is such a file or folder. Raises OSError where the system cannot tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
