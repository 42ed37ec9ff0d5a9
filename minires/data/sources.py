"""Every data set by its name."""

from pathlib import Path

from minires.data.cifar10 import cifar10
from minires.data.digits import digits
from minires.data.imagefolder import imagefolder
from minires.errors import DataError


def load(dataset, root=None):
    """(train, test) of "digits", "cifar10" (root: a local copy) or a folder of pictures. Raises DataError."""
    if root is not None and not Path(root).is_dir():
        raise DataError(f"there is no folder {str(root)!r} to take {dataset} from")
    if dataset == "digits":
        return digits()
    if dataset == "cifar10":
        return cifar10(root)
    return imagefolder(dataset)
