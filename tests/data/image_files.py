"""Image files that several tests write."""

import numpy as np
from PIL import Image

RNG = np.random.default_rng
COLORS = RNG(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def saved(path, image, **options):
    """The path of an image, written from an array or a PIL image."""
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path
