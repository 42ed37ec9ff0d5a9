"""Reading one image file as an array: which files are images, gray values, alpha and orientation."""

import logging
import re
import stat
import struct
import warnings
from contextlib import contextmanager

import numpy as np

from minires.annotations import PathLike
from minires.data.checks import check_whole
from minires.errors import DataError, OptionError, need
from minires.paths import as_path

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "PPM", "TIFF")  # others may start programs (EPS: Ghostscript)
MOST_PIXELS = 100_000_000  # a larger image is a mistake or an attack; a decoded pixel takes up to 4 bytes
MOST_BYTES = 8 * MOST_PIXELS  # of a file: 16 bits for each of red, green, blue and alpha
ORIENTATION, BITS, PHOTOMETRIC = 0x0112, 258, 262  # tags of EXIF and TIFF
TRANSPOSES = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# Pillow's warnings about odd metadata and large images. They stay off, because warnings.catch_warnings changes all
# threads at once, and images are read in the thread of a loader.
PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def read_image(path: PathLike, size: int = 224, resize: int | None = None) -> np.ndarray:
    """The image in a file as RGB, uint8 (3,size,size): the center square, scaled, as an ImageFolder gives it.

    resize: the length to which the shorter side is scaled before the center of `size` is cut out. 256 with size 224 is
    what ImageNet's networks are tested with, and gives torchvision's pixels. By default it is size.
    EXIF orientation is applied. Of several frames the first is taken. Alpha is left out, as in torchvision.
    16-bit gray values become 8-bit ones (value/257); floats go from 0 (black) to 1 (white).
    Raises DataError, which names the file, if it cannot be read.
    """
    check_size(size)
    if resize is not None:
        check_whole(resize=resize)
        if resize < size:
            raise OptionError(f"resize must be size or more, {size}, got {resize}")
    return _read(path, lambda image, mode, pillow: _center_square(image, mode, size, resize, pillow))


def read_part(path, size, box_of):
    """A part of the image in a file, scaled to a square, uint8 (3,size,size); the rest as in read_image.

    box_of(W, H) -> (left, top, w, h): the part, in pixels of an image of that width and height.
    """

    def cut(image, mode, pillow):
        left, top, w, h = box_of(*image.size)
        part = image.crop((left, top, left + w, top + h))  # first, so that no pixel around it has an influence
        return part.convert(mode).resize((size, size), pillow.Resampling.BILINEAR)

    return _read(path, cut)


def _read(path, scaled):
    """The pixels of scaled(PIL's image, its mode, PIL.Image), upright, as uint8 (3,size,size)."""
    pillow = _pillow()
    with _opened(path) as image:
        image.load()
        gray_range = _gray_range(image, path)
        square = scaled(image, "F" if gray_range else "RGB", pillow)
        transpose = TRANSPOSES.get(_orientation(image))
        pixels = np.asarray(square.transpose(pillow.Transpose[transpose]) if transpose else square)
    if gray_range:
        black, white = gray_range
        pixels = _as_bytes(pixels, black, white, path)
    return pixels.transpose(2, 0, 1)  # (H,W,C) -> (C,H,W)


def check_image(path):
    """Raise the DataError of read_image if the header of the file shows it. Nothing is decoded."""
    with _opened(path):
        pass


@contextmanager
def _opened(path):
    """PIL's image of a file. Every error inside the block becomes a DataError that names the file."""
    path = as_path(path, DataError)
    _check_file(path)
    try:
        with _pillow().open(path, formats=FORMATS) as image:
            W, H = image.size
            if W * H > MOST_PIXELS:
                raise DataError(f"{path} has {W}×{H} pixels, more than {MOST_PIXELS:,}; remove it or shrink it")
            yield image
    except DataError:
        raise
    except Exception as error:  # a damaged file makes a decoder raise anything; a MemoryError has no text
        reason = str(error).replace(f" {str(path)!r}", "")  # Pillow may name the file, too
        raise DataError(f"{path} cannot be read as an image: {reason or type(error).__name__}") from error


def check_size(size):
    """Raises OptionError if size is no number of pixels."""
    check_whole(size=size)
    if size < 1:
        raise OptionError(f"size must be 1 or more, got {size}")


def _pillow():
    """PIL.Image, with its warnings and its log off."""
    pillow = need("PIL.Image", "data", for_what="reading images")
    if warnings.filters[:1] != [PILLOW_WARNINGS]:
        warnings.filterwarnings("ignore", module=PILLOW_WARNINGS[3].pattern)
    log = logging.getLogger("PIL")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return pillow


def _check_file(path):
    """Raises DataError if this is no regular file: a pipe would wait forever, a device would fill the memory."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is no regular file, so it is not read as an image")
    if found.st_size > MOST_BYTES:
        raise DataError(f"{path} has {found.st_size:,} bytes, more than {MOST_BYTES:,}; remove it or shrink it")


def _gray_range(image, path):
    """(black, white) of an image of one channel and more than 8 bits; None for all others."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        white = (1 << tags.get(BITS, (16,))[0]) - 1
        return (white, 0) if tags.get(PHOTOMETRIC, 1) == 0 else (0, white)
    if image.mode == "I":
        if image.format in ("PNG", "PPM"):
            return 0, 65535
        raise DataError(
            f"{path} holds whole numbers of 32 bits or with a sign, which do not say what is white; save "
            "it with 8 or 16 bits"
        )
    if image.mode == "F":
        least, most = image.getextrema()
        if not 0 <= least <= most <= 1:
            raise DataError(
                f"{path} holds floats from {least:g} to {most:g} instead of 0 (black) to 1 (white); scale "
                "them, or save it with 8 or 16 bits"
            )
        return 0, 1
    return None


def _center_square(image, mode, size, resize, pillow):
    """The center square of an image, scaled; with resize the center of the image whose shorter side has that length.

    Both are done in one call, because a whole image one pixel wide would fill the memory once it is scaled.
    """
    if image.mode != mode:
        image = image.convert(mode)
    W, H = image.size
    side = min(W, H)
    box = (W - side) / 2, (H - side) / 2, (W + side) / 2, (H + side) / 2
    if resize is not None:
        w = resize * W // side  # the sides after scaling, in whole pixels as in torchvision
        h = resize * H // side
        left = round((w - size) / 2)
        top = round((h - size) / 2)
        box = left * W / w, top * H / h, (left + size) * W / w, (top + size) * H / h
    return image.resize((size, size), pillow.Resampling.BILINEAR, box=box)


def _orientation(image):
    """1 to 8, as in EXIF; 1, upright, if there is none or the EXIF block is damaged."""
    if image.format == "TIFF":  # Pillow has applied it, and old versions leave the tag as it was
        return 1
    try:
        return image.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1


def _as_bytes(values, black, white, path):
    """Gray values (H,W) as bytes (H,W,3)."""
    if not np.isfinite(values).all():
        raise DataError(f"{path} holds NaN or infinite values")
    scaled = np.rint((values - black) * (255 / (white - black))).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)  # (H,W) -> (H,W,C)
