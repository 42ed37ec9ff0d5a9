"""Every data set by its name."""

import difflib
import os
from pathlib import Path

from minires.data.cifar10 import cifar10
from minires.data.digits import digits
from minires.data.imagefolder import imagefolder
from minires.errors import DataError

NAMES = ("digits", "cifar10")


def load(dataset, root=None):
    """(train, test) of "digits", "cifar10" (root: a local copy) or a folder of pictures.

    "CIFAR-10" and the like are understood where no folder has that name. Raises DataError.
    """
    if not isinstance(dataset, (str, os.PathLike)) or not str(dataset).strip():
        raise DataError(f"a data set is digits, cifar10 or a folder of pictures, got {dataset!r}")
    name = _known(dataset)
    if root is not None:
        if name != "cifar10":
            raise DataError(f"a local copy (--data {root}) is for cifar10 only; "
                            f"{'digits come with scikit-learn' if name else 'give the folder itself as the data set'}")
        if not str(root) or not Path(root).exists():
            raise DataError(f"there is no folder or archive {str(root)!r} to take {dataset} from")
    if name:
        return digits() if name == "digits" else cifar10(root)
    if not Path(dataset).exists():
        near = difflib.get_close_matches(_plain(dataset), NAMES, n=1)
        raise DataError(f"there is no data set or folder {str(dataset)!r}; data sets are {' and '.join(NAMES)}"
                        + (f", did you mean {near[0]}?" if near else ""))
    return imagefolder(dataset)


def _known(dataset):
    """The name of a known data set in any usual spelling, or None."""
    if dataset in NAMES:
        return dataset
    return _plain(dataset) if _plain(dataset) in NAMES and not Path(dataset).exists() else None


def _plain(name):
    return "".join(character for character in str(name).lower() if character.isalnum())
