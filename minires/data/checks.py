"""Checks of settings and arrays that several files of this package need."""

import numpy as np

from minires.arrays import as_numpy, is_array
from minires.errors import DataError, DTypeError, OptionError, ShapeError
from minires.settings import is_whole
from minires.tensor import Tensor

MOST_NAMED = 10  # images that one message names


def check_whole(**settings):
    """Raises OptionError, which names the first setting that is no whole number."""
    for name, value in settings.items():
        if not is_whole(value):
            raise OptionError(f"{name} must be a whole number, got {value!r}")


def raise_together(faults):
    """Raise one DataError with all these messages, each about one image; of many, the first and how many more."""
    if len(faults) == 1:
        raise DataError(faults[0])
    if faults:
        faults = sorted(faults)
        more = f"; and {len(faults) - MOST_NAMED} more" if len(faults) > MOST_NAMED else ""
        raise DataError(f"{len(faults)} images cannot be used: {'; '.join(faults[:MOST_NAMED])}{more}")


def check_flags(**settings):
    """Raises OptionError, which names the first setting that is neither True nor False."""
    for name, value in settings.items():
        if not isinstance(value, (bool, np.bool_)):
            raise OptionError(f"{name} must be True or False, got {value!r}")


def check_images(name, images):
    """Raises DTypeError or ShapeError unless images is an array (N,C,H,W)."""
    if not is_array(images):
        raise DTypeError(
            f"{name}: images must be an array (N,C,H,W), got a {type(images).__name__}"
            + "; give its .detach().numpy()" * isinstance(images, Tensor)
        )
    if images.ndim != 4:
        raise ShapeError(f"{name}: images must be (N,C,H,W), got {images.shape}")


def channel_statistics(mean, std):
    """mean and std as two tuples of floats, one for each channel.

    Raises OptionError unless all are finite and std is above 0, and ShapeError for different lengths.
    """
    try:
        mean, std = (tuple(np.atleast_1d(np.asarray(values, np.float64)).tolist()) for values in (mean, std))
        valid = np.isfinite(mean + std).all() and all(value > 0 for value in std)
    except (TypeError, ValueError) as error:
        raise OptionError(f"mean and std must be one number for each channel, got {mean!r} and {std!r}") from error
    if len(mean) != len(std):
        raise ShapeError(f"mean has {len(mean)} channels, std has {len(std)}; give one number for each channel to both")
    if not valid:
        raise OptionError(
            f"mean must be finite and std more than 0, got mean {mean} and std {std}; "
            "for a channel that never changes give std 1"
        )
    return mean, std


def as_numbers(name, values):
    """An array, a Tensor or a list as a NumPy array of numbers.

    Raises DTypeError for objects, text and masked arrays, ShapeError for elements of different shapes.
    """
    if isinstance(values, Tensor):
        values = values.detach().numpy()
    try:
        array = as_numpy(values)
    except ValueError as error:
        raise ShapeError(f"{name}: the elements have different shapes ({error}); make them one array first") from error
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "fiub":
        raise DTypeError(f"{name}: expected an array of numbers, got {type(values).__name__} of {array.dtype}")
    return array
