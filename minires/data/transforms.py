"""Transforms of whole batches: callables (images, rng) -> images on (N,C,H,W), channels-last in memory and kept so."""

import numpy as np

from minires.arrays import channels_last, empty_map
from minires.errors import OptionError, ShapeError


def compose(*transforms):
    """One after another."""
    def apply(images, rng):
        for transform in transforms:
            images = transform(images, rng)
        return images
    return apply


def pad_and_crop(padding=4):
    """`padding` black pixels on every side, then a random cut of the old size  [He et al. 2015, §4.2]."""
    if padding < 0:
        raise OptionError(f"pad_and_crop: padding must be 0 or more, got {padding}")

    def apply(images, rng):
        N, C, H, W = images.shape
        padded = empty_map((N, C, H + 2 * padding, W + 2 * padding), like=images)
        padded[...] = 0
        padded[:, :, padding:padding + H, padding:padding + W] = images
        cut = empty_map(images.shape, like=images)
        for n, (top, left) in enumerate(rng.integers(0, 2 * padding + 1, (N, 2))):
            cut[n] = padded[n, :, top:top + H, left:left + W]
        return cut
    return apply


def flip():
    """Each picture mirrored left to right with probability ½."""
    def apply(images, rng):
        mirrored = rng.random(len(images)) < 0.5
        images = images.copy("K")
        images[mirrored] = images[mirrored][:, :, :, ::-1]
        return images
    return apply


def normalise(mean, std):
    """(pixel/255 − mean)/std by channel, uint8 -> float32."""
    scale = (1 / (255 * np.asarray(std))).astype(np.float32)
    shift = (np.asarray(mean) / np.asarray(std)).astype(np.float32)

    def apply(images, rng):
        N, C, H, W = images.shape
        if len(scale) != C:
            raise ShapeError(f"normalise: images have {C} channels, mean and std have {len(scale)}; give one for each")
        # (N,C,H,W) -> (N,H,W·C): long rows, for a loop over three channels at a time is slow
        rows = channels_last(images).transpose(0, 2, 3, 1).reshape(N, H, W * C).astype(np.float32)
        rows *= np.tile(scale, W)
        rows -= np.tile(shift, W)
        return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)
    return apply
