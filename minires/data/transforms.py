"""Transforms of whole batches: callables (images, rng) -> images on (N,C,H,W), channels-last in memory and kept so."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minires.annotations import Array, Transform
from minires.arrays import channels_last, empty_map
from minires.data.checks import channel_statistics, check_images, check_whole
from minires.errors import DTypeError, OptionError, ShapeError


def compose(*transforms: Transform | Sequence[Transform]) -> Transform:
    """One after another; a list of them is taken, too."""
    if len(transforms) == 1 and isinstance(transforms[0], (list, tuple)):
        transforms = tuple(transforms[0])
    for transform in transforms:
        if not callable(transform):
            raise OptionError(f"compose takes transforms (images, rng) -> images, got {transform!r}")

    def apply(images, rng):
        for transform in transforms:
            images = transform(images, rng)
        return images

    return apply


def pad_and_crop(padding: int = 4) -> Transform:
    """`padding` black pixels on every side, then a random cut of the old size  [He et al. 2015, §4.2]."""
    check_whole(padding=padding)
    if padding < 0:
        raise OptionError(f"pad_and_crop: padding must be 0 or more, got {padding}")

    def apply(images, rng):
        check_images("pad_and_crop", images)
        N, C, H, W = images.shape
        padded = empty_map((N, C, H + 2 * padding, W + 2 * padding), like=images)
        padded[...] = 0
        padded[:, :, padding : padding + H, padding : padding + W] = images
        cut = empty_map(images.shape, like=images)
        for n, (top, left) in enumerate(rng.integers(0, 2 * padding + 1, (N, 2))):
            cut[n] = padded[n, :, top : top + H, left : left + W]
        return cut

    return apply


def flip() -> Transform:
    """Each picture mirrored left to right with probability ½."""

    def apply(images, rng):
        check_images("flip", images)
        mirrored = rng.random(len(images)) < 0.5
        images = images.copy("K")
        images[mirrored] = images[mirrored][:, :, :, ::-1]
        return images

    return apply


def normalise(mean: Any, std: Any) -> Transform:
    """(pixel/white − mean)/std by channel, as float32: white is 255 for bytes (uint8), 1 for floats."""
    mean, std = map(np.array, channel_statistics(mean, std))
    shift = (mean / std).astype(np.float32)

    def apply(images, rng):
        check_images("normalise", images)
        scale = (1 / (_white(images) * std)).astype(np.float32)
        N, C, H, W = images.shape
        if len(scale) != C:
            raise ShapeError(f"normalise: images have {C} channels, mean and std have {len(scale)}; give one for each")
        # (N,C,H,W) -> (N,H,W·C): long rows, because a loop over three channels at a time is slow
        rows = channels_last(images).transpose(0, 2, 3, 1).reshape(N, H, W * C).astype(np.float32)
        rows *= np.tile(scale, W)
        rows -= np.tile(shift, W)
        return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)

    return apply


def to_floats(images: Array, rng: Any = None) -> Array:
    """Bytes (uint8) become pixel/255 in float32, floats stay as they are."""
    white = _white(images)
    return images if white == 1 else images.astype(np.float32, order="K") / np.float32(white)


def _white(images):
    """The value that stands for white: the one place that knows what the numbers of a picture mean."""
    dtype = getattr(images, "dtype", None)
    if dtype == np.uint8:
        return 255
    if dtype is not None and dtype.kind == "f":
        return 1
    raise DTypeError(
        "pictures must be bytes (uint8, white is 255) or floats (white is 1), got "
        f"{dtype or type(images).__name__}; "
        "convert them with .astype"
    )
