"""Which part of an image a random crop shows."""

import math

RATIO = (3 / 4, 4 / 3)  # width over height
TRIES = 10


def random_box(W, H, rng, scale, ratio=RATIO):
    """(left, top, w, h) of a random part of an image, as torchvision's RandomResizedCrop  [Szegedy et al. 2015, §6].

    scale: the least and the most of the image's area. ratio: of width and height, evenly distributed in its logarithm.
    A part that does not fit is drawn again. After ten tries it is the center, as much of it as the ratio allows.
    """
    for _ in range(TRIES):
        area = W * H * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(*map(math.log, ratio)))
        w = round(math.sqrt(area * aspect))
        h = round(math.sqrt(area / aspect))
        if 0 < w <= W and 0 < h <= H:
            left = int(rng.integers(W - w + 1))
            top = int(rng.integers(H - h + 1))
            return left, top, w, h
    w = min(W, round(H * ratio[1]))
    h = min(H, round(W / ratio[0]))
    return (W - w) // 2, (H - h) // 2, w, h
