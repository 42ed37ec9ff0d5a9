"""Transforms of whole batches: callables (images, rng) -> images on (N,C,H,W), channels-last in memory and kept so."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minires.annotations import Array, Pair, Transform
from minires.arrays import channels_last, empty_feature_map
from minires.data.checks import channel_statistics, check_images, check_whole
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels.window import pair
from minires.settings import in_range
from minires.torch_names import OF_DATA, missing


def compose(*transforms: Transform | Sequence[Transform]) -> Transform:
    """The transforms one after another, as torchvision's Compose. They may also be given as one list."""
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


def random_crop(size: Pair, padding: int = 0) -> Transform:
    """A random part of `size` (one length or height, width), after `padding` black pixels were put on every side.

    [He et al. 2015, §4.2: 32 of 32×32 images with padding 4.] Raises ShapeError for images that are smaller.
    """
    h, w = pair(size, "size", "random_crop", 1)
    check_whole(padding=padding)
    if padding < 0:
        raise OptionError(f"random_crop: padding must be 0 or more, got {padding}")

    def apply(images, rng):
        check_images("random_crop", images)
        N, C, H, W = images.shape
        PH = H + 2 * padding
        PW = W + 2 * padding
        if h > PH or w > PW:
            raise ShapeError(f"random_crop: size is {h}×{w}, the images with their padding are {PH}×{PW}")
        padded = empty_feature_map((N, C, PH, PW), like=images)
        padded[...] = 0
        padded[:, :, padding : padding + H, padding : padding + W] = images
        cropped = empty_feature_map((N, C, h, w), like=images)
        for n, (top, left) in enumerate(rng.integers(0, (PH - h + 1, PW - w + 1), (N, 2))):
            cropped[n] = padded[n, :, top : top + h, left : left + w]
        return cropped

    return apply


def random_horizontal_flip(p: float = 0.5) -> Transform:
    """Each image is flipped left to right with probability p."""
    p = in_range("random_horizontal_flip: p", p, 0, 1)

    def apply(images, rng):
        check_images("random_horizontal_flip", images)
        flipped = rng.random(len(images)) < p
        images = images.copy("K")
        images[flipped] = images[flipped][:, :, :, ::-1]
        return images

    return apply


def normalize(mean: Any, std: Any) -> Transform:
    """(pixel/white − mean)/std by channel, as float32: white is 255 for bytes (uint8), 1 for floats."""
    mean, std = map(np.array, channel_statistics(mean, std))
    offset = (mean / std).astype(np.float32)

    def apply(images, rng):
        check_images("normalize", images)
        scale = (1 / (_white(images) * std)).astype(np.float32)
        N, C, H, W = images.shape
        if len(scale) != C:
            raise ShapeError(f"normalize: images have {C} channels, mean and std have {len(scale)}; give one for each")
        # (N,C,H,W) -> (N,H,W·C): long rows, because a loop over three channels at a time is slow
        rows = channels_last(images).transpose(0, 2, 3, 1).reshape(N, H, W * C).astype(np.float32)
        rows *= np.tile(scale, W)
        rows -= np.tile(offset, W)
        return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)

    return apply


def to_floats(images: Array, rng: Any = None) -> Array:
    """Bytes (uint8) become pixel/255 in float32, floats stay as they are."""
    white = _white(images)
    return images if white == 1 else images.astype(np.float32, order="K") / np.float32(white)


def _white(images):
    """The value of white: 255 for bytes, 1 for floats."""
    dtype = getattr(images, "dtype", None)
    if dtype == np.uint8:
        return 255
    if dtype is not None and dtype.kind == "f":
        return 1
    raise DTypeError(
        "images must be bytes (uint8, white is 255) or floats (white is 1), got "
        f"{dtype or type(images).__name__}; convert them with .astype"
    )


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):  # of torchvision.transforms
        raise missing("minires.data.transforms", name, advice=OF_DATA)
