"""Every data set by its name."""

import difflib
import os

from minires.data.cifar10 import cifar10
from minires.data.digits import digits
from minires.data.imagefolder import imagefolder
from minires.errors import DataError
from minires.paths import as_path

NAMES = ("digits", "cifar10")


def load(dataset, root=None):
    """(train, test) of "digits", "cifar10" (root: a local copy) or a folder of pictures.

    "CIFAR-10" and the like are understood where no folder has that name. Raises DataError.
    """
    if not isinstance(dataset, (str, os.PathLike)) or not str(dataset).strip():
        raise DataError(f"a data set is digits, cifar10 or a folder of pictures, got {dataset!r}")
    try:
        return _loaded(dataset, as_path(dataset, DataError), None if root is None else as_path(root, DataError))
    except OSError as error:  # a name that is too long, or a folder that others may not look into
        raise DataError(f"{error.filename or dataset} cannot be read: {error.strerror or error}") from error


def _loaded(dataset, folder, root):
    name = _known(dataset, folder)
    if root is not None:
        if name != "cifar10":
            raise DataError(f"a local copy (--data {root}) is for cifar10 only; "
                            f"{'digits come with scikit-learn' if name else 'give the folder itself as the data set'}")
        if not _exists(root):
            raise DataError(f"there is no folder or archive {str(root)!r} to take {dataset} from")
    if name:
        return digits() if name == "digits" else cifar10(root)
    if not _exists(folder):
        near = difflib.get_close_matches(_plain(dataset), NAMES, n=1)
        raise DataError(f"there is no data set or folder {str(dataset)!r}; data sets are {' and '.join(NAMES)}"
                        + (f", did you mean {near[0]}?" if near else ""))
    return imagefolder(folder)


def _known(dataset, folder):
    """The name of a known data set in any usual spelling, or None."""
    if dataset in NAMES:
        return dataset
    return _plain(dataset) if _plain(dataset) in NAMES and not _exists(folder) else None


def _exists(path):
    """Whether there is such a file or folder. Raises OSError where the system does not tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _plain(name):
    return "".join(character for character in str(name).lower() if character.isalnum())
