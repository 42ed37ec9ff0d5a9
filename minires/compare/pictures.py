"""How an image file becomes what a network is given: the usual ways that are not the one here."""

from collections.abc import Iterator

import numpy as np

from minires.annotations import Array, PathLike
from minires.compare.causes import images
from minires.compare.layers import error_of
from minires.errors import need
from minires.predict import Classifier

NEAR = 0.01  # of the largest value: a pixel that is rounded otherwise


def explained(path: PathLike, network: Classifier, there: Array) -> tuple[float, str]:
    """(the error of the image as it is prepared here, the cause of it or "") beside the first image there."""
    here = network.transform(network.read(path)[None], None)
    error = error_of(here, there[:1])
    if error <= NEAR:
        return error, ""
    found = [(error_of(other, there[:1]), cause) for cause, other in _others(path, network, here)]
    best = min(found)
    return error, best[1] if best[0] <= NEAR else ""


def _others(path, network, here) -> Iterator[tuple[str, Array]]:
    """(cause, the image) for each other way to prepare it."""
    pixels = network.read(path)
    yield "the colors are in the other order there: BGR, not RGB", network.transform(pixels[::-1][None], None)
    for cause, change in images():
        yield cause, change(here)
    size = network.size
    for cause, resized in _resized(path, network.resize or size, size):
        yield cause, network.transform(resized[None], None)


def _resized(path, shorter, size):
    """(cause, uint8 (3,size,size)) for each other way to scale the image."""
    pillow = need("PIL.Image", "data", for_what="reading images")
    ops = need("PIL.ImageOps", "data", for_what="reading images")
    with pillow.open(path) as opened:
        image = ops.exif_transpose(opened).convert("RGB")
    W, H = image.size
    scale = shorter / min(W, H)
    wide = (int(W * scale), int(H * scale))
    for name in ("NEAREST", "BICUBIC", "LANCZOS"):
        scaled = np.asarray(image.resize(wide, getattr(pillow.Resampling, name)))
        yield f"the image is scaled by {name.lower()} there, and bilinearly here", _center(scaled, size)
    pixels = np.asarray(image)
    for aligned, cause in ((False, "antialias=False"), (True, "align_corners=True")):
        rows = _bilinear(H, wide[1], aligned)
        columns = _bilinear(W, wide[0], aligned)
        scaled = np.einsum("ah,hwc,bw->abc", rows, pixels, columns, optimize=True)
        yield f"the image is scaled with {cause} there", _center(np.rint(scaled).astype(np.uint8), size)
    squeezed = np.asarray(image.resize((size, size), pillow.Resampling.BILINEAR))
    yield "the whole image is squeezed into the square there, and here its center is cut out", _center(squeezed, size)
    small = np.asarray(image.resize((int(W * size / min(W, H)), int(H * size / min(W, H))), pillow.Resampling.BILINEAR))
    yield f"the shorter side is scaled to {size} there, and to {shorter} here", _center(small, size)


def _center(pixels, size):
    """The square in the middle, (H,W,C) -> (C,size,size)."""
    H, W = pixels.shape[:2]
    top = round((H - size) / 2)
    left = round((W - size) / 2)
    return pixels[top : top + size, left : left + size].transpose(2, 0, 1)


def _bilinear(n, m, aligned):
    """(m,n): what each of n pixels weighs in m pixels, without a filter against aliasing."""
    places = np.linspace(0, n - 1, m) if aligned else np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    left = np.minimum(places.astype(int), n - 2)
    weights = np.zeros((m, n))
    weights[np.arange(m), left] = 1 - (places - left)
    weights[np.arange(m), left + 1] = places - left
    return weights
